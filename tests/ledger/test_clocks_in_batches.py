"""Clocks amid a batch: what comes later in it sees what came before."""

from datetime import timedelta

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import clocks
from coalition.ledger.drafts import Convert, Posted
from tests.ledger.clock_world import NOON, Book, assert_books_hold, issue
from tests.support.ledger import FUEL, GROCER, balance, open_holder, redeem, reverse, till
from tests.support.ledger import issue as issue_without_clock

pytestmark = pytest.mark.usefixtures("database")

LATE = NOON + timedelta(days=400)


async def test_points_under_a_clock_that_had_run_out_can_be_spent_in_the_same_batch() -> None:
    book, anna = await Book().open(), await open_holder(NOON)
    await book.post([issue(anna, 10, NOON)], NOON)
    outcomes = await book.post([issue(anna, 7, LATE), redeem(anna, 5, LATE)], LATE)
    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    assert await balance(anna, LATE) == 2
    await assert_books_hold()


async def test_what_returns_after_activity_in_the_same_batch_lives_under_its_clock() -> None:
    book, anna = await Book().open(), await open_holder(NOON)
    await book.post([issue(anna, 10, NOON)], NOON)
    spent = await book.one(redeem(anna, 10, NOON), NOON)
    assert isinstance(spent, Posted)
    back = reverse(spent.posting, LATE, partner_no=FUEL)
    await book.post([issue_without_clock(anna, 5, LATE), back], LATE)
    after_grace = LATE + timedelta(days=31)
    assert await balance(anna, after_grace) == 15
    await assert_books_hold()


async def test_points_converted_after_activity_in_a_batch_live_as_long_as_the_others() -> None:
    book, anna = await Book().open(), await open_holder(NOON)
    await book.post([issue(anna, 10, NOON)], NOON)
    later = NOON + timedelta(days=100)
    exchange = Convert(anna, till(GROCER, later), 1, 2, 4, from_points=2, to_points=1)
    await book.post([redeem(anna, 1, later), exchange], later)
    async with transaction() as connection:
        ends = {clock.live_until for clock in await clocks.of_holder(connection, anna)}
    assert ends == {clocks.months_later(later.date(), 6)}
    await assert_books_hold()
