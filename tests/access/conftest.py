"""The doors by which members sign in, for each test."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

import pytest

from coalition.kernel.database import Engine
from tests.access.entrance import Entrance, open_entrance


@pytest.fixture
def entrance(runner: asyncio.Runner, database: Engine, at: datetime) -> Iterator[Entrance]:
    """Yield the doors, with a member whose password is set."""
    opened = runner.run(open_entrance(at))
    yield opened
    runner.run(opened.http.aclose())
