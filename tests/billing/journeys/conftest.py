"""Every journey is told in each way in which webhooks may come."""

import asyncio
from datetime import UTC, datetime

import pytest

from coalition.kernel.database import Engine
from tests.billing.journeys.club import Club, open_club
from tests.billing.journeys.ways import Way


@pytest.fixture(params=list(Way), ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """Return how webhooks come in this telling."""
    found: Way = request.param
    return found


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine, way: Way) -> Club:
    """Return a club that opens on the last day of a January."""
    assert database.pool is not None
    return runner.run(open_club(datetime(2027, 1, 17, 9, 30, tzinfo=UTC), way))
