"""Every journey is told in each way in which webhooks may come."""

import asyncio
from datetime import UTC, datetime

import pytest

from coalition.kernel.database import Engine
from tests.billing.journeys.club import Club, open_club
from tests.billing.journeys.unsteady import Unsteady
from tests.billing.journeys.ways import Way


@pytest.fixture(params=list(Way), ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """Return how webhooks come in this telling."""
    found: Way = request.param
    return found


OPENS = datetime(2027, 1, 17, 9, 30, tzinfo=UTC)


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine, way: Way) -> Club:
    """Return a club that opens a fortnight before the last day of a January."""
    assert database.pool is not None
    return runner.run(open_club(OPENS, way))


@pytest.fixture
def shaken(runner: asyncio.Runner, database: Engine, way: Way) -> Club:
    """Return a club whose Stripe answers each request at the third attempt alone."""
    assert database.pool is not None
    return runner.run(open_club(OPENS, way, Unsteady()))


@pytest.fixture
def steady(runner: asyncio.Runner, database: Engine) -> Club:
    """Return a club whose webhooks come as they are sent."""
    assert database.pool is not None
    return runner.run(open_club(OPENS, Way.AS_SENT))
