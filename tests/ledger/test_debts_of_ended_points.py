"""Points that have expired are owed by nobody, also where their lot lives again."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.ledger import expiry, holders, merging
from coalition.ledger.drafts import Owed, Posted, Redeem, Reverse
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import PointsAlreadySpent
from tests.ledger.clock_world import NOON, Book, assert_books_hold, issue
from tests.support.ledger import GROCER, balance, open_holder, redeem, reverse

pytestmark = pytest.mark.usefixtures("database")

LATE = NOON + timedelta(days=300)


def owing(of: UUID, at: datetime) -> Reverse:
    """Return a draft that reverses an issue and lets spent points be owed."""
    return structs.replace(reverse(of, at, partner_no=GROCER), debts={GROCER * 10: 50})


async def merge(gone: UUID, kept: UUID, at: datetime) -> None:
    await ensure_partition(at)
    async with transaction() as connection:
        await merging.merge(connection, from_holder=gone, into_holder=kept, at=at, today=at.date())


async def test_what_a_clock_has_ended_is_not_owed_when_the_clock_runs_again() -> None:
    book, anna = await Book().open(), await open_holder(NOON)
    made = await book.one(issue(anna, 100, NOON), NOON)
    assert isinstance(made, Posted)
    await book.one(issue(anna, 7, LATE), LATE)
    refused = await book.one(owing(made.posting, LATE), LATE)
    assert isinstance(refused, PointsAlreadySpent)
    assert refused.facts["remaining"] == 0
    assert await balance(anna, LATE) == 7
    await assert_books_hold()


async def test_nor_where_the_clock_starts_again_in_the_same_batch() -> None:
    book, anna = await Book().open(), await open_holder(NOON)
    made = await book.one(issue(anna, 100, NOON), NOON)
    assert isinstance(made, Posted)
    issued, refused = await book.post([issue(anna, 7, LATE), owing(made.posting, LATE)], LATE)
    assert isinstance(issued, Posted)
    assert isinstance(refused, PointsAlreadySpent)
    await assert_books_hold()


async def test_what_had_expired_before_a_suspension_is_not_owed() -> None:
    book, anna = await Book().open(), await open_holder(NOON)
    soon = NOON.date() + timedelta(days=5)
    made = await book.one(issue(anna, 100, NOON, clock_no=0, expires_on=soon), NOON)
    assert isinstance(made, Posted)
    over = NOON + timedelta(days=7)
    assert await expiry.expire(over, over.date()) == 100
    async with transaction() as connection:
        await holders.suspend_expiry(connection, anna, None)
    assert isinstance(await book.one(owing(made.posting, over), over), PointsAlreadySpent)
    await assert_books_hold()


@pytest.mark.parametrize("clock_no", [0, 1])
async def test_what_was_spent_while_expiry_was_suspended_is_owed(clock_no: int) -> None:
    book, anna = await Book().open(), await open_holder(NOON)
    soon = NOON.date() + timedelta(days=5)
    made = await book.one(issue(anna, 100, NOON, clock_no=clock_no, expires_on=soon), NOON)
    assert isinstance(made, Posted)
    async with transaction() as connection:
        await holders.suspend_expiry(connection, anna, None)
    spent: Redeem = redeem(anna, 100, LATE)
    assert isinstance(await book.one(spent, LATE), Posted)
    owed = await book.one(owing(made.posting, LATE), LATE)
    assert isinstance(owed, Owed)
    assert owed.points == 100
    await assert_books_hold()


async def test_what_expired_with_who_became_the_same_person_is_not_owed_by_the_survivor() -> None:
    book, anna, double = await Book().open(), await open_holder(NOON), await open_holder(NOON)
    made, _ = await book.post([issue(anna, 10, NOON), issue(double, 10, NOON)], NOON)
    assert isinstance(made, Posted)
    spends = NOON + timedelta(days=100)
    assert isinstance(await book.one(redeem(anna, 10, spends), spends), Posted)
    lapses = NOON + timedelta(days=190)
    await ensure_partition(lapses)
    assert await expiry.expire(lapses, lapses.date()) == 10
    await merge(double, anna, lapses)
    assert isinstance(await book.one(owing(made.posting, lapses), lapses), PointsAlreadySpent)
    await assert_books_hold()


async def test_a_reversal_books_what_the_clock_of_the_survivor_has_ended() -> None:
    book, anna, double = await Book().open(), await open_holder(NOON), await open_holder(NOON)
    made, _ = await book.post([issue(double, 100, NOON, clock_no=0), issue(anna, 30, NOON)], NOON)
    assert isinstance(made, Posted)
    await merge(double, anna, NOON)
    back = await book.one(reverse(made.posting, LATE, partner_no=GROCER), LATE)
    assert isinstance(back, Posted)
    assert back.points == 100
    async with transaction() as connection:
        expired = await connection.fetchval(
            "SELECT sum(points) FROM posting WHERE kind = 4 AND holder = $1", anna
        )
    assert expired == 30
    await assert_books_hold()
