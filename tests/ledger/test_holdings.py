"""What holders have and have had is told by where it came from."""

from datetime import datetime, timedelta

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import holdings
from coalition.ledger.holdings import Holding
from coalition.ledger.provenance import ORDINARY_CLASS
from tests.support import ledger

pytestmark = pytest.mark.usefixtures("database")


async def test_spendable_points_are_told_by_issuer_class_and_month(at: datetime) -> None:
    anna, bo = await ledger.open_holder(at), await ledger.open_holder(at)
    yesterday = at.date() - timedelta(days=1)
    await ledger.post(
        [
            ledger.issue(anna, 100, at),
            ledger.issue(anna, 200, at, partner_no=ledger.FUEL),
            ledger.issue(anna, 7, at, expires_on=yesterday),
            ledger.redeem(anna, 30, at),
        ],
        at,
    )
    async with transaction() as connection:
        found = await holdings.spendable(connection, [anna, bo], currency_no=1, today=at.date())
    month = at.year * 100 + at.month
    assert bo not in found
    assert sum(kind.points for kind in found[anna]) == 270
    assert {kind[:3] for kind in found[anna]} == {
        (ledger.GROCER, ORDINARY_CLASS, month),
        (ledger.FUEL, ORDINARY_CLASS, month),
    }
    assert all(isinstance(kind, Holding) for kind in found[anna])


async def test_what_was_earned_counts_though_it_was_spent_or_has_ended(at: datetime) -> None:
    anna, bo = await ledger.open_holder(at), await ledger.open_holder(at)
    yesterday = at.date() - timedelta(days=1)
    await ledger.post(
        [
            ledger.issue(anna, 100, at),
            ledger.issue(anna, 7, at, expires_on=yesterday),
            ledger.redeem(anna, 100, at),
        ],
        at,
    )
    async with transaction() as connection:
        found = await holdings.earned(connection, [anna, bo], currency_no=1, received={1})
    assert found == {anna: {at.year * 100 + at.month: 107}}
