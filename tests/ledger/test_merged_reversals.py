"""What a member bought who was merged since is reversed as before; its survivor gives and gets."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import retrying, transaction
from coalition.ledger import audit, clocks, expiry, holders, merging, posting
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import (
    Draft,
    Grant,
    Held,
    Hold,
    Issue,
    Outcome,
    Owed,
    Posted,
    Redeem,
    Reverse,
)
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import (
    HolderNotActive,
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


async def made(draft: Draft, at: datetime) -> UUID:
    (outcome,) = await post([draft], at)
    assert isinstance(outcome, Posted)
    return outcome.posting


async def merge(gone: UUID, kept: UUID, at: datetime) -> None:
    await ensure_partition(at)
    async with transaction() as connection:
        await merging.merge(connection, from_holder=gone, into_holder=kept, at=at, today=at.date())


async def books_hold() -> bool:
    report = await audit.run()
    assert report.ok, report.breaches
    return report.ok


def undo(of: UUID, at: datetime, points: int | None = None, *, percent: int = 0) -> Reverse:
    """Return a reversal of an issue of the grocer that lets spent points be owed."""
    debts = {GROCER * 10: percent}
    return Reverse(of, till(GROCER, at), points, "reverse", at.date(), debts=debts)


async def lots_of(holder: UUID) -> list[tuple[int, int]]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT points_in, points_out FROM lot WHERE holder = $1 ORDER BY id", holder
        )
    return [(row[0], row[1]) for row in rows]


async def owes(*wanted: UUID) -> list[int]:
    async with transaction() as connection:
        found = await holders.read_states(connection, wanted)
    return [found[holder].owes for holder in wanted]


async def test_an_issue_of_a_merged_holder_is_taken_back_from_its_survivor(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    bought = await made(issue(double, 100, at), at)
    await merge(double, anna, at)
    (part,) = await post([reverse(bought, at, partner_no=GROCER, points=30)], at)
    assert isinstance(part, Posted)
    assert (part.holder, part.points) == (anna, 30)
    assert await balance(anna, at) == 70
    assert await lots_of(double) == [(130, 130)]
    assert await lots_of(anna) == [(100, 30)]
    assert await books_hold()
    (rest, none) = await post([reverse(bought, at, partner_no=GROCER) for _ in range(2)], at)
    assert isinstance(rest, Posted)
    assert rest.points == 70
    assert isinstance(none, ReversalExceedsOriginal)
    assert await balance(anna, at) == 0
    assert await books_hold()


async def test_such_a_reversal_lies_beside_its_original_and_the_points_come_in_two_halves(
    at: datetime,
) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    bought = await made(issue(double, 100, at), at)
    await merge(double, anna, at)
    await post([reverse(bought, at, partner_no=GROCER, points=30)], at)
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT kind, holder, points, direction, reverses FROM posting"
            " WHERE kind IN (3, 7) AND points = 30 ORDER BY kind, direction"
        )
        counted = await connection.fetchval("SELECT reversed FROM reversed_leg")
    assert [tuple(row) for row in rows] == [
        (3, double, 30, -1, bought),
        (7, anna, 30, -1, None),
        (7, double, 30, 1, None),
    ]
    assert counted == 30


async def test_a_redemption_of_a_merged_holder_goes_back_to_its_survivor(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    soon, late = at.date() + timedelta(days=5), at.date() + timedelta(days=90)
    await post([issue(double, 60, at, expires_on=soon)], at)
    await post([issue(double, 50, at, partner_no=FUEL, expires_on=late)], at)
    paid = await made(redeem(double, 80, at), at)
    await merge(double, anna, at)
    (back,) = await post([reverse(paid, at, partner_no=FUEL, points=40)], at)
    assert isinstance(back, Posted)
    assert (back.holder, back.points) == (anna, 40)
    assert await balance(anna, at) == 70
    assert await balance(double, at) == 0
    assert await lots_of(anna) == [(20, 0), (50, 0)]
    assert await books_hold()


async def test_what_has_expired_meanwhile_comes_back_with_days_of_grace(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    await post([issue(double, 60, at, expires_on=at.date())], at)
    paid = await made(redeem(double, 60, at), at)
    await merge(double, anna, at)
    tomorrow = at + timedelta(days=1)
    await post([reverse(paid, tomorrow, partner_no=FUEL)], tomorrow)
    last = tomorrow + timedelta(days=30)
    assert await balance(anna, last) == 60
    assert await balance(anna, last + timedelta(days=1)) == 0
    assert await books_hold()


async def test_what_was_spent_before_or_after_the_merge_is_refused_or_owed(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    bought = await made(issue(double, 100, at), at)
    await post([redeem(double, 20, at)], at)
    await merge(double, anna, at)
    await post([redeem(anna, 30, at)], at)
    (refused,) = await post([reverse(bought, at, partner_no=GROCER)], at)
    assert isinstance(refused, PointsAlreadySpent)
    assert refused.facts["remaining"] == 50
    (first,) = await post([undo(bought, at, 60)], at)
    assert isinstance(first, Posted)
    assert (first.holder, first.points, first.debt) == (anna, 50, 10)
    assert await owes(double, anna) == [0, 10]
    assert await books_hold()
    (second,) = await post([undo(bought, at)], at)
    assert second == Owed(anna, 40)
    assert await owes(double, anna) == [0, 50]
    assert await books_hold()


async def test_a_later_debt_is_added_to_the_one_that_went_over(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    bought = await made(issue(double, 100, at), at)
    await post([redeem(double, 100, at)], at)
    await post([undo(bought, at, 70, percent=100)], at)
    await merge(double, anna, at)
    (later,) = await post([undo(bought, at, percent=100)], at)
    assert later == Owed(anna, 30)
    assert await owes(double, anna) == [0, 100]
    assert await books_hold()
    # The next issue pays for both, at once.
    await post([issue(anna, 120, at)], at)
    assert await owes(anna) == [0]
    assert await balance(anna, at) == 20
    assert await books_hold()


async def test_a_debt_made_in_a_batch_is_paid_by_what_comes_later_in_it(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    bought = await made(issue(double, 100, at), at)
    await post([redeem(double, 100, at)], at)
    await merge(double, anna, at)
    await post([undo(bought, at, percent=50), issue(anna, 100, at)], at)
    assert await owes(double, anna) == [0, 50]
    assert await balance(anna, at) == 50
    assert await books_hold()


async def test_a_chain_of_merges_is_followed_to_its_end(at: datetime) -> None:
    first, second, third = [await open_holder(at) for _ in range(3)]
    bought = await made(issue(first, 100, at), at)
    paid = await made(redeem(first, 40, at), at)
    await merge(first, second, at)
    await post([undo(bought, at, 100)], at)  # 60 were there, 40 are owed
    await merge(second, third, at)
    async with transaction() as connection:
        await holders.forward(connection, [first], third)
    assert await owes(first, second, third) == [0, 0, 40]
    (back,) = await post([reverse(paid, at, partner_no=FUEL)], at)
    assert isinstance(back, Posted)
    assert back.holder == third
    assert [await balance(one, at) for one in (first, second, third)] == [0, 0, 40]
    assert await books_hold()


async def test_drafts_of_both_in_one_batch_keep_the_order_of_the_survivor(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    old = await made(issue(double, 100, at), at)
    own = await made(issue(anna, 10, at), at)
    await merge(double, anna, at)
    outcomes: list[Outcome] = await post(
        [
            redeem(anna, 60, at),
            reverse(own, at, partner_no=GROCER),
            reverse(old, at, partner_no=GROCER, points=40),
            reverse(old, at, partner_no=GROCER, points=1),
            redeem(anna, 1, at),
        ],
        at,
    )
    # 110 less 60, 10 and 40 are none.
    assert [isinstance(one, Posted) for one in outcomes] == [True, True, True, False, False]
    assert await books_hold()


async def test_both_merged_holders_of_one_survivor_are_reversed_in_one_batch(at: datetime) -> None:
    anna, one, other = [await open_holder(at) for _ in range(3)]
    bought = [await made(issue(holder, 100, at), at) for holder in (one, other)]
    await merge(one, anna, at)
    await merge(other, anna, at)
    await post([redeem(anna, 50, at)], at)
    outcomes = await post([reverse(of, at, partner_no=GROCER) for of in bought], at)
    assert [type(outcome) for outcome in outcomes] == [Posted, PointsAlreadySpent]
    assert await balance(anna, at) == 50
    assert await books_hold()


async def test_who_reverses_must_be_whose_posting_it_is_and_the_survivor_active(
    at: datetime,
) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    bought = await made(issue(double, 100, at), at)
    await merge(double, anna, at)
    (other,) = await post([reverse(bought, at, partner_no=FUEL)], at)
    assert isinstance(other, UnknownPosting)
    async with transaction() as connection:
        await holders.set_state(connection, anna, HolderState.FROZEN)
    (frozen,) = await post([reverse(bought, at, partner_no=GROCER)], at)
    assert isinstance(frozen, HolderNotActive)
    assert await balance(anna, at) == 100


async def test_points_that_came_late_are_taken_back_too(at: datetime) -> None:
    """An issue reads its holder's state and does not lock it, so it may commit after the merge."""
    anna, double = await open_holder(at), await open_holder(at)
    await ensure_partition(at)
    is_posted = asyncio.Event()

    async def merge_meanwhile() -> None:
        await is_posted.wait()
        await merge(double, anna, at)

    other = asyncio.create_task(merge_meanwhile())
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        drafts = [issue(double, 20, at)]
        _, (late,) = await posting.post(connection, drafts, at=at, today=at.date())
        is_posted.set()
        await other
    assert isinstance(late, Posted)
    assert await balance(double, at) == 20
    (back,) = await post([reverse(late.posting, at, partner_no=GROCER)], at)
    assert isinstance(back, Posted)
    assert (back.points, await balance(double, at), await balance(anna, at)) == (20, 0, 0)
    assert await books_hold()


@pytest.mark.parametrize("booked", ["before", "between", "after"])
async def test_what_expired_before_or_after_the_merge_is_not_owed_where_it_lives_again(
    at: datetime, booked: str
) -> None:
    anna, double, middle = [await open_holder(at) for _ in range(3)]
    async with transaction() as connection:
        clock = await clocks.register(connection, months=1, counts_issue=True, counts_redeem=True)
        known = await clocks.registered(connection)
    source = provenance()._replace(clock_no=clock)

    async def post_with_clocks(drafts: list[Draft], when: datetime) -> list[Outcome]:
        await ensure_partition(when)
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            _, outcomes = await posting.post(
                connection, drafts, at=when, today=when.date(), clocks=known
            )
        return outcomes

    (bought,) = await post_with_clocks([Issue(double, till(GROCER, at), (Grant(source, 100),))], at)
    assert isinstance(bought, Posted)
    later = at + timedelta(days=60)
    if booked == "after":
        await merge(double, anna, at)
    if booked == "between":
        await merge(double, middle, at)
    await ensure_partition(later)
    assert await expiry.expire(later, later.date()) == 100
    if booked == "before":
        await merge(double, anna, later)
    if booked == "between":
        await merge(middle, anna, later)
        async with transaction() as connection:
            await holders.forward(connection, [double], anna)
    # The survivor earns and spends: the lot lives again, with nothing of the old issue in it.
    await post_with_clocks([Issue(anna, till(GROCER, later), (Grant(source, 5),))], later)
    await post_with_clocks([Redeem(anna, till(FUEL, later), 1, 5)], later)
    (refused,) = await post_with_clocks([undo(bought.posting, later)], later)
    assert isinstance(refused, PointsAlreadySpent)
    assert await owes(double, anna) == [0, 0]
    assert await books_hold()


async def test_what_ends_in_the_same_batch_is_not_owed_either(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    async with transaction() as connection:
        clock = await clocks.register(connection, months=1, counts_issue=True, counts_redeem=True)
        known = await clocks.registered(connection)
    source = provenance()._replace(clock_no=clock)

    def given(holder: UUID, points: int, when: datetime) -> Issue:
        return Issue(holder, till(GROCER, when), (Grant(source, points),))

    async def post_with_clocks(drafts: list[Draft], when: datetime) -> list[Outcome]:
        await ensure_partition(when)
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            _, outcomes = await posting.post(
                connection, drafts, at=when, today=when.date(), clocks=known
            )
        return outcomes

    (bought,) = await post_with_clocks([given(double, 100, at)], at)
    assert isinstance(bought, Posted)
    await merge(double, anna, at)
    later = at + timedelta(days=60)
    # Her issue books what her clock has ended, and lets the lot live again with 5 points.
    drafts: list[Draft] = [given(anna, 5, later), undo(bought.posting, later)]
    _, back = await post_with_clocks(drafts, later)
    assert isinstance(back, Posted)
    assert (back.points, back.debt) == (5, 0)
    assert await owes(double, anna) == [0, 0]
    assert await books_hold()


async def test_reversals_beside_tills_and_a_further_merge_keep_the_books(at: datetime) -> None:
    anna, double, third = [await open_holder(at) for _ in range(3)]
    bought = [await made(issue(double, 100, at), at) for _ in range(2)]
    paid = [await made(redeem(double, 20, at), at) for _ in range(2)]
    await merge(double, anna, at)

    async def forward() -> None:
        async with transaction() as connection:
            await holders.forward(connection, [double], third)

    async def once_more() -> None:
        await retrying(lambda: merge(anna, third, at))
        await retrying(forward)

    async def beside(*drafts: Draft) -> list[Outcome]:
        return await retrying(lambda: post(drafts, at))

    acts = [beside(undo(of, at, 50)) for of in bought]
    acts += [beside(reverse(of, at, partner_no=FUEL)) for of in paid]
    acts.append(beside(redeem(anna, 30, at), reverse(bought[0], at, partner_no=GROCER, points=1)))
    await asyncio.gather(*acts, once_more())
    await merging.forward_late(at, at.date())
    assert await balance(double, at) == 0
    assert await balance(anna, at) == 0
    assert await owes(double, anna) == [0, 0]
    assert await books_hold()


async def test_what_the_survivor_has_on_hold_is_not_taken_back(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    (bought,) = await post([issue(double, 30, at)], at)
    assert isinstance(bought, Posted)
    await merge(double, anna, at)
    (held,) = await post([Hold(anna, till(FUEL, at, "h"), 1, 20, at + timedelta(hours=1))], at)
    assert isinstance(held, Held)
    (refused,) = await post([reverse(bought.posting, at, partner_no=GROCER)], at)
    assert isinstance(refused, PointsAlreadySpent)
    assert refused.facts["remaining"] == 10
