"""Lots: collisions are errors, sums are wide, closed holders keep theirs."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import bucket_of, random_id
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import audit, expiry, holders, posting
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Grant, Issue, Posted
from coalition.ledger.lots import LotChanges, LotCollisionError
from coalition.ledger.provenance import Provenance
from coalition.ledger.refusals import HolderNotActive, NotEnoughPoints
from tests.ledger.test_provenance import MEETING_CONTRACTS
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    provenance,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")


def meeting() -> list[Provenance]:
    return [provenance()._replace(contract_no=no) for no in MEETING_CONTRACTS]


def grant(holder: UUID, kept: Provenance, points: int, at: datetime) -> Issue:
    return Issue(holder, till(GROCER, at), (Grant(kept, points),))


async def test_two_provenances_that_meet_in_one_batch_stop_it(at: datetime) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    drafts = [grant(anna, kept, 10, at) for kept in meeting()]
    with pytest.raises(LotCollisionError):
        await post([grant(bo, provenance(), 10, at), *drafts], at)
    assert await balance(bo, at) == 0


async def test_two_provenances_that_meet_in_the_database_stop_the_second(at: datetime) -> None:
    anna = await open_holder(at)
    one, other = meeting()
    await post([grant(anna, one, 10, at)], at)
    with pytest.raises(LotCollisionError):
        await post([grant(anna, other, 10, at)], at)
    await post([grant(anna, one, 5, at)], at)
    assert await balance(anna, at) == 15
    assert (await audit.run()).breaches == []


@pytest.mark.parametrize(
    "forged",
    [
        "holder = gen_random_uuid()",
        "contributor = gen_random_uuid()",
        "currency_no = 2",
        "issuer_no = 9",
        "contract_no = 9",
        "funder_no = 9",
        "earned_month = 202001",
        "expires_on = '2030-01-01'",
        "clock_no = 1",
        "class_no = 1",
        "issue_price = 9",
        "prefunded_share = 0.5",
    ],
)
async def test_every_part_of_the_provenance_is_compared(at: datetime, forged: str) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at)], at)
    async with transaction() as connection:
        await connection.execute("ALTER TABLE lot DROP CONSTRAINT a_lot_has_a_holder")
        await connection.execute(f"UPDATE lot SET {forged}")
    with pytest.raises(LotCollisionError):
        await post([issue(anna, 10, at)], at)


async def test_a_lot_holds_more_than_one_posting_can_move(at: datetime) -> None:
    anna = await open_holder(at)
    today = at.date()
    await post([issue(anna, POINTS_MAX, at, expires_on=today) for _ in range(3)], at)
    assert await balance(anna, at) == 3 * POINTS_MAX
    spent = await post([redeem(anna, POINTS_MAX, at) for _ in range(2)], at)
    assert [type(outcome) for outcome in spent] == [Posted, Posted]
    first, *_ = spent
    assert isinstance(first, Posted)
    await post([reverse(first.posting, at, partner_no=FUEL)], at)
    assert await balance(anna, at) == 2 * POINTS_MAX
    (refused,) = await post([redeem(anna, POINTS_MAX, at)] * 1, at + timedelta(days=1))
    assert isinstance(refused, NotEnoughPoints)
    tomorrow = at + timedelta(days=1)
    assert await expiry.expire(tomorrow, tomorrow.date()) == 2 * POINTS_MAX
    assert (await audit.run()).breaches == []


async def test_the_points_of_a_batch_are_added_up_wide(at: datetime) -> None:
    anna = await open_holder(at)
    outcomes = await post(
        [
            issue(anna, POINTS_MAX, at),
            issue(anna, 5, at),
            redeem(anna, POINTS_MAX, at),
            redeem(anna, 6, at),
        ],
        at,
    )
    assert [type(outcome) for outcome in outcomes] == [Posted, Posted, Posted, NotEnoughPoints]
    async with transaction() as connection:
        issued = await connection.fetchval("SELECT points FROM partner_delta WHERE kind = 1")
    assert issued == POINTS_MAX + 5


async def test_grants_that_together_exceed_a_posting_are_refused_whole(at: datetime) -> None:
    anna = await open_holder(at)
    soon = at.date() + timedelta(days=1)
    grants = (Grant(provenance(), POINTS_MAX), Grant(provenance(expires_on=soon), 1))
    with pytest.raises((asyncpg.DataError, ValueError)):
        await post([Issue(anna, till(GROCER, at), grants)], at)
    assert await balance(anna, at) == 0


@pytest.mark.parametrize("state", [HolderState.FROZEN, HolderState.CLOSED])
async def test_points_of_a_frozen_or_closed_member_stay_and_expire(
    at: datetime, state: HolderState
) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at), issue(anna, 5, at, expires_on=at.date())], at)
    async with transaction() as connection:
        await holders.set_state(connection, anna, state)
    outcomes = await post([issue(anna, 1, at), redeem(anna, 1, at)], at)
    assert [type(outcome) for outcome in outcomes] == [HolderNotActive] * 2
    tomorrow = at + timedelta(days=1)
    assert await expiry.expire(tomorrow, tomorrow.date()) == 5
    assert await balance(anna, tomorrow) == 10
    async with transaction() as connection:
        await holders.set_state(connection, anna, HolderState.ACTIVE)
    (spent,) = await post([redeem(anna, 10, tomorrow)], tomorrow)
    assert isinstance(spent, Posted)


async def test_a_holder_with_lots_cannot_be_removed(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at)], at)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with transaction() as connection:
            await connection.execute("DELETE FROM holder")


async def test_two_members_whose_ids_begin_alike_do_not_spend_each_others_points(
    at: datetime,
) -> None:
    """A lot's id begins with half of its holder's, so theirs lie among each other."""
    twins: list[UUID] = []
    while len(twins) < 2:
        one = random_id()
        twin = UUID(bytes=one.bytes[:8] + random_id().bytes[8:14] + one.bytes[14:])
        twins = [one, twin] if bucket_of(one) == bucket_of(twin) else []
    async with transaction() as connection:
        await holders.open_holders(connection, twins, at)
    soon = at.date() + timedelta(days=3)
    await post([issue(twins[0], 10, at), issue(twins[1], 20, at, expires_on=soon)], at)
    refused, spent = await post([redeem(twins[0], 11, at), redeem(twins[1], 20, at)], at)
    assert isinstance(refused, NotEnoughPoints)
    assert isinstance(spent, Posted)
    assert [await balance(twin, at) for twin in twins] == [10, 0]
    # Of one provenance their lots would be the same row: that is an error, never a mix-up.
    with pytest.raises(LotCollisionError):
        await post([issue(twins[1], 1, at)], at)


async def test_taking_out_of_a_lot_that_is_not_there_is_a_broken_promise(at: datetime) -> None:
    changes = LotChanges()
    changes.take_out(random_id(), random_id(), points=1)
    with pytest.raises(AssertionError):
        async with transaction(posting.PINNED) as connection:
            await changes.write(connection)


async def test_the_database_itself_refuses_to_go_below_zero(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at)], at)
    async with transaction() as connection:
        lot = await connection.fetchval("SELECT id FROM lot")
    changes = LotChanges()
    changes.take_out(lot, anna, points=11)
    with pytest.raises(NotEnoughPoints):
        async with transaction(posting.PINNED) as connection:
            await changes.write(connection)
