"""Passages: what passed between members finds its way back, also when one of them has changed."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit, merging, posting
from coalition.ledger.accounts import HolderState
from coalition.ledger.clocks import Clock, register, registered
from coalition.ledger.drafts import Draft, Grant, Issue, Posted, Share
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.selecting import NewEnd, Onward
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
    share_of,
    spend,
    void,
)
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    post,
    provenance,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")


async def merge(gone: UUID, into: UUID, at: datetime) -> None:
    async with transaction() as connection:
        await merging.merge(connection, from_holder=gone, into_holder=into, at=at, today=at.date())


async def test_what_came_from_a_merged_member_goes_back_to_the_survivor(at: datetime) -> None:
    spender, other, survivor = await members(at, 10, 20, 5)
    made = await done(spend(spender, 25, at, [other]), at)
    await merge(other, survivor, at)

    back = await done(reverse(made.posting, at, partner_no=FUEL), at)

    assert back.shares == (Share(survivor, 15),)
    assert await balances([spender, other, survivor], at) == [10, 0, 25]
    assert await is_proved()


async def test_points_of_a_survivor_are_its_own_when_they_come_back(at: datetime) -> None:
    spender, pool, survivor, gone = await members(at, 0, 0, 0, 0)
    brought = provenance()._replace(contributor=survivor)
    await post([Issue(gone, till(GROCER, at), (Grant(brought, 30),))], at)
    made = await done(spend(spender, 30, at, [gone]), at)
    await merge(gone, survivor, at)

    await done(reverse(made.posting, at, partner_no=FUEL), at)

    async with transaction() as connection:
        [whose] = await connection.fetch(
            "SELECT contributor FROM lot WHERE holder = $1 AND points_in > points_out", survivor
        )
    assert whose[0] == survivor
    assert await balances([spender, pool, survivor], at) == [0, 0, 30]
    assert await is_proved()


async def test_who_spent_was_merged_and_both_get_theirs(at: datetime) -> None:
    spender, other, survivor = await members(at, 10, 20, 5)
    made = await done(spend(spender, 25, at, [other]), at)
    await merge(spender, survivor, at)

    await done(reverse(made.posting, at, partner_no=FUEL, points=15), at)
    assert await balances([spender, other, survivor], at) == [0, 20, 5]
    await done(reverse(made.posting, at, partner_no=FUEL), at)

    assert await balances([spender, other, survivor], at) == [0, 20, 15]
    assert await is_proved()


async def test_of_who_gave_everything_nothing_goes_on_to_the_survivor(at: datetime) -> None:
    spender, other, survivor = await members(at, 0, 20, 5)
    made = await done(spend(spender, 20, at, [other]), at)
    await merge(spender, survivor, at)

    await done(reverse(made.posting, at, partner_no=FUEL), at)

    assert await balances([spender, other, survivor], at) == [0, 20, 5]
    assert await is_proved()


async def test_a_hold_is_let_go_to_the_survivor_of_who_gave(at: datetime) -> None:
    spender, other, survivor = await members(at, 10, 20, 5)
    hold = await held(reserve(spender, 25, at, [other]), at)
    await merge(other, survivor, at)

    await post([void(hold)], at)

    assert await balances([spender, other, survivor], at) == [10, 0, 25]
    assert await is_proved()


async def test_a_hold_stays_with_its_holder_where_who_gave_is_closed(at: datetime) -> None:
    spender, other = await members(at, 10, 20)
    hold = await held(reserve(spender, 25, at, [other]), at)
    await put(other, HolderState.CLOSED)

    await post([void(hold)], at)

    assert await balances([spender, other], at) == [25, 5]
    assert await is_proved()


async def test_a_hold_of_own_points_needs_no_way_back(at: datetime) -> None:
    spender, other = await members(at, 10, 20)
    first = await held(reserve(spender, 10, at, [other]), at)
    await held(reserve(spender, 5, at, [other], "h2"), at)

    taken = await done(capture(first), at)
    later = at + timedelta(hours=2)
    assert await let_go(later) == 1

    assert taken.shares == ()
    assert await balances([spender, other], later) == [0, 20]
    assert await is_proved()


async def test_a_share_comes_back_from_the_survivor_of_who_got_it(at: datetime) -> None:
    earner, head, survivor = await members(at, 0, 0, 7)
    made = await done(share_of(earner, 100, at, head, 50), at)
    await merge(head, survivor, at)

    back = await done(reverse(made.posting, at, partner_no=GROCER), at)

    assert back.shares == (Share(survivor, 50),)
    assert await balances([earner, head, survivor], at) == [0, 0, 7]
    assert await is_proved()


async def test_what_a_merged_earner_got_comes_back_from_both(at: datetime) -> None:
    earner, head, survivor = await members(at, 0, 0, 7)
    made = await done(share_of(earner, 100, at, head, 50), at)
    await merge(earner, survivor, at)

    await done(reverse(made.posting, at, partner_no=GROCER), at)

    assert await balances([earner, head, survivor], at) == [0, 0, 7]
    assert await is_proved()


async def test_a_whole_share_comes_back_from_the_other_alone(at: datetime) -> None:
    earner, head, survivor = await members(at, 0, 0, 7)
    made = await done(share_of(earner, 100, at, head, 100), at)
    await merge(earner, survivor, at)

    back = await done(reverse(made.posting, at, partner_no=GROCER, points=40), at)

    assert back.shares == (Share(head, 40),)
    assert await balances([earner, head, survivor], at) == [0, 60, 7]
    assert await is_proved()


async def test_an_issue_in_two_lots_of_which_one_went_on_is_reversed(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    dear = provenance()._replace(class_no=2)
    grants = (Grant(provenance(), 10), Grant(dear, 1))
    onward = (Onward(receiver=head, percent=50),)
    made = await done(Issue(earner, till(GROCER, at), grants, onward=onward), at)

    await done(reverse(made.posting, at, partner_no=GROCER, points=1), at)
    await done(reverse(made.posting, at, partner_no=GROCER), at)

    assert await balances([earner, head], at) == [0, 0]
    assert await is_proved()


async def test_a_clock_begins_where_a_share_goes(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    async with transaction() as connection:
        no = await register(connection, months=6)
        clocks = await registered(connection)
    under = provenance()._replace(clock_no=no)
    onward = (Onward(receiver=head, percent=50),)
    draft = Issue(earner, till(GROCER, at), (Grant(under, 10),), onward=onward)

    await _post_under(clocks, draft, at)

    async with transaction() as connection:
        found = await connection.fetch("SELECT holder, live_until FROM holder_clock")
    assert {row[0]: row[1] for row in found} == dict.fromkeys((earner, head), date(2027, 5, 21))
    await _post_under(clocks, spend(head, 7, at, [earner]), at)
    assert await balances([earner, head], at) == [3, 0]


async def test_a_share_may_be_under_a_clock_of_its_own(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    async with transaction() as connection:
        no = await register(connection, months=3)
        clocks = await registered(connection)
    endings = {provenance().contract_no: NewEnd(None, no)}
    onward = (Onward(receiver=head, percent=50, endings=endings),)
    draft = Issue(earner, till(GROCER, at), (Grant(provenance(), 10),), onward=onward)

    await _post_under(clocks, draft, at)

    async with transaction() as connection:
        found = await connection.fetch("SELECT holder, live_until FROM holder_clock")
    assert {row[0]: row[1] for row in found} == {head: date(2027, 2, 21)}
    later = at + timedelta(days=200)
    assert await balances([earner, head], later) == [5, 0]


async def _post_under(clocks: tuple[Clock, ...], draft: Draft, at: datetime) -> None:
    await ensure_partition(at)
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        _, [outcome] = await posting.post(
            connection,
            [draft],
            at=at,
            today=at.date(),
            clocks=clocks,
        )
    assert isinstance(outcome, Posted)


class LightsOutError(Exception):
    """A process ends in the middle of its transaction."""


async def _post_until_dark(drafts: list[Draft], at: datetime) -> None:
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        await posting.post(connection, drafts, at=at, today=at.date())
        raise LightsOutError


async def test_a_transaction_that_ends_early_leaves_nothing(at: datetime) -> None:
    spender, other = await members(at, 10, 20)
    made = await done(spend(spender, 25, at, [other]), at)

    drafts: list[Draft] = [
        spend(spender, 4, at, [other]),
        reserve(spender, 1, at, [other]),
        reverse(made.posting, at, partner_no=FUEL),
    ]

    with pytest.raises(LightsOutError):
        await _post_until_dark(drafts, at)

    assert await balances([spender, other], at) == [0, 5]
    assert [one.returned for one in await kept(made.posting)] == [0]
    assert await is_proved()


async def test_a_returned_share_of_others_can_be_taken_back_at_once(at: datetime) -> None:
    spender, other = await members(at, 0, 0)
    given = await done(issue(other, 20, at), at)
    made = await done(spend(spender, 20, at, [other]), at)

    outcomes = await post(
        [
            reverse(made.posting, at, partner_no=FUEL),
            reverse(given.posting, at, partner_no=GROCER),
        ],
        at,
    )

    assert [type(one) for one in outcomes] == [Posted, Posted]
    assert await balances([spender, other], at) == [0, 0]
    assert await is_proved()


async def test_what_others_paid_for_is_found_in_the_books(at: datetime) -> None:
    spender = await member(at, 10)
    other = await member(at, 20)
    made = await done(spend(spender, 25, at, [other]), at)

    assert [(one.other, one.points) for one in await kept(made.posting)] == [(other, 15)]
    assert await kept(other) == []
    assert await balance(other, at) == 5


DAMAGES = {
    "more passed than moved": "UPDATE passage SET points = points + 1000",
    "more came back than was reversed": "UPDATE passage SET returned = points WHERE returned = 0",
    "came back from an open hold": """
        UPDATE passage SET returned = 1
        WHERE act IN (SELECT id FROM hold WHERE state = 1)""",
    "not all came back from a hold": """
        UPDATE passage SET returned = 0
        WHERE act IN (SELECT id FROM hold WHERE state <> 1)""",
    "passed without a transfer": "UPDATE passage SET points = points - 1, returned = 0",
    "a share passed without a transfer": """
        UPDATE passage SET other = lot
        WHERE act IN (SELECT id FROM posting WHERE kind = 1)""",
    "a passage is lost": "DELETE FROM passage",
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_to_passages_is_found(at: datetime, damage: str) -> None:
    one, two, head = await members(at, 50, 50, 0)
    made = await done(spend(one, 80, at, [two]), at)
    await done(reverse(made.posting, at, partner_no=FUEL, points=10), at)
    await done(share_of(one, 20, at, head, 50), at)
    first = await held(reserve(one, 20, at, [two]), at)
    await done(capture(first, 10), at)
    await held(reserve(one, 30, at, [two], "h2"), at)
    assert await is_proved()

    async with transaction() as connection:
        await connection.execute(DAMAGES[damage])

    assert not (await audit.run()).ok


async def test_who_gave_has_become_who_spent(at: datetime) -> None:
    spender, other, third = await members(at, 10, 20, 5)
    made = await done(spend(spender, 35, at, [other, third]), at)
    await merge(other, spender, at)

    back = await done(reverse(made.posting, at, partner_no=FUEL), at)

    assert back.shares == (Share(third, 5),)
    assert await balances([spender, other, third], at) == [30, 0, 5]
    assert await is_proved()


async def test_who_got_a_share_has_become_who_earned_it(at: datetime) -> None:
    earner, head = await members(at, 0, 0)
    made = await done(share_of(earner, 100, at, head, 50), at)
    await merge(head, earner, at)

    back = await done(reverse(made.posting, at, partner_no=GROCER), at)

    assert (back.points, back.shares) == (100, ())
    assert await balances([earner, head], at) == [0, 0]
    assert await is_proved()
