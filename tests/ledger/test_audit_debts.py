"""The audit finds every kind of damage in what members owe and in what paid for it."""

from datetime import datetime, timedelta

import pytest
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.ledger import audit, debts, merging
from coalition.ledger.drafts import Adjust, Posted, Recover
from coalition.ledger.partitions import ensure_partition
from tests.support.ledger import (
    GROCER,
    issue,
    open_holder,
    post,
    provenance,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")


async def write_a_history(at: datetime) -> None:
    """Write debts that were booked, recovered, written off and moved, and adjustments."""
    anna, bo = await open_holder(at), await open_holder(at)
    first, second, *_ = await post(
        [issue(anna, 100, at), issue(anna, 50, at), redeem(anna, 130, at)], at
    )
    for made in (first, second):
        assert isinstance(made, Posted)
        back = reverse(made.posting, at, partner_no=GROCER)
        await post([structs.replace(back, debts={GROCER * 10: 50})], at)
    bare = till(0, at)
    given = provenance(0)._replace(contract_no=0)
    await post(
        [
            issue(anna, 40, at),
            Adjust(anna, bare, 1, 30, "a gift", given),
            Adjust(anna, bare, 1, 5, "a mistake"),
            Recover(anna, bare, 1, 10),
        ],
        at,
    )
    later = at + timedelta(days=1)
    await ensure_partition(later)
    async with transaction() as connection:
        await debts.write_off(
            connection,
            anna,
            currency_no=1,
            points=7,
            issue=None,
            actor="staff:bo",
            reason="goodwill",
            at=later,
        )
        moved = await merging.merge(
            connection, from_holder=anna, into_holder=bo, at=later, today=later.date()
        )
    assert moved.owed == 130 - 20 - 10 - 7
    (paid,) = await post([issue(bo, 20, later)], later)
    assert isinstance(paid, Posted)
    assert [part.points for part in paid.recovered] == [10]


async def test_honest_books_have_no_breach(at: datetime) -> None:
    await write_a_history(at)
    assert (await audit.run()).breaches == []


DAMAGES = {
    "a debt that grew": ("I2", "UPDATE debt SET booked = booked + 1"),
    "a debt that nobody paid": ("I2", "UPDATE debt SET recovered = recovered + 1 WHERE moved = 0"),
    "an entry that is gone": ("I2", "DELETE FROM debt_entry WHERE kind = 3"),
    "a debt that is gone": ("I2", "DELETE FROM debt_entry; DELETE FROM debt"),
    "a holder who owes too little": ("I2", "UPDATE holder SET owes = owes - 1 WHERE owes > 0"),
    "a debt that half went over": (
        "I4",
        """UPDATE debt SET booked = booked - 1 FROM holder WHERE merged_into = debt.holder;
        UPDATE debt_entry SET points = points - 1 WHERE kind = 1 AND reason IS NOT NULL;
        UPDATE holder SET owes = owes - 2 WHERE owes > 0""",
    ),
    "a recovery for another issue": ("I4", "UPDATE posting SET linked = id WHERE kind = 8"),
    "a recovery at another partner": ("I4", "UPDATE posting SET partner_no = 9 WHERE kind = 8"),
    "a recovery of fewer points": (
        "I4",
        "UPDATE debt_entry SET points = points - 1 WHERE kind = 2",
    ),
    "a recovery that pays nothing": ("I4", "DELETE FROM debt_entry WHERE kind = 2"),
    "a recovery that pays twice": (
        "I4",
        """UPDATE debt_entry SET posting = (SELECT posting FROM debt_entry WHERE kind = 2 LIMIT 1)
        WHERE kind = 2""",
    ),
    "a reversal that counts no debt": ("I6", "UPDATE reversed_leg SET reversed = moved - 1"),
    "points of another giver": (
        "I4",
        "UPDATE posting SET account_partner_no = 9 WHERE kind = 5 AND direction = 1",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found(at: datetime, damage: str) -> None:
    await write_a_history(at)
    invariant, statement = DAMAGES[damage]
    async with transaction() as connection:
        await connection.execute(statement)
    report = await audit.run()
    assert invariant in {breach.invariant for breach in report.breaches}
    assert all(breach.rows > 0 and breach.first for breach in report.breaches)
