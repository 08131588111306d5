"""Two persons, one decision, one effect."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
import pytest

from coalition.kernel.database import Connection, Engine, transaction
from coalition.kernel.errors import Conflict
from coalition.kernel.ids import random_id
from coalition.oversight import approvals, audit_log
from coalition.oversight.approvals import Approval, State
from coalition.oversight.refusals import (
    ApprovalDecided,
    ApprovalExpired,
    ReasonNeeded,
    SecondPersonNeeded,
    UnknownApproval,
)

KIND = "test.note"


class Note(msgspec.Struct, frozen=True):
    text: str
    is_refused: bool = False


@approvals.applies(KIND)
async def write_note(connection: Connection, approval: Approval) -> str:
    note = msgspec.json.decode(approval.payload, type=Note)
    await connection.execute("INSERT INTO note (text) VALUES ($1)", note.text)
    if note.is_refused:
        raise Conflict("no room for this note")
    return note.text


async def notes() -> list[str]:
    async with transaction() as connection:
        assert await audit_log.verify(connection) == []
        return [row["text"] for row in await connection.fetch("SELECT text FROM note")]


async def actions() -> list[str]:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT action FROM audit_log ORDER BY no")
    return [row["action"] for row in rows]


async def prepare(at: datetime, *, is_refused: bool = False) -> UUID:
    """Make a place for notes and have Anna prepare one."""
    async with transaction() as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS note (text text NOT NULL)")
    return await approvals.prepare(
        kind=KIND,
        subject="note:1",
        payload=Note("hello", is_refused),
        prepared_by="staff:anna",
        at=at,
    )


async def approve(approval_id: UUID, at: datetime, *, by: str = "staff:bo") -> object:
    return await approvals.approve(approval_id, approved_by=by, at=at)


async def test_a_second_person_makes_it_happen(database: Engine, at: datetime) -> None:
    approval_id = await prepare(at)
    assert await notes() == []
    assert await approve(approval_id, at) == "hello"
    assert await notes() == ["hello"]
    assert await actions() == ["approval.prepared", "approval.applied"]
    assert await approvals.waiting(at=at) == ()


async def test_who_prepares_does_not_approve(database: Engine, at: datetime) -> None:
    approval_id = await prepare(at)
    with pytest.raises(SecondPersonNeeded) as refusal:
        await approve(approval_id, at, by="staff:anna")
    assert refusal.value.code == "second_person_needed"
    assert await notes() == []


async def test_the_database_too_asks_for_a_second_person(database: Engine, at: datetime) -> None:
    await prepare(at)
    with pytest.raises(SecondPersonNeeded):
        await decide_past_the_service("state = 'applied', decided_by = prepared_by", at)
    with pytest.raises(ApprovalExpired):
        await decide_past_the_service(
            "state = 'applied', decided_by = 'staff:bo'", at + approvals.WAITS
        )


async def decide_past_the_service(change: str, at: datetime) -> None:
    async with transaction() as connection:
        await connection.execute(f"UPDATE approval SET decided_at = $1, {change}", at)


async def test_a_decision_without_a_person_is_stopped_by_the_database(
    database: Engine, at: datetime
) -> None:
    await prepare(at)
    with pytest.raises(asyncpg.CheckViolationError) as violation:
        await decide_past_the_service("state = 'rejected'", at)
    assert violation.value.constraint_name == "a_decision_has_a_person_and_a_time"


async def test_nothing_applies_twice(database: Engine, at: datetime) -> None:
    approval_id = await prepare(at)
    await approve(approval_id, at)
    with pytest.raises(ApprovalDecided) as refusal:
        await approve(approval_id, at, by="staff:cecilia")
    assert refusal.value.facts == {"state": State.APPLIED}
    assert await notes() == ["hello"]


async def test_nothing_applies_twice_when_many_approve_at_once(
    database: Engine, at: datetime
) -> None:
    approval_id = await prepare(at)
    answers = await asyncio.gather(
        *(approve(approval_id, at, by=f"staff:{number}") for number in range(9)),
        return_exceptions=True,
    )
    assert answers.count("hello") == 1
    assert sum(isinstance(answer, ApprovalDecided) for answer in answers) == 8
    assert await notes() == ["hello"]


async def test_approving_and_rejecting_at_once_is_one_decision(
    database: Engine, at: datetime
) -> None:
    approval_id = await prepare(at)
    answers = await asyncio.gather(
        approve(approval_id, at),
        approvals.reject(approval_id, rejected_by="staff:cecilia", reason="late", at=at),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, ApprovalDecided) for answer in answers) == 1
    assert await notes() == ["hello"] * answers.count("hello")


async def test_what_the_applier_refuses_still_waits(database: Engine, at: datetime) -> None:
    approval_id = await prepare(at, is_refused=True)
    with pytest.raises(Conflict, match="no room"):
        await approve(approval_id, at)
    assert await notes() == []
    assert [waits.id for waits in await approvals.waiting(at=at)] == [approval_id]
    assert await actions() == ["approval.prepared"]


async def test_a_rejection_stands(database: Engine, at: datetime) -> None:
    approval_id = await prepare(at)
    await approvals.reject(approval_id, rejected_by="staff:bo", reason="wrong day", at=at)
    with pytest.raises(ApprovalDecided):
        await approve(approval_id, at)
    with pytest.raises(ApprovalDecided):
        await approvals.reject(approval_id, rejected_by="staff:bo", reason="again", at=at)
    assert await notes() == []
    assert await actions() == ["approval.prepared", "approval.rejected"]


async def test_who_prepared_may_take_it_back_even_after_its_time(
    database: Engine, at: datetime
) -> None:
    approval_id = await prepare(at)
    late = at + approvals.WAITS
    await approvals.reject(approval_id, rejected_by="staff:anna", reason="mistake", at=late)
    with pytest.raises(ApprovalDecided):
        await approve(approval_id, at)


@pytest.mark.parametrize("reason", ["", "  ", "a" * 501, "a\0b"])
async def test_a_rejection_says_why(database: Engine, at: datetime, reason: str) -> None:
    approval_id = await prepare(at)
    with pytest.raises(ReasonNeeded):
        await approvals.reject(approval_id, rejected_by="staff:bo", reason=reason, at=at)


async def test_what_waited_too_long_has_expired(database: Engine, at: datetime) -> None:
    approval_id = await prepare(at)
    last = at + approvals.WAITS - timedelta(microseconds=1)
    assert len(await approvals.waiting(at=last)) == 1
    assert await approvals.waiting(at=at + approvals.WAITS) == ()
    with pytest.raises(ApprovalExpired):
        await approve(approval_id, at + approvals.WAITS)
    assert await approve(approval_id, last) == "hello"


async def test_an_unknown_approval_is_refused(database: Engine, at: datetime) -> None:
    await prepare(at)
    with pytest.raises(UnknownApproval):
        await approve(random_id(), at)
    with pytest.raises(UnknownApproval):
        await approvals.reject(random_id(), rejected_by="staff:bo", reason="why", at=at)


async def test_an_approval_of_another_kind_is_as_good_as_unknown(
    database: Engine, at: datetime
) -> None:
    approval_id = await prepare(at)
    with pytest.raises(UnknownApproval):
        await approvals.approve(approval_id, approved_by="staff:bo", at=at, kind="contract")
    assert await approvals.waiting(at=at, kind="contract") == ()
    assert len(await approvals.waiting(at=at, kind=KIND)) == 1


async def test_an_act_that_nobody_applies_cannot_be_prepared(
    database: Engine, at: datetime
) -> None:
    with pytest.raises(AssertionError, match="nobody applies"):
        await approvals.prepare(
            kind="nothing", subject="x", payload={}, prepared_by="staff:anna", at=at
        )


def test_a_kind_has_one_applier() -> None:
    with pytest.raises(AssertionError, match="two appliers"):
        approvals.applies(KIND)(write_note)


CROSSING = "test.crossing"
have_first: dict[str, asyncio.Event] = {}


@approvals.applies(CROSSING)
async def lock_crosswise(connection: Connection, approval: Approval) -> str:
    """Lock two notes in the order that the approval says, once both approvals have their first."""
    first, second = msgspec.json.decode(approval.payload, type=tuple[str, str])
    lock = "SELECT FROM note WHERE text = $1 FOR UPDATE"
    await connection.execute("SET LOCAL deadlock_timeout = '10ms'")
    await connection.execute(lock, first)
    have_first[first].set()
    await asyncio.wait_for(have_first[second].wait(), 60)
    await connection.execute(lock, second)
    await connection.execute("UPDATE note SET text = text")
    return first


async def prepare_crossing(at: datetime) -> list[UUID]:
    have_first.update({text: asyncio.Event() for text in ("a", "b")})
    async with transaction() as connection:
        await connection.execute("CREATE TABLE note (text text NOT NULL)")
        await connection.execute("INSERT INTO note VALUES ('a'), ('b')")
    return [
        await approvals.prepare(
            kind=CROSSING, subject="note:2", payload=pair, prepared_by="staff:anna", at=at
        )
        for pair in (("a", "b"), ("b", "a"))
    ]


async def test_of_two_that_wait_in_a_circle_both_are_applied_one_of_them_anew(
    database: Engine, at: datetime
) -> None:
    waiting = await prepare_crossing(at)
    assert await asyncio.gather(*(approve(one, at) for one in waiting)) == ["a", "b"]
    assert await approvals.waiting(at=at) == ()
    assert await actions() == ["approval.prepared"] * 2 + ["approval.applied"] * 2
    await notes()


async def test_who_approves_within_its_own_transaction_is_told_of_a_lost_race(
    database: Engine, at: datetime
) -> None:
    async def within(approval_id: UUID) -> object:
        async with transaction():
            return await approve(approval_id, at)

    waiting = await prepare_crossing(at)
    found = await asyncio.gather(*(within(one) for one in waiting), return_exceptions=True)
    assert sum(isinstance(one, asyncpg.DeadlockDetectedError) for one in found) == 1
    (left,) = await approvals.waiting(at=at)
    assert await within(left.id) in {"a", "b"}
