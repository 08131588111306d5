"""Spending order where there are clocks: what ends first is spent first, however it ends."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.ledger import holders, merging
from coalition.ledger.clocks import Clock, months_later
from coalition.ledger.drafts import (
    Adjust,
    Capture,
    Convert,
    Converted,
    Draft,
    Held,
    Hold,
    Outcome,
    Owed,
    Posted,
    Recover,
)
from coalition.ledger.refusals import NotEnoughPoints
from coalition.ledger.rules import Available, End, after_activity, in_spending_order
from tests.ledger.clock_world import NOON, Book, assert_books_hold, issue
from tests.support.ledger import FUEL, GROCER, open_holder, redeem, reverse, till

DAY = timedelta(days=1)
TODAY = NOON.date()
CLOCK_ENDS = months_later(TODAY, 6)
"""Through which day the clock of a `Book` lets points live that are issued at noon."""
BEFORE, AFTER = CLOCK_ENDS - DAY, CLOCK_ENDS + DAY
ONLY_ISSUES = Clock(1, 6, counts_issue=True, counts_redeem=False)
ONLY_REDEMPTIONS = Clock(1, 6, counts_issue=False, counts_redeem=True)

days = st.none() | st.sampled_from([TODAY + n * DAY for n in range(4)])
ends = st.builds(
    End,
    expires_on=days,
    clock_no=st.integers(0, 2),
    live_until=days,
    earned_month=st.sampled_from([202610, 202611]),
)
lots_with_ends = st.lists(ends, max_size=8).map(
    lambda found: [Available(UUID(int=n), n + 1, end) for n, end in enumerate(found)]
)


def last_day(one: Available) -> date:
    assert one.end is not None
    told = [day for day in (one.end.expires_on, one.end.live_until) if day is not None]
    return min(told, default=date.max)


@given(lots_with_ends)
def test_of_two_lots_the_one_that_ends_first_is_first_then_the_month_then_the_id(
    available: list[Available],
) -> None:
    ordered = in_spending_order(reversed(available))
    assert sorted(one.lot for one in ordered) == [one.lot for one in available]
    for one, other in pairwise(ordered):
        assert one.end is not None
        assert other.end is not None
        assert last_day(one) <= last_day(other)
        if last_day(one) == last_day(other):
            assert one.end.earned_month <= other.end.earned_month
            if one.end.earned_month == other.end.earned_month:
                assert one.lot < other.lot


@given(lots_with_ends, st.dictionaries(st.integers(1, 2), days.filter(bool), max_size=2))
def test_a_clock_that_is_set_back_moves_its_own_lots_only(
    available: list[Available], live_until: dict[int, date]
) -> None:
    moved = after_activity(available, live_until)
    assert moved == in_spending_order(moved)
    before = {one.lot: one for one in available}
    assert {one.lot for one in moved} == set(before)
    for one in moved:
        assert one.end is not None
        was = before[one.lot]
        until = live_until.get(one.end.clock_no)
        if until is None:
            assert one == was
        else:
            assert one == was._replace(end=one.end)
            assert one.end.live_until == until


class Purse:
    """A member with points that end by date, by clock, by both and never."""

    def __init__(self, *clocks: Clock) -> None:
        self.book = Book(*clocks)

    async def open(self, *lots: tuple[int, date | None, int]) -> "Purse":
        """Give lots of so many points, with a last day and a clock; at noon."""
        await self.book.open()
        self.member = await open_holder(NOON)
        self.points_of = {points: (expires_on, clock_no) for points, expires_on, clock_no in lots}
        drafts = [
            issue(self.member, points, NOON, expires_on=expires_on, clock_no=clock_no)
            for points, expires_on, clock_no in lots
        ]
        assert [type(one) for one in await self.book.post(drafts, NOON)] == [Posted] * len(lots)
        return self

    async def one(self, draft: Draft) -> Outcome:
        return await self.book.one(draft, NOON + timedelta(hours=1))

    async def post(self, drafts: list[Draft], at: datetime, sent: str) -> list[Outcome]:
        """Post `drafts` in one batch, or each in its own."""
        parts = [drafts] if sent == "together" else [[draft] for draft in drafts]
        return [one for part in parts for one in await self.book.post(part, at)]

    async def untouched(self) -> set[int]:
        """Return what the lots were given of which nothing has been spent or held."""
        return {points for points, out, held in await self._lots() if out == held == 0}

    async def left(self) -> dict[int, int]:
        """Return what is left to spend, by what the lot was given."""
        return {points: points - out - held for points, out, held in await self._lots()}

    async def _lots(self) -> Sequence[tuple[int, int, int]]:
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT points_in, points_out, held FROM lot WHERE holder = $1 AND currency_no = 1",
                self.member,
            )
        return [(row[0], row[1], row[2]) for row in rows]


@pytest.mark.usefixtures("database")
class TestOrder:
    async def test_a_lot_with_a_clock_only_comes_between_dates(self) -> None:
        purse = await Purse().open((1, None, 0), (20, AFTER, 0), (300, None, 1), (4000, BEFORE, 0))
        for taken, untouched in ((4000, {1, 20, 300}), (300, {1, 20}), (20, {1}), (1, set())):
            assert isinstance(await purse.one(redeem(purse.member, taken, NOON)), Posted)
            assert await purse.untouched() == untouched
        await assert_books_hold()

    async def test_of_a_date_and_a_clock_the_earlier_counts(self) -> None:
        far = TODAY + timedelta(days=900)
        purse = await Purse().open((10, AFTER, 0), (200, far, 1), (3000, BEFORE, 1))
        for taken, untouched in ((3000, {10, 200}), (200, {10}), (10, set())):
            assert isinstance(await purse.one(redeem(purse.member, taken, NOON)), Posted)
            assert await purse.untouched() == untouched

    async def test_lots_that_end_together_go_by_the_month_they_were_earned(self) -> None:
        purse = await Purse(ONLY_REDEMPTIONS).open((10, None, 1))
        later = NOON + timedelta(days=30)
        given = [
            issue(purse.member, 200, later, expires_on=CLOCK_ENDS, clock_no=0),
            issue(purse.member, 3000, later, clock_no=1),
        ]
        await purse.book.post(given, later)
        await purse.book.post([redeem(purse.member, 10, later)], later)
        assert await purse.untouched() == {200, 3000}

    async def test_expiry_that_is_suspended_changes_nothing_of_the_order(self) -> None:
        purse = await Purse().open((10, AFTER, 0), (200, None, 1))
        after_both = NOON + timedelta(days=300)
        async with transaction() as connection:
            until = after_both.date() + DAY
            await holders.suspend_expiry(connection, purse.member, until)
        await purse.book.post([redeem(purse.member, 200, after_both)], after_both)
        assert await purse.untouched() == {10}

    async def test_members_are_served_by_their_own_clocks_in_one_batch(self) -> None:
        purse = await Purse().open((10, AFTER, 0), (200, None, 1))
        other, later = await open_holder(NOON), NOON + timedelta(days=30)
        await purse.book.post(
            [issue(other, 30, later, expires_on=AFTER, clock_no=0), issue(other, 400, later)], later
        )
        await purse.book.post([redeem(purse.member, 1, later), redeem(other, 2, later)], later)
        assert await purse.left() == {10: 10, 200: 199}
        purse.member = other
        assert await purse.left() == {30: 28, 400: 400}


@pytest.mark.usefixtures("database")
class TestWhoeverTakes:
    async def test_a_hold_takes_what_ends_first_and_a_capture_goes_by_date(self) -> None:
        purse = await Purse().open((10, AFTER, 0), (200, None, 1))
        later = NOON + timedelta(hours=1)
        held = await purse.one(Hold(purse.member, till(FUEL, later, "h"), 1, 205, later + DAY))
        assert isinstance(held, Held)
        assert await purse.left() == {10: 5, 200: 0}
        assert isinstance(await purse.one(Capture(held.hold, FUEL, None, 5)), Posted)
        assert await purse.left() == {10: 5, 200: 200}

    async def test_staff_take_what_ends_first(self) -> None:
        purse = await Purse().open((10, AFTER, 0), (200, None, 1))
        bare = till(0, NOON)
        assert isinstance(await purse.one(Adjust(purse.member, bare, 1, 50, "wrong")), Posted)
        assert await purse.left() == {10: 10, 200: 150}
        refused = await purse.one(Adjust(purse.member, bare, 1, 161, "wrong"))
        assert isinstance(refused, NotEnoughPoints)
        assert refused.facts["balance"] == 160

    async def test_points_just_given_by_staff_end_with_the_clock_they_start(self) -> None:
        purse = await Purse().open((10, AFTER, 0))
        later, bare = NOON + timedelta(hours=1), till(0, NOON)
        (given,) = issue(purse.member, 200, NOON).grants
        await purse.book.post(
            [
                Adjust(purse.member, bare, 1, 200, "a gift", given.provenance),
                Adjust(purse.member, bare, 1, 50, "too much"),
            ],
            later,
        )
        assert await purse.left() == {10: 10, 200: 150}

    async def test_a_debt_is_paid_with_what_ends_first(self) -> None:
        purse = await Purse().open()
        bought = await purse.book.post(
            [issue(purse.member, 7, NOON, clock_no=0), redeem(purse.member, 7, NOON)], NOON
        )
        assert isinstance(bought[0], Posted)
        back = reverse(bought[0].posting, NOON, partner_no=GROCER)
        owing = structs.replace(back, debts={10 * GROCER: 0})
        assert isinstance(await purse.one(owing), Owed)
        given = [
            issue(purse.member, 10, NOON, expires_on=AFTER, clock_no=0),
            issue(purse.member, 200, NOON),
        ]
        await purse.book.post(given, NOON + timedelta(hours=1))
        await purse.one(Recover(purse.member, till(0, NOON), 1, 7))
        assert (await purse.left()) == {7: 0, 10: 10, 200: 193}

    async def test_a_conversion_takes_what_ends_first(self) -> None:
        purse = await Purse().open((10, AFTER, 0), (200, None, 1))
        convert = Convert(purse.member, till(0, NOON), 1, 2, 50, 2, 1)
        assert isinstance(await purse.one(convert), Converted)
        assert await purse.left() == {10: 10, 200: 150}

    async def test_a_survivor_spends_by_the_clock_that_was_merged(self) -> None:
        purse = await Purse().open((10, AFTER, 0), (200, None, 1))
        other, later = await open_holder(NOON), NOON + timedelta(days=30)
        await purse.book.post([issue(other, 3000, later)], later)
        async with transaction() as connection:
            await merging.merge(
                connection, from_holder=other, into_holder=purse.member, at=later, today=TODAY
            )
        await purse.book.post([redeem(purse.member, 1, later)], later)
        assert (await purse.left())[10] == 9, "its clock runs longer now than that date"


@pytest.mark.usefixtures("database")
class TestOneAfterAnother:
    """A batch spends what its drafts would have spent one by one."""

    @pytest.mark.parametrize("sent", ["together", "apart"])
    async def test_a_redemption_sets_the_clock_back_for_the_next(self, sent: str) -> None:
        purse = await Purse().open((10, AFTER, 0), (200, None, 1))
        later = NOON + timedelta(days=30)
        drafts: list[Draft] = [redeem(purse.member, points, later) for points in (500, 50, 5)]
        outcomes = await purse.post(drafts, later, sent)
        assert [type(one) for one in outcomes] == [NotEnoughPoints, Posted, Posted]
        assert await purse.left() == {10: 5, 200: 150}

    @pytest.mark.parametrize("sent", ["together", "apart"])
    async def test_a_clock_that_redemptions_do_not_set_back_stays(self, sent: str) -> None:
        purse = await Purse(ONLY_ISSUES).open((10, AFTER, 0), (200, None, 1))
        later = NOON + timedelta(days=30)
        drafts: list[Draft] = [redeem(purse.member, points, later) for points in (50, 5)]
        await purse.post(drafts, later, sent)
        assert await purse.left() == {10: 10, 200: 145}

    @pytest.mark.parametrize("sent", ["together", "apart"])
    async def test_an_issue_sets_the_clock_back_for_what_follows(self, sent: str) -> None:
        purse = await Purse().open((10, AFTER, 0), (200, None, 1))
        later = NOON + timedelta(days=30)
        drafts: list[Draft] = [
            issue(purse.member, 3000, later, clock_no=0),
            redeem(purse.member, 5, later),
        ]
        await purse.post(drafts, later, sent)
        assert await purse.left() == {10: 5, 200: 200, 3000: 3000}

    @pytest.mark.parametrize("sent", ["together", "apart"])
    async def test_a_redemption_in_another_currency_sets_nothing_back(self, sent: str) -> None:
        purse = await Purse().open((10, AFTER, 0), (200, None, 1))
        later = NOON + timedelta(days=30)
        await purse.book.post([issue(purse.member, 9, NOON, clock_no=0, currency_no=2)], NOON)
        foreign = structs.replace(redeem(purse.member, 9, later), currency_no=2)
        drafts: list[Draft] = [foreign, redeem(purse.member, 5, later)]
        await purse.post(drafts, later, sent)
        assert await purse.left() == {10: 10, 200: 195}
