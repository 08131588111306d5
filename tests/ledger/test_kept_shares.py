"""Points that somebody brought into another's account live on while its tier says so."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit, endings, expiry, holders, kept_shares, merging, posting
from coalition.ledger.drafts import Posted, Transfer, Transferred
from coalition.ledger.kept_shares import Share
from coalition.ledger.refusals import NotEnoughPoints
from coalition.ledger.selecting import SpendOrder
from tests.ledger.clock_world import NOON, Book
from tests.ledger.clock_world import issue as under_clock
from tests.ledger.pool_world import spend
from tests.support.ledger import balance, issue, open_holder, post, till

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def _account(at: datetime, *, book: Book | None = None) -> tuple[UUID, UUID, UUID]:
    """Return an account with 100 points of each of two that end today, and them."""
    anna, bo, pot = [await open_holder(at) for _ in range(3)]
    for one in (anna, bo):
        if book is not None:
            await book.one(under_clock(one, 100, at), at)
        else:
            await post([issue(one, 100, at, expires_on=at.date())], at)
        draft = Transfer(
            holder=one, receiver=pot, till=till(0, at), currency_no=1, points=100,
            contributor=one,
        )  # fmt: skip
        moved = await (book.one(draft, at) if book is not None else _one(draft, at))
        assert isinstance(moved, Transferred), moved
    return anna, bo, pot


async def _one(draft: Transfer, at: datetime) -> object:
    (outcome,) = await post([draft], at)
    return outcome


async def _follow(pot: UUID, contributor: UUID, until: date | None) -> None:
    async with transaction() as connection:
        await kept_shares.follow(connection, pot, {contributor: Share(contributor, until)})


async def _keep(member: UUID, until: date) -> None:
    async with transaction() as connection:
        await kept_shares.keep(connection, member, until)


async def test_only_the_share_of_whose_tier_says_so_lives_on_and_ends_when_that_is_over(
    at: datetime,
) -> None:
    anna, bo, pot = await _account(at)
    await _follow(pot, anna, at.date() + 9 * DAY)
    await _follow(pot, bo, None)
    assert await balance(pot, at) == 200
    later = at + 9 * DAY
    assert await balance(pot, later) == 100
    assert await expiry.expire(later, later.date()) == 100
    assert await balance(pot, later) == 100
    over = later + DAY
    assert await balance(pot, over) == 0
    assert await expiry.expire(over, over.date()) == 100
    assert (await audit.run()).ok


async def test_a_tier_that_comes_and_goes_is_told_to_every_account_at_once(at: datetime) -> None:
    anna, bo, pot = await _account(at)
    await _follow(pot, anna, None)
    await _follow(pot, bo, None)
    tomorrow = at + DAY
    assert await balance(pot, tomorrow) == 0
    await _keep(bo, at.date() + 30 * DAY)
    assert await balance(pot, tomorrow) == 100
    await _keep(bo, at.date())
    assert await balance(pot, tomorrow) == 0
    async with transaction() as connection:
        await kept_shares.keep(connection, bo, tomorrow.date())
        await kept_shares.keep(connection, bo, at.date(), or_longer=True)
        assert (await kept_shares.read(connection, [pot]))[pot][bo] == Share(bo, tomorrow.date())
        await kept_shares.forget(connection, pot)
    assert await balance(pot, tomorrow) == 0


async def test_it_is_the_share_of_the_very_one_whose_tier_says_so(at: datetime) -> None:
    anna, bo, pot = [await open_holder(at) for _ in range(3)]
    for one, points in ((anna, 100), (bo, 30)):
        await post([issue(one, points, at, expires_on=at.date())], at)
        draft = Transfer(
            holder=one, receiver=pot, till=till(0, at), currency_no=1, points=points,
            contributor=one,
        )  # fmt: skip
        assert isinstance(await _one(draft, at), Transferred)
    await _follow(pot, anna, None)
    await _follow(pot, bo, at.date() + 9 * DAY)
    tomorrow = at + DAY
    assert await balance(pot, tomorrow) == 30
    assert await expiry.expire(tomorrow, tomorrow.date()) == 100
    assert await balance(pot, tomorrow) == 30


@pytest.mark.parametrize("order", list(SpendOrder))
async def test_what_lives_on_can_be_spent_and_what_has_ended_cannot(
    at: datetime, order: SpendOrder
) -> None:
    anna, _, pot = await _account(at)
    await _follow(pot, anna, at.date() + 9 * DAY)
    spender, tomorrow = await open_holder(at), at + DAY
    (refused,) = await post([spend(spender, 101, tomorrow, [pot], order=order)], tomorrow)
    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts["balance"] == 100
    (spent,) = await post([spend(spender, 100, tomorrow, [pot], order=order)], tomorrow)
    assert isinstance(spent, Posted)
    assert await balance(pot, tomorrow) == 0
    assert (await audit.run()).ok


async def test_points_under_a_clock_live_on_as_well() -> None:
    book = await Book().open()
    anna, _, pot = await _account(NOON, book=book)
    await _follow(pot, anna, date(2028, 1, 1))
    ended = NOON + timedelta(days=400)
    assert await balance(pot, ended) == 100
    spender = await open_holder(NOON)
    outcome = await book.one(spend(spender, 100, ended, [pot]), ended)
    assert isinstance(outcome, Posted), outcome
    assert await balance(pot, ended) == 0
    assert (await audit.run()).ok


async def test_what_is_told_to_end_is_told_for_the_day_on_which_it_does(at: datetime) -> None:
    anna, _, pot = await _account(at)
    until = at.date() + 9 * DAY
    await _follow(pot, anna, until)
    async with transaction() as connection:
        found = await endings.of_holder(connection, pot, currency_no=1, today=at.date())
    assert [(one.day, one.points) for one in found] == [(at.date(), 100), (until, 100)]


async def test_who_is_merged_is_followed_by_the_tiers_of_its_survivor(at: datetime) -> None:
    anna, _, pot = await _account(at)
    survivor = await open_holder(at)
    await _follow(pot, anna, None)
    async with transaction(posting.PINNED) as connection:
        await merging.merge(
            connection, from_holder=anna, into_holder=survivor, at=at, today=at.date()
        )
    await _keep(survivor, at.date() + 9 * DAY)
    assert await balance(pot, at + DAY) == 100


async def test_who_is_merged_has_the_tiers_of_its_survivor_at_once(at: datetime) -> None:
    anna, _, pot = await _account(at)
    survivor = await open_holder(at)
    await _follow(pot, anna, None)
    async with transaction(posting.PINNED) as connection:
        await holders.suspend_expiry(connection, survivor, at.date() + 9 * DAY)
        await merging.merge(
            connection, from_holder=anna, into_holder=survivor, at=at, today=at.date()
        )
    assert [await balance(pot, at + days * DAY) for days in (9, 10)] == [100, 0]


async def test_an_account_that_is_merged_keeps_its_shares_at_the_survivor(at: datetime) -> None:
    anna, _, head = await _account(at)
    survivor = await open_holder(at)
    await _follow(head, anna, at.date() + 9 * DAY)
    async with transaction(posting.PINNED) as connection:
        await merging.merge(
            connection, from_holder=head, into_holder=survivor, at=at, today=at.date()
        )
    assert await balance(survivor, at + DAY) == 100
    assert (await audit.run()).ok


async def test_where_nobody_brought_anything_nobody_is_followed(at: datetime) -> None:
    pot = await open_holder(at)
    async with transaction() as connection:
        await kept_shares.follow(connection, pot, {})
        assert await kept_shares.read(connection, [pot]) == {}
        assert not (await holders.read_states(connection, [pot]))[pot].keeps_shares
