"""Issue, redeem and reverse, one at a time and many at once."""

from datetime import date, datetime, timedelta

import pytest

from coalition.ledger.drafts import Posted
from coalition.ledger.refusals import (
    DuplicateReceipt,
    NotEnoughPoints,
    PointsAlreadySpent,
    ReversalExceedsOriginal,
)
from tests.support.ledger import FUEL, GROCER, balance, issue, open_holder, post, redeem, reverse

pytestmark = pytest.mark.usefixtures("database")


async def test_points_issued_by_one_partner_are_spent_at_another(at: datetime) -> None:
    anna = await open_holder(at)
    issued, redeemed = await post([issue(anna, 300, at), redeem(anna, 120, at)], at)
    assert isinstance(issued, Posted)
    assert isinstance(redeemed, Posted)
    assert await balance(anna, at) == 180


async def test_a_redemption_beyond_the_balance_is_refused_and_changes_nothing(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 100, at)], at)
    (refused,) = await post([redeem(anna, 101, at)], at)
    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts["balance"] == 100
    assert await balance(anna, at) == 100


async def test_a_redemption_takes_the_points_that_expire_first(at: datetime) -> None:
    anna = await open_holder(at)
    soon, later = date(2026, 12, 31), date(2027, 12, 31)
    await post(
        [
            issue(anna, 100, at, expires_on=later, partner_no=FUEL),
            issue(anna, 100, at, expires_on=soon),
            issue(anna, 100, at),
        ],
        at,
    )
    await post([redeem(anna, 150, at)], at)
    assert await balance(anna, at) == 150
    assert await balance(anna, datetime(2027, 1, 1, 12, tzinfo=at.tzinfo)) == 150
    assert await balance(anna, datetime(2028, 1, 1, 12, tzinfo=at.tzinfo)) == 100


async def test_a_return_goes_back_to_the_lots_it_came_from_from_the_last_leg_backwards(
    at: datetime,
) -> None:
    anna = await open_holder(at)
    soon, later = date(2026, 12, 31), date(2027, 12, 31)
    await post([issue(anna, 100, at, expires_on=soon), issue(anna, 100, at, expires_on=later)], at)
    (redeemed,) = await post([redeem(anna, 150, at)], at)
    assert isinstance(redeemed, Posted)
    (returned,) = await post([reverse(redeemed.posting, at, partner_no=FUEL, points=70)], at)
    assert isinstance(returned, Posted)
    assert await balance(anna, at) == 120
    assert await balance(anna, datetime(2027, 1, 1, 12, tzinfo=at.tzinfo)) == 100


async def test_a_return_to_an_expired_lot_can_be_spent_until_the_end_of_grace(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 100, at, expires_on=at.date())], at)
    (redeemed,) = await post([redeem(anna, 60, at)], at)
    assert isinstance(redeemed, Posted)
    later = at + timedelta(days=5)
    await post([reverse(redeemed.posting, later, partner_no=FUEL)], later)
    assert await balance(anna, later) == 60
    assert await balance(anna, later + timedelta(days=30)) == 60
    assert await balance(anna, later + timedelta(days=31)) == 0


async def test_returns_together_never_exceed_what_was_taken(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 100, at)], at)
    (redeemed,) = await post([redeem(anna, 60, at)], at)
    assert isinstance(redeemed, Posted)
    first, second, third = await post(
        [reverse(redeemed.posting, at, partner_no=FUEL, points=40)] * 2
        + [reverse(redeemed.posting, at, partner_no=FUEL)],
        at,
    )
    assert isinstance(first, Posted)
    assert isinstance(second, ReversalExceedsOriginal)
    assert second.facts == {"limit": 60, "remaining": 20}
    assert isinstance(third, Posted)
    assert await balance(anna, at) == 100


async def test_an_issue_whose_points_are_spent_is_not_reversed(at: datetime) -> None:
    anna = await open_holder(at)
    (issued,) = await post([issue(anna, 100, at)], at)
    assert isinstance(issued, Posted)
    await post([redeem(anna, 30, at)], at)
    whole, part = await post(
        [
            reverse(issued.posting, at, partner_no=GROCER),
            reverse(issued.posting, at, partner_no=GROCER, points=70),
        ],
        at,
    )
    assert isinstance(whole, PointsAlreadySpent)
    assert isinstance(part, Posted)
    assert await balance(anna, at) == 0


async def test_a_receipt_earns_once_and_pays_once(at: datetime) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    first, again, other_member, paid = await post(
        [
            issue(anna, 10, at, receipt="r1"),
            issue(anna, 10, at, receipt="r1"),
            issue(bo, 10, at, receipt="r1"),
            redeem(anna, 5, at, partner_no=GROCER, receipt="r1"),
        ],
        at,
    )
    assert isinstance(first, Posted)
    assert isinstance(again, DuplicateReceipt)
    assert isinstance(other_member, DuplicateReceipt)
    assert isinstance(paid, Posted)
    (later,) = await post([issue(anna, 10, at, receipt="r1")], at)
    assert isinstance(later, DuplicateReceipt)


async def test_a_refused_redemption_gives_its_receipt_back(at: datetime) -> None:
    anna = await open_holder(at)
    (refused,) = await post([redeem(anna, 5, at, receipt="r1")], at)
    assert isinstance(refused, NotEnoughPoints)
    await post([issue(anna, 10, at)], at)
    (posted,) = await post([redeem(anna, 5, at, receipt="r1")], at)
    assert isinstance(posted, Posted)


async def test_lines_that_do_not_all_fit_are_taken_in_order_of_arrival(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 100, at)], at)
    outcomes = await post([redeem(anna, points, at) for points in (60, 50, 40)], at)
    assert [type(outcome) for outcome in outcomes] == [Posted, NotEnoughPoints, Posted]
