"""Points that live as long as their holder is active: clocks set back, run out, started again."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.kernel.database import Engine, retrying, transaction
from coalition.ledger import clocks, expiry, holders, merging, posting
from coalition.ledger.accounts import HolderState
from coalition.ledger.clocks import Clock, months_later
from coalition.ledger.drafts import Capture, Convert, Converted, Draft, Held, Hold, Posted, Void
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import (
    HolderNotActive,
    NotEnoughPoints,
    PointsAlreadySpent,
    UnknownHold,
)
from tests.ledger.clock_world import NOON, Book, assert_books_hold, issue
from tests.support.ledger import FUEL, GROCER, balance, open_holder, redeem, reverse, till


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 600))
def test_months_later_is_the_same_day_or_the_last_of_a_shorter_month(
    day: date, months: int
) -> None:
    later = months_later(day, months)
    assert (later.year - day.year) * 12 + later.month - day.month == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


def test_the_calendar_has_an_end() -> None:
    assert months_later(date(9999, 12, 1), 1) == date.max


async def live_until(holder: UUID) -> list[date]:
    async with transaction() as connection:
        return [clock.live_until for clock in await clocks.of_holder(connection, holder)]


@pytest.mark.usefixtures("database")
class TestOneClock:
    async def test_points_live_through_the_day_their_clock_says(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON)], NOON)
        last = datetime(2027, 5, 21, 23, tzinfo=UTC)
        assert await live_until(anna) == [last.date()]
        assert await balance(anna, last) == 100
        assert await expiry.expire(last, last.date()) == 0
        over = last + timedelta(days=1)
        assert await balance(anna, over) == 0
        assert isinstance(await book.one(redeem(anna, 1, over), over), NotEnoughPoints)
        assert await expiry.expire(over, over.date()) == 0, "what asked for it has booked it"
        await assert_books_hold()

    async def test_each_activity_sets_the_clock_back(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON)], NOON)
        spring = NOON + timedelta(days=150)
        await book.post([redeem(anna, 10, spring)], spring)
        assert await live_until(anna) == [months_later(spring.date(), 6)]
        summer = spring + timedelta(days=150)
        await book.post([issue(anna, 1, summer, clock_no=0)], summer)
        assert await live_until(anna) == [months_later(summer.date(), 6)]
        assert await balance(anna, summer + timedelta(days=150)) == 91

    async def test_a_capture_is_activity_and_a_reversal_is_none(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        (issued,) = await book.post([issue(anna, 100, NOON)], NOON)
        assert isinstance(issued, Posted)
        later = NOON + timedelta(days=30)
        held = await book.one(
            Hold(anna, till(FUEL, later, "h"), 1, 10, later + timedelta(days=3)), later
        )
        assert isinstance(held, Held)
        await book.post([reverse(issued.posting, later, partner_no=GROCER, points=5)], later)
        assert await live_until(anna) == [months_later(NOON.date(), 6)]
        captured = later + timedelta(days=1)
        await book.post([Capture(held.hold, FUEL, None, 10)], captured)
        assert await live_until(anna) == [months_later(captured.date(), 6)]

    @pytest.mark.parametrize("act", ["issue", "redeem"])
    async def test_what_has_run_out_does_not_live_again(self, act: str) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON), issue(anna, 7, NOON, clock_no=0)], NOON)
        late = NOON + timedelta(days=300)
        drafts: dict[str, Draft] = {
            "issue": issue(anna, 3, late),
            "redeem": redeem(anna, 3, late),
        }
        assert isinstance(await book.one(drafts[act], late), Posted)
        assert await balance(anna, late) == {"issue": 10, "redeem": 4}[act]
        assert await live_until(anna) == [months_later(late.date(), 6)]
        assert await expiry.expire(late, late.date()) == 0
        await assert_books_hold()

    async def test_points_issued_after_a_lapse_are_spent_in_the_same_batch(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON)], NOON)
        late = NOON + timedelta(days=300)
        outcomes = await book.post(
            [issue(anna, 10, late), redeem(anna, 7, late), issue(anna, 1, late)], late
        )
        assert [type(outcome) for outcome in outcomes] == [Posted] * 3
        assert await balance(anna, late) == 4
        await assert_books_hold()

    async def test_the_job_books_what_has_run_out_once(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON), issue(anna, 7, NOON, clock_no=0)], NOON)
        late = NOON + timedelta(days=300)
        assert await expiry.expire(late, late.date()) == 100
        assert await expiry.expire(late, late.date()) == 0
        assert await balance(anna, late) == 7
        await assert_books_hold()

    async def test_what_is_refused_books_nothing_of_a_frozen_holder(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON)], NOON)
        async with transaction() as connection:
            await holders.set_state(connection, anna, HolderState.FROZEN)
        late = NOON + timedelta(days=300)
        assert isinstance(await book.one(issue(anna, 1, late), late), HolderNotActive)
        assert isinstance(await book.one(Void(anna, FUEL), late), UnknownHold)
        assert await expiry.expire(late, late.date()) == 100
        await assert_books_hold()

    async def test_of_a_date_and_a_clock_the_earlier_ends_points(self) -> None:
        book = await Book().open()
        anna, bo = await open_holder(NOON), await open_holder(NOON)
        soon, far = NOON.date() + timedelta(days=30), NOON.date() + timedelta(days=900)
        await book.post(
            [issue(anna, 100, NOON, expires_on=soon), issue(bo, 100, NOON, expires_on=far)], NOON
        )
        after_date, after_clock = NOON + timedelta(days=31), NOON + timedelta(days=300)
        assert [await balance(one, after_date) for one in (anna, bo)] == [0, 100]
        assert [await balance(one, after_clock) for one in (anna, bo)] == [0, 0]
        assert await expiry.expire(after_clock, after_clock.date()) == 200

    async def test_held_points_do_not_end_while_the_hold_stands(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON)], NOON)
        last = datetime(2027, 5, 21, 23, tzinfo=UTC)
        held = await book.one(
            Hold(anna, till(FUEL, last, "h"), 1, 60, last + timedelta(days=3)), last
        )
        assert isinstance(held, Held)
        over = last + timedelta(days=1)
        assert await expiry.expire(over, over.date()) == 40
        assert isinstance(await book.one(Capture(held.hold, FUEL, None, 50), over), Posted)
        # The capture is activity, so what was held and is free again lives with its clock.
        assert await balance(anna, over) == 10
        await assert_books_hold()

    async def test_an_issue_that_has_run_out_is_spent_for_a_reversal(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        issued = await book.one(issue(anna, 100, NOON), NOON)
        assert isinstance(issued, Posted)
        late = NOON + timedelta(days=300)
        refused = await book.one(reverse(issued.posting, late, partner_no=GROCER), late)
        assert isinstance(refused, PointsAlreadySpent)

    async def test_a_return_after_the_clock_ran_out_comes_back_with_grace(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        spent = (await book.post([issue(anna, 100, NOON), redeem(anna, 100, NOON)], NOON))[1]
        assert isinstance(spent, Posted)
        late = NOON + timedelta(days=300)
        await book.post([reverse(spent.posting, late, partner_no=FUEL)], late)
        assert await balance(anna, late + timedelta(days=30)) == 100
        assert await balance(anna, late + timedelta(days=31)) == 0
        await assert_books_hold()

    async def test_a_merge_keeps_the_later_activity(self) -> None:
        book = await Book().open()
        anna, double = await open_holder(NOON), await open_holder(NOON)
        later = NOON + timedelta(days=60)
        await book.post([issue(anna, 1, NOON)], NOON)
        await book.post([issue(double, 10, later)], later)
        async with transaction() as connection:
            await merging.merge(
                connection, from_holder=double, into_holder=anna, at=later, today=later.date()
            )
        assert await live_until(anna) == [months_later(later.date(), 6)]
        assert await balance(anna, NOON + timedelta(days=200)) == 11

    async def test_a_merge_does_not_let_what_has_run_out_live_again(self) -> None:
        book = await Book().open()
        anna, double = await open_holder(NOON), await open_holder(NOON)
        late = NOON + timedelta(days=300)
        await ensure_partition(late)
        await book.post([issue(anna, 100, NOON)], NOON)
        await book.post([issue(double, 10, late)], late)
        async with transaction() as connection:
            await merging.merge(
                connection, from_holder=double, into_holder=anna, at=late, today=late.date()
            )
        assert await balance(anna, late) == 10
        await assert_books_hold()

    async def test_converted_points_live_as_long_as_those_they_were(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON)], NOON)
        later = NOON + timedelta(days=60)
        draft = Convert(anna, till(FUEL, later), 1, 2, 100, 5, 2)
        assert isinstance(await book.one(draft, later), Converted)
        async with transaction() as connection:
            standing = await clocks.of_holder(connection, anna)
        assert [(one.currency_no, one.live_until) for one in standing] == [
            (1, months_later(NOON.date(), 6)),
            (2, months_later(NOON.date(), 6)),
        ]


@pytest.mark.usefixtures("database")
async def test_a_clock_counts_what_its_rule_says() -> None:
    spender = Clock(1, 6, counts_issue=False, counts_redeem=True)
    earner = Clock(2, 6, counts_issue=True, counts_redeem=False)
    book, anna = await Book(spender, earner).open(), await open_holder(NOON)
    await book.post([issue(anna, 10, NOON), issue(anna, 10, NOON, clock_no=2)], NOON)
    at = [NOON + timedelta(days=days) for days in (0, 10, 20)]
    await book.post([redeem(anna, 1, at[1])], at[1])
    await book.post([issue(anna, 1, at[2], clock_no=0)], at[2])
    ends = [months_later(one.date(), 6) for one in at]
    assert await live_until(anna) == [ends[1], ends[2]]


@pytest.mark.usefixtures("database")
async def test_a_clock_that_counts_no_issue_starts_anew_with_new_points() -> None:
    book = await Book(Clock(1, 6, counts_issue=False, counts_redeem=True)).open()
    anna = await open_holder(NOON)
    await book.post([issue(anna, 100, NOON)], NOON)
    late = NOON + timedelta(days=300)
    await book.post([issue(anna, 5, late)], late)
    assert await balance(anna, late) == 5
    await assert_books_hold()


@pytest.mark.usefixtures("database")
async def test_without_clocks_nobody_is_asked_for_any(database: Engine) -> None:
    anna = await open_holder(NOON)
    await ensure_partition(NOON)
    asked: list[str] = []
    async with transaction(posting.PINNED) as connection:
        connection.add_query_logger(lambda record: asked.append(record.query))
        await posting.post(
            connection,
            [issue(anna, 10, NOON, clock_no=0), redeem(anna, 1, NOON)],
            at=NOON,
            today=NOON.date(),
        )
    assert not [query for query in asked if "FROM unnest" in query and "INTO holder_clock" in query]


@pytest.mark.usefixtures("database")
class TestAtOnce:
    async def test_the_job_and_tills_agree_at_the_change_of_day(self) -> None:
        """Tills of the old day spend while the job of the new one books: each point moves once."""
        book = await Book().open()
        members = [await open_holder(NOON) for _ in range(6)]
        await book.post([issue(one, 100, NOON) for one in members], NOON)
        last = datetime(2027, 5, 21, 23, 59, 59, tzinfo=UTC)
        over = last + timedelta(seconds=1)
        await ensure_partition(over)
        acts = [book.post([redeem(one, 30, last), issue(one, 5, last)], last) for one in members]
        acts_of_day_after = [book.post([issue(one, 1, over)], over) for one in members[:3]]
        await asyncio.gather(*acts, expiry.expire(over, over.date()), *acts_of_day_after)
        await assert_books_hold()
        for one in members:
            assert await balance(one, over) in {75, 76, 5, 6, 1}

    async def test_a_redemption_during_a_merge_is_refused_or_moves_first(self) -> None:
        book = await Book().open()
        anna, double = await open_holder(NOON), await open_holder(NOON)
        await book.post([issue(double, 100, NOON)], NOON)

        async def merge() -> None:
            async with transaction() as connection:
                await merging.merge(
                    connection, from_holder=double, into_holder=anna, at=NOON, today=NOON.date()
                )

        redemptions = [book.one(redeem(double, 10, NOON), NOON) for _ in range(4)]
        *outcomes, _ = await asyncio.gather(*redemptions, retrying(merge))
        spent = sum(outcome.points for outcome in outcomes if isinstance(outcome, Posted))
        assert await balance(anna, NOON) == 100 - spent
        await assert_books_hold()

    async def test_an_issue_during_a_merge_is_not_lost(self) -> None:
        book = await Book().open()
        anna, double = await open_holder(NOON), await open_holder(NOON)
        await book.post([issue(double, 100, NOON)], NOON)

        async def merge() -> None:
            async with transaction() as connection:
                await merging.merge(
                    connection, from_holder=double, into_holder=anna, at=NOON, today=NOON.date()
                )

        issues = [book.one(issue(double, 10, NOON), NOON) for _ in range(4)]
        *outcomes, _ = await asyncio.gather(*issues, retrying(merge))
        given = sum(outcome.points for outcome in outcomes if isinstance(outcome, Posted))
        await merging.forward_late(NOON, NOON.date())
        assert await balance(anna, NOON) == 100 + given
        assert await merging.forward_late(NOON, NOON.date()) == 0
        await assert_books_hold()
