"""Clocks of who sends and who receives: points live on as they would have, or as is said."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit, clocks, expiry, holders
from coalition.ledger.clocks import Clock, HolderClock
from coalition.ledger.drafts import Held, Posted, Transferred
from coalition.ledger.refusals import NotEnoughPoints, PointsAlreadySpent
from coalition.ledger.selecting import NewEnd, Side
from tests.ledger.clock_world import NOON, Book, issue
from tests.ledger.transfer_world import BOTH, reserve, transfer, undo
from tests.support.ledger import open_holder, redeem

pytestmark = pytest.mark.usefixtures("database")

SPRING = datetime(2027, 3, 21, 12, tzinfo=NOON.tzinfo)
"""Four months later: the clock has two more to run."""
SUMMER = datetime(2027, 6, 21, 12, tzinfo=NOON.tzinfo)
CARRIED, FRESH = date(2027, 5, 21), date(2027, 9, 21)


async def standing(holder: UUID) -> list[date]:
    """Return through which day the clocks of a holder let its points live."""
    async with transaction() as connection:
        return [clock.live_until for clock in await clocks.of_holder(connection, holder)]


async def two() -> tuple[Book, UUID, UUID]:
    """Open a book with a member who has points under a clock, and one who has none."""
    book = await Book().open()
    sender, receiver = await open_holder(NOON), await open_holder(NOON)
    await book.one(issue(sender, 100, NOON), NOON)
    return book, sender, receiver


async def test_points_live_at_the_receiver_as_long_as_they_would_have() -> None:
    book, sender, receiver = await two()
    await book.one(transfer(sender, receiver, 60, SPRING), SPRING)
    assert await standing(sender) == [CARRIED]
    assert await standing(receiver) == [CARRIED]
    assert isinstance(await book.one(redeem(receiver, 60, SPRING), SPRING), Posted)
    assert await standing(receiver) == [FRESH]
    assert (await audit.run()).ok


async def test_points_that_come_do_not_make_others_live_longer() -> None:
    book, sender, receiver = await two()
    later = SPRING + timedelta(days=1)
    await book.post([issue(sender, 1, SPRING)], SPRING)
    await book.one(issue(receiver, 5, NOON), NOON)
    await book.one(transfer(sender, receiver, 60, later), later)
    assert await standing(sender) == [FRESH]
    assert await standing(receiver) == [CARRIED]


async def test_a_clock_that_had_run_out_starts_anew_with_what_comes() -> None:
    book, sender, receiver = await two()
    await book.one(issue(receiver, 5, NOON), NOON)
    await book.one(issue(sender, 1, SPRING), SPRING)
    made = await book.one(transfer(sender, receiver, 60, SUMMER), SUMMER)
    assert isinstance(made, Transferred)
    assert await standing(receiver) == [FRESH]
    refused = await book.one(redeem(receiver, 61, SUMMER), SUMMER)
    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts["balance"] == 60
    assert (await audit.run()).ok


async def test_of_two_that_send_the_first_starts_the_clock() -> None:
    book, sender, receiver = await two()
    other = await open_holder(NOON)
    await book.one(issue(other, 100, SPRING), SPRING)
    both = [transfer(one, receiver, 60, SPRING) for one in (sender, other)]
    await book.post(both, SPRING)
    assert await standing(receiver) == [CARRIED]


async def test_who_was_active_by_sending_hands_on_a_clock_that_was_set_back() -> None:
    book, sender, receiver = await two()
    other = await open_holder(NOON)
    active = transfer(sender, other, 10, SPRING, activity=frozenset({Side.SENDER}))
    await book.post([active, transfer(sender, receiver, 10, SPRING)], SPRING)
    assert await standing(other) == [CARRIED]
    assert await standing(receiver) == [FRESH]


async def test_under_the_receivers_terms_the_clock_starts_on_the_day() -> None:
    book, sender, receiver = await two()
    end = {10: NewEnd(None, clock_no=1)}
    await book.one(transfer(sender, receiver, 60, SPRING, endings=end), SPRING)
    assert await standing(receiver) == [FRESH]
    assert await standing(sender) == [CARRIED]


async def test_points_may_leave_their_clock_behind() -> None:
    book, sender, receiver = await two()
    end = {10: NewEnd(date(2027, 12, 31))}
    await book.one(transfer(sender, receiver, 60, SPRING, endings=end), SPRING)
    assert await standing(receiver) == []


@pytest.mark.parametrize(
    ("activity", "of_sender", "of_receiver"),
    [
        (BOTH, FRESH, FRESH),
        (frozenset({Side.SENDER}), FRESH, CARRIED),
        (frozenset({Side.RECEIVER}), CARRIED, FRESH),
    ],
    ids=["both", "sender", "receiver"],
)
async def test_a_transfer_counts_as_activity_where_that_is_said(
    activity: frozenset[Side], of_sender: date, of_receiver: date
) -> None:
    book, sender, receiver = await two()
    await book.one(transfer(sender, receiver, 60, SPRING, activity=activity), SPRING)
    assert await standing(sender) == [of_sender]
    assert await standing(receiver) == [of_receiver]


async def test_activity_of_a_transfer_changes_what_goes_next() -> None:
    book = await Book().open()
    sender, receiver = await open_holder(NOON), await open_holder(NOON)
    dated = date(2027, 6, 30)
    await book.post(
        [issue(sender, 100, NOON), issue(sender, 50, NOON, clock_no=0, expires_on=dated)], NOON
    )
    drafts = [
        transfer(sender, receiver, 10, SPRING, activity=frozenset({Side.SENDER})),
        transfer(sender, receiver, 10, SPRING),
    ]
    first, second = await book.post(drafts, SPRING)
    assert isinstance(first, Transferred)
    assert isinstance(second, Transferred)
    # Under the clock first, which ended in May; then those of June, since it was set back.
    assert first.legs[0].lot != second.legs[0].lot


async def test_who_has_held_points_alone_may_be_active_by_sending_them() -> None:
    book, sender, receiver = await two()
    (held,) = await book.post([reserve(sender, 60, NOON)], NOON)
    assert isinstance(held, Held)
    draft = transfer(sender, receiver, 60, NOON, hold=held.hold, activity=BOTH)
    assert isinstance(await book.one(draft, NOON), Transferred)
    assert await standing(receiver) == await standing(sender)


async def test_points_that_only_a_suspension_keeps_stay() -> None:
    book, sender, receiver = await two()
    async with transaction() as connection:
        await holders.suspend_expiry(connection, sender, None)
    refused = await book.one(transfer(sender, receiver, 1, SUMMER), SUMMER)
    assert isinstance(refused, NotEnoughPoints)
    end = {10: NewEnd(None, clock_no=1)}
    made = await book.one(transfer(sender, receiver, 1, SUMMER, endings=end), SUMMER)
    assert isinstance(made, Transferred)


async def test_what_a_clock_has_ended_at_the_receiver_is_not_undone() -> None:
    book, sender, receiver = await two()
    made = await book.one(transfer(sender, receiver, 60, SPRING), SPRING)
    assert isinstance(made, Transferred)
    refused = await book.one(undo(made, SUMMER), SUMMER)
    assert isinstance(refused, PointsAlreadySpent)
    await expiry.expire(SUMMER, SUMMER.date())
    assert (await audit.run()).ok


async def test_what_the_senders_clock_has_ended_comes_back_with_days_of_grace() -> None:
    book, sender, receiver = await two()
    end = {10: NewEnd(date(2028, 12, 31))}
    made = await book.one(transfer(sender, receiver, 60, SPRING, endings=end), SPRING)
    assert isinstance(made, Transferred)
    assert isinstance(await book.one(undo(made, SUMMER), SUMMER), Transferred)
    assert isinstance(await book.one(redeem(sender, 61, SUMMER), SUMMER), NotEnoughPoints)
    assert not isinstance(await book.one(redeem(sender, 60, SUMMER), SUMMER), NotEnoughPoints)
    assert (await audit.run()).ok


async def test_points_pass_through_several_hands_in_one_batch_with_their_clock() -> None:
    book, sender, receiver = await two()
    last = await open_holder(NOON)
    outcomes = await book.post(
        [transfer(sender, receiver, 60, SPRING), transfer(receiver, last, 60, SPRING)], SPRING
    )
    assert [type(outcome) for outcome in outcomes] == [Transferred, Transferred]
    assert await standing(last) == [CARRIED]


async def test_a_clock_that_a_rule_counts_as_activity_need_not_count_it_itself() -> None:
    book = await Book(Clock(1, 6, counts_issue=False, counts_redeem=True)).open()
    sender, receiver = await open_holder(NOON), await open_holder(NOON)
    await book.one(issue(sender, 100, NOON), NOON)
    await book.one(transfer(sender, receiver, 1, SPRING, activity=BOTH), SPRING)
    assert await standing(sender) == [FRESH]
    assert {clock.live_until for clock in await _clocks(receiver)} == {FRESH}


async def _clocks(holder: UUID) -> list[HolderClock]:
    async with transaction() as connection:
        return await clocks.of_holder(connection, holder)
