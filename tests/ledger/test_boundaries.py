"""The last day and the first after it, the last point and one too many: what the ledger does."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import clocks, debts, expiry, holders, lots
from coalition.ledger.clocks import Clock, HolderClock, months_later
from coalition.ledger.drafts import Outcome, Posted, Reverse
from tests.ledger.clock_world import NOON, Book, assert_books_hold
from tests.ledger.clock_world import issue as issue_under_clock
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    redeem,
    till,
)

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
LAST = NOON + timedelta(days=181)
"""The last day of points that live for six months after noon."""


async def standing(holder: UUID) -> list[HolderClock]:
    async with transaction() as connection:
        return await clocks.of_holder(connection, holder)


async def posted_points(kind: int) -> int:
    async with transaction() as connection:
        found: int = await connection.fetchval(
            "SELECT coalesce(sum(points), 0)::int8 FROM posting WHERE kind = $1", kind
        )
    return found


async def test_activity_on_the_last_day_keeps_old_points_and_a_day_later_it_does_not() -> None:
    assert LAST.date() == months_later(NOON.date(), 6)
    book = await Book().open()
    in_time, late = await open_holder(NOON), await open_holder(NOON)
    await book.post([issue_under_clock(one, 100, NOON) for one in (in_time, late)], NOON)
    await book.post([issue_under_clock(in_time, 1, LAST)], LAST)
    assert await posted_points(4) == 0
    await book.post([issue_under_clock(late, 1, LAST + DAY)], LAST + DAY)
    assert await posted_points(4) == 100
    assert [await balance(one, LAST + DAY) for one in (in_time, late)] == [101, 1]
    await assert_books_hold()


async def test_a_clock_that_counts_no_issue_goes_on_through_its_last_day() -> None:
    book = await Book(Clock(1, 6, counts_issue=False, counts_redeem=True)).open()
    running, over = await open_holder(NOON), await open_holder(NOON)
    await book.post([issue_under_clock(one, 100, NOON) for one in (running, over)], NOON)
    await book.post([issue_under_clock(running, 1, LAST)], LAST)
    assert await standing(running) == [HolderClock(1, 1, NOON.date(), LAST.date())]
    await book.post([issue_under_clock(over, 1, LAST + DAY)], LAST + DAY)
    tomorrow = (LAST + DAY).date()
    assert await standing(over) == [HolderClock(1, 1, tomorrow, months_later(tomorrow, 6))]
    await assert_books_hold()


async def test_what_comes_with_an_earlier_day_sets_no_clock_forward_or_back() -> None:
    book, anna = await Book().open(), await open_holder(NOON)
    await book.post([issue_under_clock(anna, 100, NOON)], NOON)
    kept = await standing(anna)
    await book.post([redeem(anna, 1, NOON - DAY)], NOON - DAY)
    assert await standing(anna) == kept
    await book.post([redeem(anna, 1, NOON + DAY)], NOON + DAY)
    assert [one.last_activity for one in await standing(anna)] == [(NOON + DAY).date()]


async def test_a_clock_taken_over_advances_and_never_goes_back() -> None:
    await Book().open()
    anna = await open_holder(NOON)
    early, middle, late = date(2026, 1, 1), date(2026, 7, 1), date(2027, 1, 1)
    for wanted, kept in (
        ((early, middle), (early, middle)),
        ((middle, middle), (middle, middle)),
        ((early, late), (middle, late)),
        ((early, middle), (middle, late)),
    ):
        async with transaction() as connection:
            await clocks.advance(connection, anna, [HolderClock(1, 1, *wanted)])
        assert await standing(anna) == [HolderClock(1, 1, *kept)]
    async with transaction() as connection:
        await clocks.advance(connection, anna, [])
        assert await clocks.lapsed(connection, [], late) == set()
        assert await clocks.lapsed(connection, [anna], late) == set()
        assert await clocks.lapsed(connection, [anna], late + DAY) == {anna}


async def test_a_clock_is_registered_once_for_its_facts() -> None:
    facts = [(6, True, True), (6, True, False), (6, False, True), (7, True, True), (6, True, True)]
    async with transaction() as connection:
        numbers = [
            await clocks.register(connection, months=months, counts_issue=i, counts_redeem=r)
            for months, i, r in facts
        ]
        assert len(await clocks.registered(connection)) == 4
    assert numbers[-1] == numbers[0]
    assert len(set(numbers)) == 4


def test_the_last_month_of_the_calendar_is_a_month_like_others() -> None:
    assert months_later(date(9999, 11, 30), 1) == date(9999, 12, 30)
    assert months_later(date(9998, 12, 31), 12) == date(9999, 12, 31)
    assert months_later(date(9999, 12, 30), 1) == date.max


async def test_a_suspension_keeps_points_through_its_last_day(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at, expires_on=at.date())], at)
    last = at + 5 * DAY
    async with transaction() as connection:
        await holders.suspend_expiry(connection, anna, last.date())
    assert await expiry.expire(last, last.date()) == 0
    assert await balance(anna, last) == 10
    (spent,) = await post([redeem(anna, 4, last)], last)
    assert isinstance(spent, Posted)
    assert await balance(anna, last + DAY) == 0
    assert await expiry.expire(last + DAY, (last + DAY).date()) == 6


async def owing(holder: UUID, at: datetime, *, percent: int = 100) -> None:
    """Let `holder` owe 70 points that so much of later issues pays."""
    made, _ = await post([issue(holder, 70, at), redeem(holder, 70, at)], at)
    assert isinstance(made, Posted)
    percents = {GROCER * 10: percent}
    undo = Reverse(made.posting, till(GROCER, at), None, "reverse", at.date(), debts=percents)
    await post([undo], at)


def paid(outcomes: Sequence[Outcome]) -> list[int]:
    return [
        sum(one.points for one in outcome.recovered)
        for outcome in outcomes
        if isinstance(outcome, Posted)
    ]


@pytest.mark.parametrize(
    ("days", "suspended_days", "points"),
    [(0, None, 20), (-1, None, 0), (-1, 0, 20), (-1, -1, 0)],
)
async def test_points_pay_a_debt_through_their_last_day(
    at: datetime, days: int, suspended_days: int | None, points: int
) -> None:
    anna = await open_holder(at)
    await owing(anna, at)
    if suspended_days is not None:
        async with transaction() as connection:
            await holders.suspend_expiry(connection, anna, (at + suspended_days * DAY).date())
    outcomes = await post([issue(anna, 20, at, expires_on=(at + days * DAY).date())], at)
    assert paid(outcomes) == [points]


async def test_an_issue_pays_what_is_owed_to_the_point_and_leaves_the_rest(at: datetime) -> None:
    anna = await open_holder(at)
    await owing(anna, at)
    assert paid(await post([issue(anna, 69, at)], at)) == [69]
    assert paid(await post([issue(anna, 2, at), issue(anna, 5, at)], at)) == [1, 0]
    assert await balance(anna, at) == 6
    async with transaction() as connection:
        assert await debts.list_open(connection, holder=anna) == []
        assert await debts.read_open(connection, [anna]) == {}


async def test_open_debts_are_listed_oldest_first_of_one_holder_or_of_all(at: datetime) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    await owing(anna, at, percent=0)
    await owing(bo, at + DAY, percent=0)
    await owing(anna, at + 2 * DAY, percent=0)
    async with transaction() as connection:
        everybody = [one.holder for one in await debts.list_open(connection)]
        first = [one.holder for one in await debts.list_open(connection, limit=1)]
        of_bo = [one.holder for one in await debts.list_open(connection, holder=bo)]
        read = await debts.read_open(connection, [bo, anna])
    assert (everybody, first, of_bo) == ([anna, bo, anna], [anna], [bo])
    assert {holder: [one.made_at for one in owed] for holder, owed in read.items()} == {
        anna: [at, at + 2 * DAY],
        bo: [at + DAY],
    }


async def test_the_walk_over_lots_ends_with_the_lot_that_covers_what_is_wanted(
    at: datetime,
) -> None:
    anna = await open_holder(at)
    days = [(at + n * DAY).date() for n in range(3)]
    await post([issue(anna, 10, at, expires_on=day) for day in days], at)
    for wanted, found in ((1, 1), (10, 1), (11, 2), (20, 2), (21, 3), (31, 3)):
        async with transaction() as connection:
            walked = await lots.walk(connection, {anna: wanted}, 1, at.date())
        assert [one.points for one in walked[anna]] == [10] * found
    async with transaction() as connection:
        tomorrow = await lots.walk(connection, {anna: 30}, 1, days[1])
    assert len(tomorrow[anna]) == 2, "what has ended is not among them"


async def test_a_lot_that_is_held_whole_or_spent_whole_is_not_walked(at: datetime) -> None:
    anna = await open_holder(at)
    soon, late = (at + DAY).date(), (at + 2 * DAY).date()
    await post([issue(anna, 10, at, expires_on=soon), issue(anna, 10, at, expires_on=late)], at)
    (spent,) = await post([redeem(anna, 10, at, partner_no=FUEL)], at)
    assert isinstance(spent, Posted)
    async with transaction() as connection:
        walked = await lots.walk(connection, {anna: 5}, 1, at.date())
        (kept,) = walked[anna]
        found = await lots.read(connection, [kept.lot], [anna], at.date())
    assert found[kept.lot].provenance.expires_on == late
    assert (found[kept.lot].available, found[kept.lot].live) == (10, True)
