"""Everything of one holder goes over to another: points with their provenance, debts and clocks."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import bucket_of
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import audit, holders, merging, posting, upkeep
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Grant, Held, Hold, Issue, Posted, Reverse
from coalition.ledger.merging import MergeOutcome
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import (
    HolderHasHolds,
    HolderMerged,
    HolderNotActive,
    MergeWithItself,
    UnknownHolder,
)
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    provenance,
    redeem,
    till,
)

pytestmark = pytest.mark.usefixtures("database")


async def merge(from_holder: UUID, into_holder: UUID, at: datetime) -> MergeOutcome:
    await ensure_partition(at)
    async with transaction() as connection:
        return await merging.merge(
            connection, from_holder=from_holder, into_holder=into_holder, at=at, today=at.date()
        )


async def assert_books_hold() -> None:
    report = await audit.run()
    assert report.ok, report.breaches


async def test_a_merge_moves_every_lot_with_its_provenance(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    soon, late = at.date() + timedelta(days=5), at.date() + timedelta(days=90)
    await post(
        [
            issue(double, 100, at, expires_on=late),
            issue(double, 50, at, partner_no=FUEL, expires_on=soon),
            issue(anna, 7, at, expires_on=late),
        ],
        at,
    )
    outcome = await merge(double, anna, at)
    assert (outcome.points, len(outcome.postings), outcome.owed) == (150, 1, 0)
    assert await balance(anna, at) == 157
    assert await balance(double, at) == 0
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT issuer_no, expires_on, points_in FROM lot WHERE holder = $1 ORDER BY id", anna
        )
    assert [tuple(row) for row in rows] == [(FUEL, soon, 50), (GROCER, late, 107)]
    await assert_books_hold()


async def test_halves_of_a_merge_name_each_other(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    await post([issue(double, 100, at)], at)
    (pair,) = (await merge(double, anna, at)).postings
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT id, linked, holder, direction, account, kind FROM posting WHERE kind = 7"
        )
    found = {row[0]: tuple(row)[1:] for row in rows}
    left, arrived = pair
    assert found == {left: (arrived, double, -1, 6, 7), arrived: (left, anna, 1, 6, 7)}


async def test_each_point_currency_has_its_own_pair(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    other = provenance()._replace(currency_no=2)
    await post([issue(double, 10, at), Issue(double, till(GROCER, at), (Grant(other, 5),))], at)
    assert len((await merge(double, anna, at)).postings) == 2
    await assert_books_hold()


async def test_what_has_ended_is_booked_and_not_moved(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    await post([issue(double, 100, at, expires_on=at.date()), issue(double, 1, at)], at)
    tomorrow = at + timedelta(days=1)
    assert (await merge(double, anna, tomorrow)).points == 1
    assert await balance(anna, tomorrow) == 1
    await assert_books_hold()


async def test_a_merge_of_nothing_closes_the_holder(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    assert await merge(double, anna, at) == MergeOutcome(0, (), 0)
    (refused,) = await post([issue(double, 1, at)], at)
    assert isinstance(refused, HolderMerged)
    assert refused.facts == {"merged_into": str(anna)}
    with pytest.raises(HolderMerged):
        await merge(double, anna, at)
    with pytest.raises(HolderMerged):
        await merge(anna, double, at)


async def test_a_merged_holder_is_never_opened_again(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    await merge(double, anna, at)
    with pytest.raises(HolderMerged):
        async with transaction() as connection:
            await holders.set_state(connection, double, HolderState.ACTIVE)


async def test_a_merge_refuses_open_holds_and_moves_nothing(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    await post([issue(double, 100, at)], at)
    later = at + timedelta(hours=1)
    (held,) = await post([Hold(double, till(FUEL, at, "r"), 1, 10, later)], at)
    assert isinstance(held, Held)
    with pytest.raises(HolderHasHolds):
        await merge(double, anna, at)
    assert await balance(double, at) == 90


async def test_a_merge_refuses_whom_it_cannot_move(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    nobody = UUID(int=7)
    with pytest.raises(MergeWithItself):
        await merge(anna, anna, at)
    with pytest.raises(UnknownHolder):
        await merge(nobody, anna, at)
    async with transaction() as connection:
        await holders.set_state(connection, double, HolderState.FROZEN)
    with pytest.raises(HolderNotActive):
        await merge(double, anna, at)


async def test_swept_lots_grow_again_where_they_went(at: datetime) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    await post([issue(anna, 10, at), issue(double, 10, at)], at)
    await post([redeem(anna, 10, at)], at)
    await upkeep.sweep()
    await merge(double, anna, at)
    await upkeep.sweep()
    assert await balance(anna, at) == 10
    await assert_books_hold()


@pytest.mark.parametrize("days", [(9, None), (9, 4), (4, 9)], ids=str)
async def test_a_merge_keeps_expiry_suspended_for_the_longer(
    at: datetime, database: Engine, days: tuple[int, int | None]
) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    await post([issue(double, 100, at, expires_on=at.date())], at)
    async with transaction() as connection:
        for one, suspended in zip((double, anna), days, strict=True):
            if suspended is not None:
                until = at.date() + timedelta(days=suspended)
                await holders.suspend_expiry(connection, one, until)
    await merge(double, anna, at)
    assert await balance(anna, at + timedelta(days=9)) == 100
    assert await balance(anna, at + timedelta(days=10)) == 0


async def in_debt(at: datetime, *, percent: int = 0) -> UUID:
    """Return a holder who owes 70 points of an issue of 100 that was reversed."""
    holder = await open_holder(at)
    made, _ = await post([issue(holder, 100, at), redeem(holder, 70, at)], at)
    assert isinstance(made, Posted)
    debts = {10: percent}
    undo = Reverse(made.posting, till(GROCER, at), None, "reverse", at.date(), debts=debts)
    await post([undo], at)
    return holder


async def owes(*wanted: UUID) -> list[int]:
    async with transaction() as connection:
        found = await holders.read_states(connection, wanted)
    return [found[holder].owes for holder in wanted]


async def test_debts_go_over_and_are_paid_by_the_next_holder(at: datetime) -> None:
    anna, double = await open_holder(at), await in_debt(at, percent=100)
    assert await owes(double, anna) == [70, 0]
    assert (await merge(double, anna, at)).owed == 70
    assert await owes(double, anna) == [0, 70]
    await assert_books_hold()
    await post([issue(anna, 100, at)], at)
    assert await owes(anna) == [0]
    assert await balance(anna, at) == 30
    await assert_books_hold()


async def test_debts_go_over_twice_and_within_one_bucket(at: datetime) -> None:
    anna, double = await open_holder(at), await in_debt(at)
    third = UUID(int=anna.int ^ (1 << 90))
    async with transaction() as connection:
        await holders.open_holders(connection, [third], at)
    assert bucket_of(third) == bucket_of(anna)
    await merge(double, anna, at)
    await merge(anna, third, at)
    assert await owes(double, anna, third) == [0, 0, 70]
    await assert_books_hold()


async def test_a_holder_with_more_than_a_posting_carries_is_moved_by_several_pairs(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "LEGS_AT_MOST", 2)
    anna, double = await open_holder(at), await open_holder(at)
    days = [at.date() + timedelta(days=n) for n in range(1, 4)]
    await post([issue(double, POINTS_MAX, at) for _ in range(2)], at)
    await post([issue(double, 5, at, expires_on=day) for day in days], at)
    outcome = await merge(double, anna, at)
    assert outcome.points == 2 * POINTS_MAX + 15
    # Two lots; one lot; what the last leg can carry, and the rest of it.
    assert len(outcome.postings) == 4
    assert await balance(anna, at) == 2 * POINTS_MAX + 15
    await assert_books_hold()


async def merge_before_it_commits(late: Issue, double: UUID, anna: UUID, at: datetime) -> None:
    """Merge `double`, and only then commit an issue to it that was under way."""
    await ensure_partition(at)
    is_posted = asyncio.Event()

    async def merge_meanwhile() -> None:
        await is_posted.wait()
        await merge(double, anna, at)

    other = asyncio.create_task(merge_meanwhile())
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        await posting.post(connection, [late], at=at, today=at.date())
        is_posted.set()
        await other


async def test_points_that_come_while_a_merge_commits_are_moved_on_later(at: datetime) -> None:
    """An issue reads its holder's state and does not lock it, so it may commit after the merge."""
    anna, double = await open_holder(at), await open_holder(at)
    await post([issue(double, 100, at)], at)
    late = issue(double, 20, at, expires_on=at.date() + timedelta(days=5))
    await merge_before_it_commits(late, double, anna, at)
    assert [await balance(holder, at) for holder in (double, anna)] == [20, 100]
    await assert_books_hold()
    assert await merging.forward_late(at, at.date()) == 20
    assert [await balance(holder, at) for holder in (double, anna)] == [0, 120]
    assert await merging.forward_late(at, at.date()) == 0
    await assert_books_hold()


async def test_points_that_come_late_and_end_before_they_are_moved_do_not_live_again(
    at: datetime,
) -> None:
    anna, double = await open_holder(at), await open_holder(at)
    late = issue(double, 20, at, expires_on=at.date() + timedelta(days=5))
    await merge_before_it_commits(late, double, anna, at)
    async with transaction() as connection:
        await holders.suspend_expiry(connection, anna, None)
    ended = at + timedelta(days=6)
    assert await merging.forward_late(ended, ended.date()) == 0
    assert [await balance(holder, ended) for holder in (double, anna)] == [0, 0]
    await assert_books_hold()
