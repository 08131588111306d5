"""Shares of what is earned that go on to another at once, and come back when it is reversed."""

from datetime import datetime, timedelta

import pytest
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Grant, Issue, Posted, Share
from coalition.ledger.refusals import PointsAlreadySpent
from coalition.ledger.selecting import LotFilter, NewEnd, Onward
from tests.ledger.pool_world import balances, done, is_proved, kept, members, put, share_of
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    post,
    provenance,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")


async def test_the_share_of_an_issue_goes_on_rounded_down(at: datetime) -> None:
    earner, head = await members(at, 0, 0)

    made = await done(share_of(earner, 33, at, head, 50), at)

    assert made.points == 33
    assert made.shares == (Share(head, 16),)
    assert await balances([earner, head], at) == [17, 16]
    async with transaction() as connection:
        brought_by = await connection.fetchval("SELECT contributor FROM lot WHERE holder=$1", head)
    assert brought_by == earner
    assert await is_proved()


async def test_a_share_of_nothing_makes_no_transfer(at: datetime) -> None:
    earner, head = await members(at, 0, 0)

    made = await done(share_of(earner, 1, at, head, 50), at)

    assert made.shares == ()
    assert await kept(made.posting) == []


async def test_a_share_is_spread_over_the_lots_of_an_issue(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    funded = provenance()._replace(funder_no=FUEL)
    grants = (Grant(provenance(), 10), Grant(funded, 20))
    onward = (Onward(receiver=head, percent=50),)

    made = await done(Issue(earner, till(GROCER, at), grants, onward=onward), at)

    assert sorted(one.points for one in await kept(made.posting)) == [5, 10]
    assert await is_proved()


async def test_only_points_that_count_go_on_to_several(at: datetime) -> None:
    earner, head, other = await members(at, 0, 0, 0)
    funded = provenance()._replace(class_no=3)
    grants = (Grant(provenance(), 10), Grant(funded, 20))
    onward = (
        Onward(receiver=head, percent=50, lots=LotFilter(class_nos=frozenset({3}))),
        Onward(receiver=other, percent=10),
    )

    made = await done(Issue(earner, till(GROCER, at), grants, onward=onward), at)

    assert made.shares == (Share(head, 10), Share(other, 3))
    assert await balances([earner, head, other], at) == [17, 10, 3]
    assert await is_proved()


async def test_points_end_where_they_go_as_they_are_told(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    soon = (at + timedelta(days=3)).date()
    endings = {GROCER * 10: NewEnd(soon)}

    await done(share_of(earner, 10, at, head, 50, endings=endings, classes={0: 4}), at)

    later = at + timedelta(days=4)
    assert await balances([earner, head], later) == [5, 0]
    assert await is_proved()


async def test_points_that_would_arrive_ended_stay(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    endings = {GROCER * 10: NewEnd((at - timedelta(days=1)).date())}

    made = await done(share_of(earner, 10, at, head, 50, endings=endings), at)

    assert made.shares == ()
    assert await balances([earner, head], at) == [10, 0]


@pytest.mark.parametrize("state", [HolderState.FROZEN, HolderState.CLOSED])
async def test_the_share_of_who_is_not_active_stays(at: datetime, state: HolderState) -> None:
    earner, head = await members(at, 0, 0)
    await put(head, state)

    made = await done(share_of(earner, 10, at, head, 50), at)

    assert made.shares == ()
    assert await balance(earner, at) == 10


async def test_a_reversal_takes_of_both(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    made = await done(share_of(earner, 100, at, head, 30), at)

    part = await done(reverse(made.posting, at, partner_no=GROCER, points=50), at)
    assert part.shares == (Share(head, 15),)
    assert await balances([earner, head], at) == [35, 15]
    await done(reverse(made.posting, at, partner_no=GROCER), at)
    assert await balances([earner, head], at) == [0, 0]
    assert await is_proved()


async def test_the_other_bears_what_the_earner_has_spent(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    made = await done(share_of(earner, 100, at, head, 50), at)
    await done(redeem(earner, 40, at), at)

    [refused] = await post([reverse(made.posting, at, partner_no=GROCER)], at)
    back = await done(reverse(made.posting, at, partner_no=GROCER, points=60), at)

    assert isinstance(refused, PointsAlreadySpent)
    assert refused.facts == {"points": 100, "remaining": 60}
    assert back.shares == (Share(head, 50),)
    assert await balances([earner, head], at) == [0, 0]
    assert await is_proved()


async def test_what_the_other_has_spent_is_owed_by_the_earner(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    made = await done(share_of(earner, 100, at, head, 50), at)
    await done(redeem(head, 45, at), at)
    wanted = structs.replace(reverse(made.posting, at, partner_no=GROCER), debts={10: 100})

    back = await done(wanted, at)

    assert (back.points, back.debt) == (55, 45)
    assert await balances([earner, head], at) == [0, 0]
    assert await is_proved()


async def test_debts_are_paid_before_a_share_goes_on(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    first = await done(issue(earner, 30, at), at)
    await done(redeem(earner, 30, at), at)
    wanted = structs.replace(reverse(first.posting, at, partner_no=GROCER), debts={10: 100})
    await post([wanted], at)

    made = await done(share_of(earner, 100, at, head, 50), at)

    assert sum(one.points for one in made.recovered) == 30
    assert made.shares == (Share(head, 35),)
    assert await balances([earner, head], at) == [35, 35]
    assert await is_proved()


async def test_what_a_closed_member_has_of_an_issue_counts_as_spent(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    made = await done(share_of(earner, 100, at, head, 50), at)
    await put(head, HolderState.CLOSED)

    back = await done(reverse(made.posting, at, partner_no=GROCER, points=50), at)

    assert isinstance(back, Posted)
    assert back.shares == ()
    assert await balance(earner, at) == 0
