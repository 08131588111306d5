"""A town on the whole service for each test."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import datetime

import pytest

from tests.families.doors.world import Town
from tests.journeys.world import open_world


@pytest.fixture
def town(runner: asyncio.Runner, database_url: str, at: datetime) -> Iterator[Town]:
    """Yield the service with two partners, without rules yet."""
    stack = AsyncExitStack()
    world = runner.run(stack.enter_async_context(open_world(database_url, at)))
    yield Town(world)
    runner.run(stack.aclose())
