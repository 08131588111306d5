"""Adjustments: staff give points of a known origin, or take them in spending order."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit
from coalition.ledger.accounts import Account, Kind
from coalition.ledger.drafts import Adjust, Posted
from coalition.ledger.refusals import NotEnoughPoints, NotReversible
from tests.support.ledger import FUEL, balance, issue, open_holder, post, provenance, reverse, till

OPERATOR = 0

pytestmark = pytest.mark.usefixtures("database")


def take(holder: UUID, points: int, at: datetime) -> Adjust:
    return Adjust(holder, till(OPERATOR, at), 1, points, "a mistake at the till")


def give(holder: UUID, points: int, at: datetime, until: date | None = None) -> Adjust:
    given = provenance(FUEL, expires_on=until)
    return Adjust(holder, till(FUEL, at), 1, points, "a mistake at the till", given)


async def test_points_are_given_with_the_origin_that_staff_name(at: datetime) -> None:
    anna = await open_holder(at)
    until = at.date() + timedelta(days=9)
    (made,) = await post([give(anna, 30, at, until)], at)
    assert isinstance(made, Posted)
    assert (await balance(anna, at), await balance(anna, at + timedelta(days=10))) == (30, 0)
    async with transaction() as connection:
        row = await connection.fetchrow(
            "SELECT kind, account, account_partner_no, direction FROM posting WHERE id = $1",
            made.posting,
        )
    assert tuple(row) == (Kind.ADJUSTMENT, Account.ADJUSTED, FUEL, 1)
    assert (await audit.run()).breaches == []


async def test_points_that_expire_first_are_taken_first(at: datetime) -> None:
    anna = await open_holder(at)
    soon = at.date() + timedelta(days=1)
    await post([issue(anna, 10, at), issue(anna, 5, at, expires_on=soon)], at)
    (made,) = await post([take(anna, 7, at)], at)
    assert isinstance(made, Posted)
    assert await balance(anna, at + timedelta(days=2)) == 8
    assert (await audit.run()).breaches == []


async def test_what_is_not_there_is_not_taken(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at)], at)
    (refused,) = await post([take(anna, 11, at)], at)
    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts == {"points": 11, "balance": 10}
    assert await balance(anna, at) == 10


async def test_adjustments_are_posted_in_their_order(at: datetime) -> None:
    anna = await open_holder(at)
    drafts = [take(anna, 5, at), give(anna, 5, at), take(anna, 5, at)]
    took, gave, took_after = await post(drafts, at)
    assert isinstance(took, NotEnoughPoints)
    assert isinstance(gave, Posted)
    assert isinstance(took_after, Posted)
    assert await balance(anna, at) == 0


async def test_an_adjustment_is_mended_by_another_and_not_reversed(at: datetime) -> None:
    anna = await open_holder(at)
    (made,) = await post([give(anna, 5, at)], at)
    assert isinstance(made, Posted)
    (refused,) = await post([reverse(made.posting, at, partner_no=FUEL)], at)
    assert isinstance(refused, NotReversible)
