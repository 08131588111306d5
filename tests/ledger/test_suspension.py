"""While expiry is suspended nothing of a holder ends; afterwards it ends at once."""

from datetime import timedelta

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import random_id
from coalition.ledger import expiry, holders
from coalition.ledger.drafts import Posted
from coalition.ledger.refusals import NotEnoughPoints, UnknownHolder
from tests.ledger.clock_world import NOON, Book, assert_books_hold, issue
from tests.support.ledger import FUEL, balance, open_holder, redeem, reverse


@pytest.mark.usefixtures("database")
class TestSuspension:
    async def test_nothing_of_a_suspended_holder_ends(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        soon = NOON.date() + timedelta(days=5)
        await book.post(
            [issue(anna, 100, NOON, clock_no=0, expires_on=soon), issue(anna, 10, NOON)], NOON
        )
        until = NOON.date() + timedelta(days=400)
        async with transaction() as connection:
            await holders.suspend_expiry(connection, anna, until)
        late = NOON + timedelta(days=399)
        assert await balance(anna, late) == 110
        assert await expiry.expire(late, late.date()) == 0
        spent = await book.one(redeem(anna, 105, late), late)
        assert isinstance(spent, Posted)
        assert await balance(anna, late) == 5
        await assert_books_hold()

    async def test_what_ended_meanwhile_ends_at_once_with_the_suspension(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        soon = NOON.date() + timedelta(days=5)
        await book.post(
            [issue(anna, 100, NOON, clock_no=0, expires_on=soon), issue(anna, 10, NOON)], NOON
        )
        until = NOON.date() + timedelta(days=400)
        async with transaction() as connection:
            await holders.suspend_expiry(connection, anna, until)
        over = NOON + timedelta(days=401)
        assert await balance(anna, over) == 0
        assert await expiry.expire(over, over.date()) == 110
        assert isinstance(await book.one(redeem(anna, 1, over), over), NotEnoughPoints)
        await assert_books_hold()

    async def test_activity_while_suspended_keeps_the_old_points_of_a_clock(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON)], NOON)
        until = NOON.date() + timedelta(days=400)
        async with transaction() as connection:
            await holders.suspend_expiry(connection, anna, until)
        late = NOON + timedelta(days=390)
        await book.post([issue(anna, 1, late)], late)
        assert await balance(anna, NOON + timedelta(days=450)) == 101

    async def test_the_later_end_of_two_suspensions_holds_until_it_is_ended(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        await book.post([issue(anna, 100, NOON, clock_no=0, expires_on=NOON.date())], NOON)
        async with transaction() as connection:
            await holders.suspend_expiry(connection, anna, None)
            await holders.suspend_expiry(connection, anna, NOON.date() + timedelta(days=3))
        assert await balance(anna, NOON + timedelta(days=9_000)) == 100
        async with transaction() as connection:
            await holders.resume_expiry(connection, anna, NOON.date() + timedelta(days=9))
            await holders.resume_expiry(connection, anna, NOON.date() + timedelta(days=90))
        assert await balance(anna, NOON + timedelta(days=9)) == 100
        assert await balance(anna, NOON + timedelta(days=10)) == 0

    async def test_a_return_to_a_suspended_holder_goes_back_where_it_came_from(self) -> None:
        book, anna = await Book().open(), await open_holder(NOON)
        spent = (
            await book.post(
                [
                    issue(anna, 100, NOON, clock_no=0, expires_on=NOON.date()),
                    redeem(anna, 100, NOON),
                ],
                NOON,
            )
        )[1]
        assert isinstance(spent, Posted)
        async with transaction() as connection:
            await holders.suspend_expiry(connection, anna, NOON.date() + timedelta(days=99))
        later = NOON + timedelta(days=60)
        await book.post([reverse(spent.posting, later, partner_no=FUEL)], later)
        assert await balance(anna, later + timedelta(days=39)) == 100


async def test_nobody_suspends_the_expiry_of_an_unknown_member(database: Engine) -> None:
    nobody = random_id()
    with pytest.raises(UnknownHolder):
        async with transaction() as connection:
            await holders.suspend_expiry(connection, nobody, None)
    with pytest.raises(UnknownHolder):
        async with transaction() as connection:
            await holders.resume_expiry(connection, nobody, NOON.date())
