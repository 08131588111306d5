"""Redemptions and holds that several members pay for together."""

from datetime import datetime, timedelta

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import shares
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Adjust, Draft, Grant, Held, Issue, Posted, Redeem, Share
from coalition.ledger.refusals import NeedsPlan, NotEnoughPoints
from coalition.ledger.selecting import LotFilter, Sources, SpendOrder
from tests.ledger.pool_world import (
    balances,
    capture,
    done,
    held,
    is_proved,
    kept,
    let_go,
    member,
    members,
    put,
    reserve,
    spend,
    void,
)
from tests.ledger.transfer_world import lots_of, transfer
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


async def test_a_proportional_redemption_takes_of_each_by_largest_remainder(at: datetime) -> None:
    family = await members(at, 12_345, 8_001, 333, 20)
    spender, *others = family

    made = await done(spend(spender, 10_000, at, others, order=SpendOrder.PROPORTIONAL), at)

    assert made.points == 10_000
    assert await balances(family, at) == [12_345 - 5_964, 8_001 - 3_865, 333 - 161, 20 - 10]
    assert [share.points for share in made.shares] == [3_865, 161, 10]
    assert await is_proved()


async def test_own_points_go_first_and_only_what_lacks_is_drawn(at: datetime) -> None:
    family = await members(at, 100, 60, 40)
    spender, *others = family

    first = await done(spend(spender, 80, at, others), at)
    second = await done(spend(spender, 70, at, others), at)

    assert first.shares == ()
    assert second.shares == (Share(others[0], 30), Share(others[1], 20))
    assert await balances(family, at) == [0, 30, 20]
    assert await is_proved()


async def test_points_of_one_owner_alone_may_pay(at: datetime) -> None:
    spender, head = await members(at, 50, 100)

    await done(spend(spender, 60, at, [head], own=False), at)

    assert await balances([spender, head], at) == [50, 40]


async def test_what_ends_first_pays_first_whoever_has_it(at: datetime) -> None:
    soon, late = (at + timedelta(days=10)).date(), (at + timedelta(days=90)).date()
    spender = await member(at, 100, expires_on=late)
    other = await member(at, 30, expires_on=soon)

    made = await done(spend(spender, 50, at, [other], order=SpendOrder.EARLIEST_EXPIRY), at)

    assert made.shares == (Share(other, 30),)
    assert await balances([spender, other], at) == [80, 0]


async def test_what_was_earned_first_pays_first_whoever_has_it(at: datetime) -> None:
    spender, other = await members(at, 0, 0)
    old = provenance(earned_month=202601, expires_on=None)
    new = provenance(earned_month=202610, expires_on=(at + timedelta(days=5)).date())
    await post([Issue(spender, till(GROCER, at), (Grant(new, 40),))], at)
    await post([Issue(other, till(GROCER, at), (Grant(old, 40),))], at)

    made = await done(spend(spender, 50, at, [other], order=SpendOrder.OLDEST_EARNED), at)

    assert made.shares == (Share(other, 40),)
    assert await balances([spender, other], at) == [30, 0]


async def test_what_protected_members_have_pays_last(at: datetime) -> None:
    spender, other = await members(at, 50, 0)
    soon = (at + timedelta(days=3)).date()
    await post([issue(other, 20, at, expires_on=soon)], at)
    by_date, protected = SpendOrder.EARLIEST_EXPIRY, frozenset({other})

    await done(spend(spender, 10, at, [other], order=by_date, protected=protected), at)
    assert await balances([spender, other], at) == [40, 20]
    await done(spend(spender, 45, at, [other], order=by_date, protected=protected), at)
    assert await balances([spender, other], at) == [0, 15]


@pytest.mark.parametrize("order", [SpendOrder.EARLIEST_EXPIRY, SpendOrder.PROPORTIONAL])
async def test_what_protected_members_brought_into_a_pool_pays_last(
    at: datetime, order: SpendOrder
) -> None:
    spender, anna, bo, pool = await members(at, 0, 0, 30, 0)
    soon = (at + timedelta(days=3)).date()
    await post([issue(anna, 30, at, expires_on=soon)], at)
    await post([transfer(one, pool, 30, at, contributor=one) for one in (anna, bo)], at)
    protected = frozenset({anna})

    await done(spend(spender, 40, at, [pool], order=order, protected=protected), at)

    left = {row["contributor"]: row["points"] for row in await lots_of(pool)}
    assert left == {anna: 20}
    assert await is_proved()


async def test_only_lots_that_count_are_drawn(at: datetime) -> None:
    spender, other = await members(at, 10, 0)
    await post([issue(other, 50, at), issue(other, 70, at, partner_no=FUEL)], at)
    wanted = LotFilter(issuer_nos=frozenset({GROCER}))

    [refused] = await post([spend(spender, 61, at, [other], lots=wanted)], at)
    made = await done(spend(spender, 60, at, [other], lots=wanted), at)

    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts == {"points": 61, "balance": 60}
    assert made.shares == (Share(other, 50),)
    assert await balance(other, at) == 70


async def test_a_pool_says_what_all_can_spend_together(at: datetime) -> None:
    spender, other = await members(at, 10, 20)

    [refused] = await post([spend(spender, 31, at, [other])], at)

    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts == {"points": 31, "balance": 30}
    assert await balances([spender, other], at) == [10, 20]
    assert await is_proved()


@pytest.mark.parametrize("state", [HolderState.FROZEN, HolderState.CLOSED])
async def test_who_is_frozen_or_closed_is_left_out(at: datetime, state: HolderState) -> None:
    spender, other, third = await members(at, 10, 20, 30)
    await put(other, state)

    [refused] = await post([spend(spender, 41, at, [other, third])], at)
    made = await done(spend(spender, 40, at, [other, third]), at)

    assert isinstance(refused, NotEnoughPoints)
    assert made.shares == (Share(third, 30),)


async def test_acts_of_one_batch_see_what_those_before_them_took(at: datetime) -> None:
    one, other, third = await members(at, 10, 20, 30)

    outcomes = await post(
        [
            spend(one, 40, at, [other, third]),
            spend(other, 15, at, [one, third]),
            redeem(third, 5, at),
            spend(third, 6, at, [one, other]),
        ],
        at,
    )

    assert [type(outcome) for outcome in outcomes] == [Posted, Posted, Posted, NotEnoughPoints]
    assert sum(await balances([one, other, third], at)) == 0
    assert await is_proved()


async def test_points_keep_whose_they_were(at: datetime) -> None:
    spender, pool, third = await members(at, 0, 0, 0)
    brought = provenance()._replace(contributor=third)
    his_own = provenance()._replace(contributor=spender)
    await post(
        [
            Issue(pool, till(GROCER, at), (Grant(brought, 20), Grant(his_own, 30))),
        ],
        at,
    )

    made = await done(spend(spender, 50, at, [pool]), at)

    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT contributor, points_out FROM lot WHERE holder = $1 ORDER BY points_out", spender
        )
    assert [(row[0], row[1]) for row in rows] == [(third, 20), (spender, 30)]
    assert {one.points for one in await kept(made.posting)} == {20, 30}
    await done(reverse(made.posting, at, partner_no=FUEL), at)
    assert await balances([spender, pool], at) == [0, 50]
    assert await is_proved()


async def test_a_return_goes_back_to_who_gave(at: datetime) -> None:
    family = await members(at, 100, 60, 40)
    spender, *others = family
    made = await done(spend(spender, 150, at, others), at)

    part = await done(reverse(made.posting, at, partner_no=FUEL, points=30), at)
    rest = await done(reverse(made.posting, at, partner_no=FUEL), at)

    assert part.points == 30
    assert sum(share.points for share in part.shares) == 30
    assert rest.points == 120
    assert await balances(family, at) == [100, 60, 40]
    assert {(one.points - one.returned) for one in await kept(made.posting)} == {0}
    assert await is_proved()


async def test_a_proportional_return_goes_back_to_all(at: datetime) -> None:
    family = await members(at, 100, 60, 40)
    spender, *others = family
    made = await done(spend(spender, 200, at, others), at)

    await done(reverse(made.posting, at, partner_no=FUEL, points=100, order="proportional"), at)

    assert await balances(family, at) == [50, 30, 20]
    assert await is_proved()


async def test_own_points_and_those_brought_to_a_pool_are_told_apart_in_one_lot(
    at: datetime,
) -> None:
    spender, pool = await members(at, 40, 0)
    brought = provenance()._replace(contributor=spender)
    await post([Issue(pool, till(GROCER, at), (Grant(brought, 60),))], at)
    made = await done(spend(spender, 100, at, [pool]), at)

    await done(reverse(made.posting, at, partner_no=FUEL, points=10, order="proportional"), at)
    assert await balances([spender, pool], at) == [4, 6]
    await done(reverse(made.posting, at, partner_no=FUEL, points=60), at)
    assert await balances([spender, pool], at) == [10, 60]
    await done(reverse(made.posting, at, partner_no=FUEL), at)
    assert await balances([spender, pool], at) == [40, 60]
    assert await is_proved()


async def test_what_ended_at_its_owner_comes_back_with_days_of_grace(at: datetime) -> None:
    last = (at + timedelta(days=1)).date()
    spender = await member(at, 10, expires_on=last)
    other = await member(at, 20, expires_on=last)
    made = await done(spend(spender, 25, at, [other]), at)
    later = at + timedelta(days=3)

    await done(reverse(made.posting, later, partner_no=FUEL), later)

    assert await balances([spender, other], later) == [10, 15]
    assert await balances([spender, other], later + timedelta(days=31)) == [0, 0]
    assert await is_proved()


async def test_what_came_from_a_closed_member_stays_with_who_spent_it(at: datetime) -> None:
    spender, other = await members(at, 10, 20)
    made = await done(spend(spender, 30, at, [other]), at)
    await put(other, HolderState.CLOSED)

    back = await done(reverse(made.posting, at, partner_no=FUEL), at)

    assert back.shares == ()
    assert await balances([spender, other], at) == [30, 0]
    assert await is_proved()


async def test_a_void_gives_held_points_back_to_who_gave(at: datetime) -> None:
    spender, other = await members(at, 10, 20)
    hold = await held(reserve(spender, 25, at, [other]), at)
    assert hold.shares == (Share(other, 15),)
    assert await balances([spender, other], at) == [0, 5]
    assert await is_proved()

    [released] = await post([void(hold)], at)

    assert isinstance(released, Held)
    assert released.shares == (Share(other, 15),)
    assert await balances([spender, other], at) == [10, 20]
    assert await is_proved()


async def test_a_hold_that_expires_gives_points_back(at: datetime) -> None:
    spender, other = await members(at, 10, 20)
    await held(reserve(spender, 25, at, [other]), at)
    later = at + timedelta(hours=2)

    assert await let_go(later) == 1

    assert await balances([spender, other], later) == [10, 20]
    assert await is_proved()


async def test_what_a_capture_leaves_goes_back_and_the_rest_by_a_return(at: datetime) -> None:
    spender, other, third = await members(at, 10, 20, 20)
    hold = await held(reserve(spender, 40, at, [other, third]), at)
    assert await balances([spender, other, third], at) == [0, 5, 5]

    taken = await done(capture(hold, 25), at)
    assert sum(share.points for share in taken.shares) == 15
    assert sum(await balances([spender, other, third], at)) == 25
    assert await is_proved()

    await done(reverse(taken.posting, at, partner_no=FUEL), at)
    assert await balances([spender, other, third], at) == [10, 20, 20]
    assert await is_proved()


async def test_a_holder_who_shares_is_not_served_before_it_was_asked_with_whom(
    at: datetime,
) -> None:
    spender, other = await members(at, 10, 20)
    async with transaction() as connection:
        await shares.mark(connection, {spender: True})
    hold = reserve(spender, 5, at, [])
    unplanned: list[Draft] = [
        redeem(spender, 5, at, receipt="r1"),
        issue(spender, 5, at, receipt="r2"),
        redeem(other, 5, at),
    ]

    first, second, third = await post(unplanned, at)
    again = await post(
        [
            Redeem(spender, till(FUEL, at, "r1"), 1, 5, Sources()),
            Issue(spender, till(GROCER, at, "r2"), (Grant(provenance(), 5),), onward=()),
            hold,
            Adjust(spender, till(0, at), 1, 5, "by staff"),
        ],
        at,
    )

    assert isinstance(first, NeedsPlan)
    assert isinstance(second, NeedsPlan)
    assert first.member == spender
    assert isinstance(third, Posted)
    assert [type(one) for one in again] == [Posted, Posted, Held, Posted]
    assert await is_proved()
