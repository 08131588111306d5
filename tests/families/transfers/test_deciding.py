"""Transfers wait for approvals, fees and holds; they go on once, are given up, and are undone."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from coalition.families import keeping
from coalition.families.kin import guardians
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import (
    FeeNotDue,
    NotYoursToDecide,
    TransferNotOpen,
    TransferRefused,
    UnknownTransfer,
)
from coalition.families.rule_sets.notation import Money
from coalition.families.transfers import deciding
from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.ledger import audit
from coalition.ledger.refusals import PointsAlreadySpent
from coalition.members import closing
from coalition.members import service as members
from coalition.points.commands import RedeemBody
from tests.families import registered
from tests.families.transfers.world import KEYS, Bank, make_bank
from tests.points.world import receipt

pytestmark = pytest.mark.usefixtures("database")

STAFF = By.staff("staff:anna")
YEARLY = {"subject": "sender", "measure": "amount", "window": "calendar_year", "max": 500}


async def _bank(at: datetime, **keys: Any) -> Bank:
    bank = await make_bank(at)
    await registered.activated("plain", registered.written(**keys), at)
    await registered.bound("p2p", "plain", at)
    return bank


async def _events(kind: str) -> list[Any]:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT payload FROM outbox WHERE kind = $1", kind)
    return [row[0] for row in rows]


async def test_points_are_reserved_until_the_receiver_agrees(at: datetime) -> None:
    bank = await _bank(at, control={"approvals": [{"by": "receiver"}]})
    anna, bo, eva = await bank.member(900), await bank.member(), await bank.member()
    asked = await bank.send(anna, bo, 300)
    assert (asked["state"], asked["waits_for"]) == ("requested", ["receiver"])
    assert (await bank.balance(anna), await bank.balance(bo)) == (600, 0)
    for stranger in (anna, eva):
        with pytest.raises(NotYoursToDecide):
            await bank.approve(asked, By.of(stranger))
    done = await bank.approve(asked, By.of(bo))
    assert done.state == "completed"
    assert await bank.approve(asked, By.of(bo)) == done
    assert (await bank.balance(anna), await bank.balance(bo)) == (600, 300)
    assert (await audit.run()).ok


async def test_a_large_transfer_of_a_minor_takes_its_guardian_and_staff(at: datetime) -> None:
    control = {"approvals": [{"by": "guardian"}, {"by": "staff", "above": 200}]}
    bank = await _bank(at, control=control)
    child = await bank.member(900, born=at.date().replace(year=at.year - 12))
    guardian, bo = await bank.member(), await bank.member()
    await guardians.appoint(child, guardian, source="test", actor="staff:anna", keys=KEYS, at=at)
    small = await bank.send(child, bo, 200)
    assert small["waits_for"] == ["guardian"]
    large = await bank.send(child, bo, 300)
    with pytest.raises(NotYoursToDecide):
        await bank.approve(large, By.of(bo))
    half = await bank.approve(large, By.of(guardian))
    assert (half.state, half.waits_for) == ("requested", ("staff",))
    assert (await bank.approve(large, STAFF)).state == "completed"
    assert await bank.balance(bo) == 300


async def test_what_is_rejected_is_free_again_and_no_longer_counts(at: datetime) -> None:
    bank = await _bank(at, control={"approvals": [{"by": "receiver"}]}, limits=[YEARLY])
    anna, bo = await bank.member(900), await bank.member()
    asked = await bank.send(anna, bo, 400)
    assert isinstance(await bank.send(anna, bo, 400), TransferRefused)
    assert (await bank.reject(asked, By.of(bo))).state == "rejected"
    assert (await bank.reject(asked, By.of(anna))).state == "rejected"
    with pytest.raises(TransferNotOpen):
        await bank.approve(asked, By.of(bo))
    assert await bank.balance(anna) == 900
    assert (await bank.send(anna, bo, 400))["state"] == "requested"
    assert (await audit.run()).ok


async def test_nobody_agrees_in_time_and_the_points_are_free(at: datetime) -> None:
    control = {"approvals": [{"by": "receiver"}], "approval_days": 3}
    bank = await _bank(at, control=control, limits=[YEARLY])
    anna, bo = await bank.member(900), await bank.member()
    asked = await bank.send(anna, bo, 400)
    bank.advance(days=2, hours=23)
    assert await bank.due() == 0
    bank.advance(hours=1)
    assert await bank.due() == 1
    assert await bank.due() == 0
    assert await bank.balance(anna) == 900
    with pytest.raises(TransferNotOpen):
        await bank.approve(asked, By.of(bo))
    assert (await bank.send(anna, bo, 400))["state"] == "requested"


async def test_a_new_receiver_waits_and_a_known_one_does_not(at: datetime) -> None:
    bank = await _bank(at, control={"hold": {"new_receiver_hours": 24}})
    anna, bo = await bank.member(900), await bank.member()
    first = await bank.send(anna, bo, 100)
    assert (first["state"], await bank.balance(anna), await bank.balance(bo)) == ("held", 800, 0)
    bank.advance(hours=24)
    assert await bank.due() == 1
    assert await bank.balance(bo) == 100
    assert (await bank.send(anna, bo, 100))["state"] == "completed"
    assert await bank.balance(bo) == 200


async def test_what_is_held_for_a_receiver_that_is_frozen_goes_back(at: datetime) -> None:
    bank = await _bank(at, control={"hold": {"new_receiver_hours": 24}})
    anna, bo = await bank.member(900), await bank.member()
    await bank.send(anna, bo, 100)
    await members.freeze(bo, actor="staff:anna", at=bank.at)
    bank.advance(hours=24)
    assert await bank.due() == 1
    assert await bank.balance(anna) == 900
    (told,) = await _events("families.transfer_rejected")
    assert "holder_not_active" in told or "rejected" in told


async def test_a_fee_in_money_is_paid_before_points_move(at: datetime) -> None:
    fee = {"kind": "flat", "money": {"amount_minor": 5000, "currency": "GBP"}}
    bank = await _bank(at, fees=[fee])
    anna, bo = await bank.member(900), await bank.member()
    asked = await bank.send(anna, bo, 100)
    assert (asked["state"], asked["fee"]) == ("awaiting_payment", fee["money"])
    assert len(await _events("families.fee_due")) == 1
    transfer = UUID(asked["transfer_id"])
    for wrong in (
        Money(amount_minor=4999, currency="GBP"),
        Money(amount_minor=5000, currency="EUR"),
    ):
        with pytest.raises(FeeNotDue):
            await deciding.fee_paid(bank.transfers, transfer, paid=wrong, at=at)
    right = Money(amount_minor=5000, currency="GBP")
    done = await deciding.fee_paid(bank.transfers, transfer, paid=right, at=at)
    assert done.state == "completed"
    assert await deciding.fee_paid(bank.transfers, transfer, paid=right, at=at) == done
    assert await bank.balance(bo) == 100


async def test_a_fee_in_points_is_taken_beside_the_points(at: datetime) -> None:
    bank = await _bank(at, fees=[{"kind": "percent", "percent": "2.5"}])
    anna, bo = await bank.member(900), await bank.member()
    answer = await bank.send(anna, bo, 101)
    assert (answer["state"], answer["fee_points"]) == ("completed", 3)
    assert (await bank.balance(anna), await bank.balance(bo)) == (796, 101)
    refused = await bank.send(anna, bo, 790)
    assert refused.code == "not_enough_points"
    assert (await audit.run()).ok


async def test_a_transfer_is_undone_while_its_time_lasts(at: datetime) -> None:
    bank = await _bank(at, control={"undo_hours": 2}, limits=[YEARLY])
    anna, bo = await bank.member(900), await bank.member()
    sent = await bank.send(anna, bo, 400)
    with pytest.raises(NotYoursToDecide):
        await bank.undo(sent, By.of(bo))
    assert (await bank.undo(sent, By.of(anna))).state == "undone"
    assert (await bank.undo(sent, By.of(anna))).state == "undone"
    assert (await bank.balance(anna), await bank.balance(bo)) == (900, 0)
    again = await bank.send(anna, bo, 400)
    bank.advance(hours=2)
    with pytest.raises(TransferNotOpen):
        await bank.undo(again, By.of(anna))
    assert (await audit.run()).ok


async def test_what_was_undone_may_stay_counted(at: datetime) -> None:
    bank = await _bank(at, control={"undo_hours": 2}, limits=[YEARLY | {"undone_counts": True}])
    anna, bo = await bank.member(900), await bank.member()
    await bank.undo(await bank.send(anna, bo, 400), By.of(anna))
    assert isinstance(await bank.send(anna, bo, 400), TransferRefused)


async def test_points_that_were_spent_are_not_taken_from_the_receiver(at: datetime) -> None:
    bank = await _bank(at, control={"undo_hours": 2})
    anna, bo = await bank.member(900), await bank.member()
    sent = await bank.send(anna, bo, 400)

    body = RedeemBody(receipt=receipt(), occurred_at=bank.at, member_id=bo, points=1)
    await bank.world.ask(body)
    with pytest.raises(PointsAlreadySpent):
        await bank.undo(sent, By.of(anna))
    assert await bank.balance(bo) == 399


async def test_a_transfer_that_there_is_not_is_not_found(at: datetime) -> None:
    bank = await _bank(at)
    with pytest.raises(UnknownTransfer):
        await deciding.approve(bank.transfers, random_id(), by=STAFF, at=at)


async def test_received_points_do_not_move_on_by_a_transfer_that_waits(at: datetime) -> None:
    asks = {"approvals": [{"by": "receiver"}]}
    bank = await _bank(at, transfer={"may_move_on": False}, control=asks)
    anna, bo, cleo = await bank.member(100), await bank.member(), await bank.member()
    sent = await bank.send(anna, bo, 100)
    await bank.approve(sent, By.of(bo))
    bank.advance(days=40)
    await bank.earn(bo, 100)
    asked = await bank.send(bo, cleo, 100)
    await bank.approve(asked, By.of(cleo))
    refused = await bank.send(bo, cleo, 1)
    assert [one["rule"] for one in refused.facts["failures"]] == ["transfer.may_move_on"]
    assert await bank.balance(bo) == 100


async def test_who_leaves_the_coalition_leaves_no_transfer_that_waits(at: datetime) -> None:
    bank = await _bank(at, control={"approvals": [{"by": "receiver"}]})
    anna, bo = await bank.member(900), await bank.member(50)
    await bank.send(anna, bo, 300)
    await bank.send(bo, anna, 50)
    closed = await closing.close(
        bo, actor="staff:anna", at=at, forfeit_points=True, leavers=(keeping.leaver(KEYS),)
    )
    assert closed.forfeited_points == 50
    assert await bank.balance(anna) == 900
    assert len(await _events("families.transfer_rejected")) == 2
    assert (await audit.run()).ok
