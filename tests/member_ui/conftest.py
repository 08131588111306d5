"""One town for all tests of a module: each brings people of its own."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from tests.member_ui.world import Person, Town, open_town
from tests.support.postgres import create_database, drop_database


@pytest.fixture(scope="module", autouse=True)
def runner() -> Iterator[asyncio.Runner]:
    """Hold one event loop for a module, so that its tests can share a service."""
    with asyncio.Runner() as held:
        yield held


@pytest.fixture(scope="module")
def town(
    runner: asyncio.Runner, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    """Yield the service with its pages, on a database of its own."""
    url = create_database(postgres_url)
    folder = tmp_path_factory.mktemp("sandbox")
    stack = AsyncExitStack()
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    yield runner.run(stack.enter_async_context(open_town(url, folder, at)))
    runner.run(stack.aclose())
    drop_database(postgres_url, url)


@pytest.fixture(scope="module")
def standing(runner: asyncio.Runner, town: Town) -> Person:
    """Return a member for the tests of a module that leave it as it was."""
    return runner.run(town.member())
