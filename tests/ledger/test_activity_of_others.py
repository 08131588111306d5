"""Whether spending points of others keeps the points alive that these have left."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import clocks
from coalition.ledger.clocks import Clock
from coalition.ledger.drafts import Capture, Draft, Held, Hold, Posted, Redeem, Reverse
from coalition.ledger.refusals import NotEnoughPoints
from coalition.ledger.selecting import Sources, SpendOrder
from tests.ledger.clock_world import NOON, Book, assert_books_hold, issue
from tests.support.ledger import FUEL, balance, open_holder, post, redeem, till

pytestmark = pytest.mark.usefixtures("database")

LATER = NOON + timedelta(days=100)


def _spend(
    holder: UUID, points: int, at: datetime, others: Sequence[UUID], *, is_activity: bool
) -> Redeem:
    order = SpendOrder.EARLIEST_EXPIRY
    sources = Sources(order=order, holders=tuple(others), own=False, is_activity=is_activity)
    return Redeem(holder, till(FUEL, at), 1, points, sources)


async def _last_day(holder: UUID) -> date:
    async with transaction() as connection:
        (clock,) = await clocks.of_holder(connection, holder)
    return clock.live_until


async def _pool(book: Book, *points: int) -> list[UUID]:
    """Return who spends, and others with so many points that NOON was the last activity of."""
    made = [await open_holder(NOON) for _ in (0, *points)]
    await book.post(
        [issue(one, each, NOON) for one, each in zip(made[1:], points, strict=True)], NOON
    )
    return made


@pytest.mark.parametrize("is_activity", [False, True])
async def test_spending_points_of_another_is_activity_of_it_only_where_that_is_said(
    is_activity: bool,  # noqa: FBT001 - a parameter
) -> None:
    book = await Book().open()
    spender, pot, other = await _pool(book, 100, 100)
    before = await _last_day(pot)
    assert isinstance(
        await book.one(_spend(spender, 40, LATER, [pot], is_activity=is_activity), LATER), Posted
    )
    assert await _last_day(pot) == (date(2027, 9, 1) if is_activity else before)
    assert await _last_day(other) == before
    await assert_books_hold()


async def test_it_is_activity_whatever_the_clock_counts_and_of_those_alone_who_give() -> None:
    book = await Book(Clock(1, 6, counts_issue=True, counts_redeem=False)).open()
    spender, first, second = await _pool(book, 30, 30)
    await book.one(_spend(spender, 30, LATER, [first, second], is_activity=True), LATER)
    lasts = {await _last_day(first), await _last_day(second)}
    assert lasts == {date(2027, 5, 21), date(2027, 9, 1)}


async def test_a_hold_is_activity_once_it_is_captured() -> None:
    book = await Book().open()
    spender, pot, other = await _pool(book, 100, 100)
    before = await _last_day(pot)
    sources = Sources(holders=(pot,), own=False, is_activity=True)

    async def reserved(receipt: str) -> Held:
        until = LATER + timedelta(days=2)
        hold = Hold(spender, till(FUEL, LATER, receipt), 1, 40, until, sources)
        outcome = await book.one(hold, LATER)
        assert isinstance(outcome, Held), outcome
        return outcome

    first = await reserved("one")
    assert await _last_day(pot) == before
    then = LATER + timedelta(days=1)
    assert isinstance(await book.one(Capture(first.hold, FUEL, None, 10), then), Posted)
    assert (await _last_day(pot), await _last_day(other)) == (date(2027, 9, 2), before)
    await assert_books_hold()


async def test_what_has_run_out_is_not_brought_to_life_by_it() -> None:
    book = await Book().open()
    spender, pot, other = await _pool(book, 100, 100)
    ended = NOON + timedelta(days=300)
    assert not isinstance(
        await book.one(_spend(spender, 40, ended, [pot, other], is_activity=True), ended), Posted
    )
    await assert_books_hold()


async def test_what_a_clock_has_ended_at_its_owner_comes_back_with_days_of_grace() -> None:
    """Free of its clock: that has run out, and would end the points again at once."""
    book = await Book().open()
    spender, pot = await _pool(book, 100)
    made = await book.one(_spend(spender, 40, LATER, [pot], is_activity=False), LATER)
    assert isinstance(made, Posted)
    ended = NOON + timedelta(days=300)
    grace = ended.date() + timedelta(days=30)
    undo = Reverse(made.posting, till(FUEL, ended), None, "reverse", grace)
    assert isinstance(await book.one(undo, ended), Posted)
    last = NOON + timedelta(days=330)
    assert isinstance(await book.one(redeem(pot, 41, last), last), NotEnoughPoints)
    assert isinstance(await book.one(redeem(pot, 40, last), last), Posted)
    await assert_books_hold()


async def test_in_one_batch_the_next_finds_the_clocks_as_they_stand_then() -> None:
    """Points with a date that ends before the clock's new day, and after its old one."""
    apart: list[list[int]] = []
    for is_together in (True, False):
        book = await Book().open()
        spender, pot = await _pool(book, 100)
        on = date(2027, 6, 30)
        dated = issue(pot, 100, NOON, clock_no=0, expires_on=on)
        await book.one(dated, NOON)
        drafts: list[Draft] = [
            _spend(spender, 10, LATER, [pot], is_activity=True) for _ in range(2)
        ]
        if is_together:
            await book.post(drafts, LATER)
        else:
            for draft in drafts:
                await book.one(draft, LATER)
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT points_in - points_out FROM lot WHERE holder = $1 ORDER BY clock_no", pot
            )
        apart.append([row[0] for row in rows])
    assert apart == [[90, 90], [90, 90]]


async def test_without_clocks_points_of_others_are_spent_and_no_clock_begins() -> None:
    spender, pot = await open_holder(NOON), await open_holder(NOON)
    await post([issue(pot, 100, NOON, clock_no=0)], NOON)
    drafts = [_spend(spender, 40, NOON, [pot], is_activity=True) for _ in range(3)]
    outcomes = await post(drafts, NOON)
    assert [type(outcome) for outcome in outcomes] == [Posted, Posted, NotEnoughPoints]
    assert await balance(pot, NOON) == 20
    async with transaction() as connection:
        assert await clocks.of_holder(connection, pot) == []
    await assert_books_hold()
