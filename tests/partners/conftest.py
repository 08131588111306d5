"""A coalition behind its door for each test."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

import pytest

from coalition.kernel.database import Engine
from tests.support.http import Coalition, Shop, open_coalition


@pytest.fixture
def coalition(runner: asyncio.Runner, database: Engine, at: datetime) -> Iterator[Coalition]:
    """Yield a coalition of two partners, served in this process."""
    opened = runner.run(open_coalition(at))
    yield opened
    runner.run(opened.close())


@pytest.fixture
def grocer(coalition: Coalition) -> Shop:
    """Return the first partner's till."""
    return coalition.grocer


@pytest.fixture
def fuel(coalition: Coalition) -> Shop:
    """Return the second partner's till."""
    return coalition.fuel
