"""What holders have and have had is told by where it came from."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.ledger import holdings
from coalition.ledger.holdings import Holding
from coalition.ledger.provenance import ORDINARY_CLASS
from coalition.ledger.selecting import LotFilter
from tests.ledger.pool_world import done, is_proved, share_of, spend
from tests.ledger.transfer_world import moved, transfer, undo
from tests.support import ledger

pytestmark = pytest.mark.usefixtures("database")


async def test_spendable_points_are_told_by_issuer_class_and_month(at: datetime) -> None:
    anna, bo = await ledger.open_holder(at), await ledger.open_holder(at)
    yesterday = at.date() - timedelta(days=1)
    await ledger.post(
        [
            ledger.issue(anna, 100, at),
            ledger.issue(anna, 200, at, partner_no=ledger.FUEL),
            ledger.issue(anna, 7, at, expires_on=yesterday),
            ledger.redeem(anna, 30, at),
        ],
        at,
    )
    async with transaction() as connection:
        found = await holdings.spendable(connection, [anna, bo], currency_no=1, today=at.date())
    month = at.year * 100 + at.month
    assert bo not in found
    assert sum(kind.points for kind in found[anna]) == 270
    assert {kind[:3] for kind in found[anna]} == {
        (ledger.GROCER, ORDINARY_CLASS, month),
        (ledger.FUEL, ORDINARY_CLASS, month),
    }
    assert all(isinstance(kind, Holding) for kind in found[anna])


async def test_what_was_earned_counts_though_it_was_spent_or_has_ended(at: datetime) -> None:
    anna, bo = await ledger.open_holder(at), await ledger.open_holder(at)
    yesterday = at.date() - timedelta(days=1)
    await ledger.post(
        [
            ledger.issue(anna, 100, at),
            ledger.issue(anna, 7, at, expires_on=yesterday),
            ledger.redeem(anna, 100, at),
        ],
        at,
    )
    async with transaction() as connection:
        found = await holdings.earned(connection, [anna, bo], currency_no=1, received={1})
    assert found == {anna: {at.year * 100 + at.month: 107}}


async def _earned(*members: UUID) -> list[int]:
    async with transaction() as connection:
        found = await holdings.earned(connection, members, currency_no=1, received={1})
    return [sum(found.get(member, {}).values()) for member in members]


async def test_what_was_spent_and_has_come_back_was_earned_once(at: datetime) -> None:
    anna = await ledger.open_holder(at)
    await ledger.post([ledger.issue(anna, 100, at)], at)
    for points in (100, 60):
        spent = await done(ledger.redeem(anna, points, at), at)
        for back in (points - 1, 1):
            draft = ledger.reverse(spent.posting, at, partner_no=ledger.FUEL, points=back)
            await done(draft, at)
    assert await _earned(anna) == [100]


async def test_what_of_an_issue_was_reversed_was_not_earned_nor_what_of_it_is_owed(
    at: datetime,
) -> None:
    anna, bo = await ledger.open_holder(at), await ledger.open_holder(at)
    of_anna, of_bo = [await done(ledger.issue(one, 100, at), at) for one in (anna, bo)]
    await done(ledger.redeem(anna, 80, at), at)
    owing = ledger.reverse(of_anna.posting, at, partner_no=ledger.GROCER, points=50)
    assert (
        await done(msgspec.structs.replace(owing, debts={ledger.provenance().contract_no: 0}), at)
    ).debt == 30
    await done(ledger.reverse(of_bo.posting, at, partner_no=ledger.GROCER), at)
    assert await _earned(anna, bo) == [50, 0]
    async with transaction() as connection:
        assert bo not in await holdings.earned(connection, [bo], currency_no=1, received={1})


async def test_points_that_went_through_a_pool_were_earned_once(at: datetime) -> None:
    anna, bo, pot = [await ledger.open_holder(at) for _ in range(3)]
    await ledger.post([ledger.issue(one, 100, at) for one in (anna, bo)], at)
    in_pot = transfer(anna, pot, 100, at, contributor=anna)
    await ledger.post([in_pot], at)
    spent = await done(spend(bo, 60, at, [pot], own=False), at)
    await done(ledger.reverse(spent.posting, at, partner_no=ledger.FUEL), at)
    home = transfer(pot, anna, 90, at, lots=LotFilter(contributor=anna))
    await ledger.post([home], at)
    assert await _earned(anna, bo, pot) == [100, 100, 0]


async def test_what_is_shared_of_an_issue_that_is_reversed_was_earned_by_nobody(
    at: datetime,
) -> None:
    anna, head = [await ledger.open_holder(at) for _ in range(2)]
    made = await done(share_of(anna, 100, at, head, 40), at)
    assert await _earned(anna, head) == [100, 0]
    await done(ledger.reverse(made.posting, at, partner_no=ledger.GROCER, points=30), at)
    assert await _earned(anna, head) == [70, 0]
    await done(ledger.reverse(made.posting, at, partner_no=ledger.GROCER), at)
    assert await _earned(anna, head) == [0, 0]
    assert await is_proved()


async def test_what_was_sent_and_undone_was_earned_once_by_its_sender(at: datetime) -> None:
    anna, bo = await ledger.open_holder(at), await ledger.open_holder(at)
    await ledger.post([ledger.issue(anna, 100, at)], at)
    made = await moved(transfer(anna, bo, 70, at, classes={0: 1}), at)
    await moved(undo(made, at), at)
    assert await _earned(anna, bo) == [100, 0]
