"""Finance's desks beside the tills, for each test that asks for them."""

import asyncio

import pytest

from tests.partners.settlement.office import Office, open_office
from tests.support.http import Coalition


@pytest.fixture
def office(runner: asyncio.Runner, coalition: Coalition) -> Office:
    """Return the desks of finance in a coalition of two partners."""
    return runner.run(open_office(coalition))
