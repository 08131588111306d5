"""Benefits: the operator gives points for a membership; they go back as issued ones do."""

from datetime import datetime
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit
from coalition.ledger.accounts import Account, Kind
from coalition.ledger.drafts import Grant, Issue, Owed, Posted, Reverse
from tests.support.ledger import FUEL, balance, issue, open_holder, post, provenance, redeem, till

OPERATOR = 0
CONTRACT = FUEL * 10

pytestmark = pytest.mark.usefixtures("database")


def give(holder: UUID, points: int, at: datetime) -> Issue:
    """Return a benefit that a partner pays for under its contract, and the operator gives."""
    paid_by_fuel = provenance(FUEL)._replace(issuer_no=OPERATOR)
    return Issue(
        holder,
        till(OPERATOR, at),
        (Grant(paid_by_fuel, points),),
        kind=Kind.BENEFIT,
        reason="monthly points of plus",
    )


def take_back(posting: UUID, at: datetime, debts: dict[int, int] | None = None) -> Reverse:
    return Reverse(posting, till(OPERATOR, at), None, "reverse", at.date(), "refunded", debts or {})


async def posted(draft: Issue, at: datetime) -> UUID:
    (made,) = await post([draft], at)
    assert isinstance(made, Posted)
    return made.posting


async def test_points_of_a_membership_are_issued_by_the_operator_and_paid_by_a_funder(
    at: datetime,
) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    made = await posted(give(anna, 100, at), at)
    await post([give(bo, 70, at), issue(bo, 5, at)], at)
    assert (await balance(anna, at), await balance(bo, at)) == (100, 75)
    async with transaction() as connection:
        row = await connection.fetchrow(
            "SELECT kind, account, account_partner_no, direction, reason, funder_no, issuer_no"
            " FROM posting JOIN lot ON lot.id = posting.lot WHERE posting.id = $1",
            made,
        )
    expected = (Kind.BENEFIT, Account.ISSUED, OPERATOR, 1, "monthly points of plus", FUEL, OPERATOR)
    assert tuple(row) == expected
    assert (await audit.run()).breaches == []


async def test_a_benefit_is_taken_back_once_and_what_was_spent_is_owed(at: datetime) -> None:
    anna = await open_holder(at)
    made = await posted(give(anna, 100, at), at)
    await post([redeem(anna, 30, at)], at)
    (back, again) = await post([take_back(made, at, {CONTRACT: 100}) for _ in range(2)], at)
    assert isinstance(back, Posted)
    assert (back.points, back.debt) == (70, 30)
    assert not isinstance(again, Posted | Owed)
    # What is earned later pays, as for any reversed issue.
    await post([issue(anna, 50, at)], at)
    assert await balance(anna, at) == 20
    assert (await audit.run()).breaches == []
