"""Reversals and returns: through the legs, never more than the original, whatever day it is."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import random_id
from coalition.ledger import audit, expiry, holders, upkeep
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Grant, Hold, Issue, Outcome, Posted, Reverse
from coalition.ledger.refusals import (
    HolderNotActive,
    NotReversible,
    PointsAlreadySpent,
    ReversalExceedsOriginal,
    UnknownPosting,
)
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    provenance,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


def posted(outcome: Outcome) -> UUID:
    assert isinstance(outcome, Posted), outcome
    return outcome.posting


async def refusal_of(draft: Reverse, at: datetime) -> Refused:
    (outcome,) = await post([draft], at)
    assert isinstance(outcome, Refused)
    return outcome


async def legs_of(posting: UUID) -> list[tuple[int, bool]]:
    """Return the legs of a posting in order: points, and whether they replace another lot."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT points, origin_lot IS NOT NULL FROM leg WHERE posting = $1 ORDER BY no", posting
        )
    return [(row[0], row[1]) for row in rows]


async def test_a_posting_that_is_not_there_or_not_yours_is_not_found(at: datetime) -> None:
    anna = await open_holder(at)
    issued, *_ = [posted(outcome) for outcome in await post([issue(anna, 10, at)], at)]
    for draft in (
        reverse(random_id(), at, partner_no=GROCER),
        reverse(issued, at, partner_no=FUEL),
    ):
        assert isinstance(await refusal_of(draft, at), UnknownPosting)


async def test_a_reversal_and_an_expiry_are_not_reversible(at: datetime) -> None:
    anna = await open_holder(at)
    outcomes = await post([issue(anna, 10, at), issue(anna, 5, at, expires_on=at.date())], at)
    taken_back = posted((await post([reverse(posted(outcomes[0]), at, partner_no=GROCER)], at))[0])
    tomorrow = at + DAY
    assert await expiry.expire(tomorrow, tomorrow.date()) == 5
    async with transaction() as connection:
        expired = await connection.fetchval("SELECT id FROM posting WHERE kind = 4")
    for posting in (taken_back, expired):
        again = reverse(posting, tomorrow, partner_no=GROCER)
        assert isinstance(await refusal_of(again, tomorrow), NotReversible)


async def test_points_of_a_frozen_member_do_not_go_back(at: datetime) -> None:
    anna = await open_holder(at)
    issued = posted((await post([issue(anna, 10, at)], at))[0])
    async with transaction() as connection:
        await holders.set_state(connection, anna, HolderState.FROZEN)
    refused = await refusal_of(reverse(issued, at, partner_no=GROCER), at)
    assert isinstance(refused, HolderNotActive)


async def test_a_posting_that_is_reversed_whole_has_nothing_left_to_reverse(at: datetime) -> None:
    anna = await open_holder(at)
    issued = posted((await post([issue(anna, 10, at)], at))[0])
    posted((await post([reverse(issued, at, partner_no=GROCER)], at))[0])
    refused = await refusal_of(reverse(issued, at, partner_no=GROCER), at)
    assert isinstance(refused, ReversalExceedsOriginal)
    assert refused.facts == {"limit": 10, "remaining": 0}


async def test_held_points_cannot_be_taken_back(at: datetime) -> None:
    anna = await open_holder(at)
    issued = posted((await post([issue(anna, 10, at)], at))[0])
    await post([Hold(anna, till(FUEL, at, "h1"), 1, 4, at + DAY)], at)
    refused = await refusal_of(reverse(issued, at, partner_no=GROCER), at)
    assert isinstance(refused, PointsAlreadySpent)
    assert refused.facts == {"points": 10, "remaining": 6}


async def test_expired_points_cannot_be_taken_back_whether_or_not_the_night_came(
    at: datetime,
) -> None:
    anna = await open_holder(at)
    issued = posted((await post([issue(anna, 10, at, expires_on=at.date())], at))[0])
    tomorrow = at + DAY
    before = await refusal_of(reverse(issued, tomorrow, partner_no=GROCER), tomorrow)
    assert await expiry.expire(tomorrow, tomorrow.date()) == 10
    after = await refusal_of(reverse(issued, tomorrow, partner_no=GROCER), tomorrow)
    assert isinstance(before, PointsAlreadySpent)
    assert isinstance(after, PointsAlreadySpent)
    assert before.facts == after.facts == {"points": 10, "remaining": 0}


async def test_an_issue_of_several_grants_is_taken_back_from_the_last_leg(at: datetime) -> None:
    anna = await open_holder(at)
    soon = (at + 5 * DAY).date()
    grants = (
        Grant(provenance(GROCER), 10),
        Grant(provenance(GROCER, expires_on=soon), 20),
        Grant(provenance(GROCER), 5),
    )
    issued = posted((await post([Issue(anna, till(GROCER, at), grants)], at))[0])
    assert await legs_of(issued) == [(15, False), (20, False)], "equal grants are one leg"
    back = posted((await post([reverse(issued, at, partner_no=GROCER, points=27)], at))[0])
    assert await legs_of(back) == [(20, False), (7, False)]
    later = at + 6 * DAY
    assert await balance(anna, later) == 8
    posted((await post([reverse(issued, later, partner_no=GROCER)], later))[0])
    assert (await audit.run()).breaches == []


async def test_a_batch_returns_points_before_a_later_draft_takes_their_issue_back(
    at: datetime,
) -> None:
    anna = await open_holder(at)
    issued, spent = [
        posted(outcome) for outcome in await post([issue(anna, 50, at), redeem(anna, 50, at)], at)
    ]
    too_early, returned, taken_back = await post(
        [
            reverse(issued, at, partner_no=GROCER),
            reverse(spent, at, partner_no=FUEL),
            reverse(issued, at, partner_no=GROCER),
        ],
        at,
    )
    assert isinstance(too_early, PointsAlreadySpent)
    assert isinstance(returned, Posted)
    assert isinstance(taken_back, Posted)
    assert await balance(anna, at) == 0
    assert (await audit.run()).breaches == []


async def test_two_returns_and_a_reversal_in_one_batch_keep_their_order(at: datetime) -> None:
    anna = await open_holder(at)
    issued, spent = [
        posted(outcome) for outcome in await post([issue(anna, 50, at), redeem(anna, 50, at)], at)
    ]
    await upkeep.sweep()
    outcomes = await post(
        [
            reverse(spent, at, partner_no=FUEL, points=20),
            reverse(spent, at, partner_no=FUEL, points=30),
            reverse(issued, at, partner_no=GROCER, points=50),
        ],
        at,
    )
    assert [type(outcome) for outcome in outcomes] == [Posted] * 3
    assert (await audit.run()).breaches == []


async def test_a_proportional_return_shares_by_largest_remainder(at: datetime) -> None:
    anna = await open_holder(at)
    soon, later = at.date(), (at + 9 * DAY).date()
    await post([issue(anna, 30, at, expires_on=soon), issue(anna, 60, at, expires_on=later)], at)
    spent = posted((await post([redeem(anna, 70, at)], at))[0])
    draft = reverse(spent, at, partner_no=FUEL, points=10, order="proportional")
    assert await legs_of(posted((await post([draft], at))[0])) == [(4, False), (6, False)]
    draft = reverse(spent, at, partner_no=FUEL, order="proportional")
    assert await legs_of(posted((await post([draft], at))[0])) == [(26, False), (34, False)]


async def test_partial_returns_to_an_expired_lot_meet_in_the_lot_that_replaces_it(
    at: datetime,
) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 60, at, expires_on=at.date())], at)
    spent = posted((await post([redeem(anna, 60, at)], at))[0])
    later = at + 5 * DAY
    await expiry.expire(later, later.date())
    await upkeep.sweep()
    for points in (10, 20):
        (returned,) = await post([reverse(spent, later, partner_no=FUEL, points=points)], later)
        assert await legs_of(posted(returned)) == [(points, True)]
    async with transaction() as connection:
        lots = await connection.fetch("SELECT points_in, expires_on FROM lot")
    assert [tuple(lot) for lot in lots] == [(30, (later + 30 * DAY).date())]
    # A day later the grace ends a day later: another lot.
    next_day = later + DAY
    posted((await post([reverse(spent, next_day, partner_no=FUEL)], next_day))[0])
    assert await balance(anna, next_day) == 60
    assert await balance(anna, later + 31 * DAY) == 30
    assert (await audit.run()).breaches == []


async def test_two_expired_lots_may_be_replaced_by_one(at: datetime) -> None:
    anna = await open_holder(at)
    tomorrow = at + DAY
    drafts = [
        issue(anna, 10, at, expires_on=at.date()),
        issue(anna, 20, at, expires_on=tomorrow.date()),
    ]
    await post(drafts, at)
    spent = posted((await post([redeem(anna, 30, at)], at))[0])
    later = at + 5 * DAY
    returned = posted((await post([reverse(spent, later, partner_no=FUEL)], later))[0])
    assert await legs_of(returned) == [(20, True), (10, True)]
    assert await balance(anna, later) == 30
    assert (await audit.run()).breaches == []


async def test_a_replacing_lot_can_be_spent_returned_and_replaced_again(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at, expires_on=at.date())], at)
    spent = posted((await post([redeem(anna, 10, at)], at))[0])
    later = at + 5 * DAY
    await post([reverse(spent, later, partner_no=FUEL)], later)
    spent_again = posted((await post([redeem(anna, 10, later)], later))[0])
    much_later = later + 40 * DAY
    returned = posted(
        (await post([reverse(spent_again, much_later, partner_no=FUEL)], much_later))[0]
    )
    assert await legs_of(returned) == [(10, True)]
    assert await balance(anna, much_later) == 10
    assert (await audit.run()).breaches == []


async def test_the_issuer_cannot_take_back_what_came_back_to_a_replacing_lot(at: datetime) -> None:
    anna = await open_holder(at)
    issued = posted((await post([issue(anna, 10, at, expires_on=at.date())], at))[0])
    spent = posted((await post([redeem(anna, 10, at)], at))[0])
    later = at + 5 * DAY
    await post([reverse(spent, later, partner_no=FUEL)], later)
    refused = await refusal_of(reverse(issued, later, partner_no=GROCER), later)
    assert isinstance(refused, PointsAlreadySpent)
    assert await balance(anna, later) == 10


async def test_a_lot_that_was_swept_grows_again_under_its_own_id(at: datetime) -> None:
    anna = await open_holder(at)
    issued, spent = [
        posted(outcome) for outcome in await post([issue(anna, 50, at), redeem(anna, 50, at)], at)
    ]
    assert await upkeep.sweep() == 1
    posted((await post([reverse(spent, at, partner_no=FUEL, points=20)], at))[0])
    posted((await post([reverse(issued, at, partner_no=GROCER, points=20)], at))[0])
    assert await upkeep.sweep() == 1
    posted((await post([reverse(spent, at, partner_no=FUEL)], at))[0])
    assert await balance(anna, at) == 30
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(DISTINCT id) FROM every_lot") == 1
    assert (await audit.run()).breaches == []


async def test_two_issues_in_one_lot_are_taken_back_as_far_as_it_goes(at: datetime) -> None:
    anna = await open_holder(at)
    first, second, _ = await post(
        [issue(anna, 50, at), issue(anna, 50, at), redeem(anna, 30, at)], at
    )
    outcomes = await post(
        [
            reverse(posted(first), at, partner_no=GROCER),
            reverse(posted(second), at, partner_no=GROCER),
            reverse(posted(second), at, partner_no=GROCER, points=20),
        ],
        at,
    )
    assert [type(outcome) for outcome in outcomes] == [Posted, PointsAlreadySpent, Posted]
    assert isinstance(outcomes[1], PointsAlreadySpent)
    assert outcomes[1].facts == {"points": 50, "remaining": 20}
    assert await balance(anna, at) == 0
    assert (await audit.run()).breaches == []
