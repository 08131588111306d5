"""Holders whose ids lie side by side, in one bucket and one range of lots, are still two."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.kernel.ids import bucket_of, random_id
from coalition.ledger import clocks, debts, endings, expiry, holders, kept_shares
from coalition.ledger.drafts import Grant, Issue, Posted
from coalition.ledger.kept_shares import Share
from coalition.ledger.provenance import lowest_lot
from coalition.ledger.refusals import NotEnoughPoints, NothingOwed
from tests.ledger.clock_world import NOON, Book, assert_books_hold
from tests.ledger.transfer_world import lots_of, merge
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    open_holder,
    provenance,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def neighbours() -> tuple[UUID, UUID]:
    """Return two holders of one bucket, whose lots lie in one range."""
    anna = random_id()
    beside = UUID(int=anna.int ^ (1 << 20))
    assert bucket_of(anna) == bucket_of(beside)
    assert lowest_lot(anna) == lowest_lot(beside)
    async with transaction() as connection:
        await holders.open_holders(connection, [anna, beside], NOON)
    return anna, beside


def given(holder: UUID, points: int, at: datetime, issuer: int, *, clock_no: int = 1) -> Issue:
    """Return an issue; two issuers, since alike in all else their lots would have one id."""
    of = provenance(issuer)._replace(clock_no=clock_no)
    return Issue(holder, till(issuer, at), (Grant(of, points),))


async def lapsed(*asked: UUID, at: datetime) -> set[UUID]:
    async with transaction() as connection:
        return await clocks.lapsed(connection, asked, at.date())


async def test_what_runs_out_and_is_booked_of_one_is_not_of_the_other() -> None:
    book = await Book().open()
    anna, beside = await neighbours()
    await book.post([given(anna, 100, NOON, GROCER), given(beside, 50, NOON, FUEL)], NOON)
    active, later = NOON + 100 * DAY, NOON + 200 * DAY
    await book.one(given(beside, 1, active, FUEL), active)
    assert await lapsed(anna, beside, at=later) == {anna}
    assert await lapsed(beside, at=later) == set()
    assert [await balance(one, later) for one in (anna, beside)] == [0, 51]
    async with transaction() as connection:
        (told,) = await endings.of_holder(connection, beside, currency_no=1, today=later.date())
    assert told.points == 51
    # Who is active again has what had ended booked first: of nobody else.
    await book.one(given(anna, 10, later, GROCER), later)
    assert [await balance(one, later) for one in (anna, beside)] == [10, 51]
    assert await expiry.expire(later, later.date()) == 0
    refused = await book.one(redeem(anna, 11, later), later)
    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts["balance"] == 10
    assert isinstance(await book.one(redeem(beside, 51, later), later), Posted)
    assert await balance(anna, later) == 10
    await assert_books_hold()


async def test_what_one_owes_the_other_does_not() -> None:
    book = await Book().open()
    anna, beside = await neighbours()
    earned = await book.one(given(anna, 100, NOON, GROCER), NOON)
    assert isinstance(earned, Posted)
    await book.post([given(beside, 70, NOON, FUEL), redeem(anna, 80, NOON)], NOON)
    back = reverse(earned.posting, NOON, partner_no=GROCER)
    owed = await book.one(structs.replace(back, debts={GROCER * 10: 100}), NOON)
    assert isinstance(owed, Posted)
    assert owed.debt == 80
    async with transaction() as connection:
        assert await debts.list_open(connection, holder=beside) == []
        assert list(await debts.read_open(connection, [anna, beside])) == [anna]
        with pytest.raises(NothingOwed):
            await debts.write_off(
                connection, beside, currency_no=1, points=None, issue=None, actor="staff:bo",
                reason="none", at=NOON,
            )  # fmt: skip
    paid = await book.one(given(beside, 9, NOON, FUEL), NOON)
    assert isinstance(paid, Posted)
    assert paid.recovered == ()
    assert [await balance(one, NOON) for one in (anna, beside)] == [0, 79]
    await assert_books_hold()


async def test_a_merge_moves_what_is_of_one_and_leaves_the_other_as_it_was() -> None:
    book = await Book().open()
    anna, beside = await neighbours()
    survivor = await open_holder(NOON)
    await book.post([given(anna, 100, NOON, GROCER), given(beside, 50, NOON, FUEL)], NOON)
    later = NOON + 30 * DAY
    await book.one(given(beside, 1, later, FUEL), later)
    async with transaction() as connection:
        before = await clocks.of_holder(connection, beside)
    await merge(anna, survivor, later)
    async with transaction() as connection:
        assert await clocks.of_holder(connection, beside) == before
        (moved,) = await clocks.of_holder(connection, survivor)
    assert moved.last_activity == NOON.date()
    assert [one["points"] for one in await lots_of(beside)] == [51]
    assert [await balance(one, later) for one in (anna, beside, survivor)] == [0, 51, 100]
    await assert_books_hold()


async def test_shares_that_are_kept_at_one_are_not_at_the_other() -> None:
    book = await Book().open()
    pot, beside = await neighbours()
    member = await open_holder(NOON)
    brought = provenance(FUEL, expires_on=NOON.date())._replace(contributor=member)
    for holder, issuer, points in ((pot, FUEL, 60), (beside, GROCER, 30)):
        of = brought._replace(issuer_no=issuer)
        await book.one(Issue(holder, till(issuer, NOON), (Grant(of, points),)), NOON)
    tomorrow = NOON + DAY
    async with transaction() as connection:
        await kept_shares.follow(connection, pot, {member: Share(member, tomorrow.date())})
        assert await kept_shares.read(connection, [beside]) == {}
        await kept_shares.forget(connection, beside)
    assert [await balance(one, tomorrow) for one in (pot, beside)] == [60, 0]
    assert await expiry.expire(tomorrow, tomorrow.date()) == 30
    assert [await balance(one, tomorrow) for one in (pot, beside)] == [60, 0]
    await assert_books_hold()
