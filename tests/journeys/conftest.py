"""The whole service for each test, or one for all tests of a module that only refuse."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from tests.journeys.world import Scene, World, open_world, set_scene
from tests.support.postgres import create_database, drop_database


@pytest.fixture(scope="module", autouse=True)
def runner() -> Iterator[asyncio.Runner]:
    """Hold one event loop for a module, so that its tests can share a service."""
    with asyncio.Runner() as held:
        yield held


@pytest.fixture
def world(runner: asyncio.Runner, database_url: str, at: datetime) -> Iterator[World]:
    """Yield the service with two partners on a database of its own."""
    stack = AsyncExitStack()
    yield runner.run(stack.enter_async_context(open_world(database_url, at)))
    runner.run(stack.aclose())


@pytest.fixture
def scene(runner: asyncio.Runner, world: World) -> Scene:
    """Return the service with a member who has points."""
    return runner.run(set_scene(world))


@pytest.fixture(scope="module")
def standing(runner: asyncio.Runner, postgres_url: str) -> Iterator[Scene]:
    """Yield a scene for all tests of a module.

    They show that they leave nothing behind, or use members of their own, so to each the scene is
    as good as new. A module uses either this one or those above: a process has one service at a
    time.
    """
    url = create_database(postgres_url)
    stack = AsyncExitStack()
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    world = runner.run(stack.enter_async_context(open_world(url, at)))
    yield runner.run(set_scene(world))
    runner.run(stack.aclose())
    drop_database(postgres_url, url)
