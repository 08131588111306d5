"""What only two persons together may do: one prepares, a second approves, and it is applied once.

A feature registers an applier for each kind of act it has. `approve` decides by one guarded UPDATE
and runs the applier in the same transaction: of two approvals at once the second waits for the row
and then finds it decided, and when the applier refuses, the decision is undone with it.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection, retrying_own, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import random_id
from coalition.oversight import audit_log
from coalition.oversight.reasons import valid_reason
from coalition.oversight.refusals import (
    ApprovalDecided,
    ApprovalExpired,
    SecondPersonNeeded,
    UnknownApproval,
)
from coalition.oversight.tables import Approval as ApprovalTable

WAITS = timedelta(days=14)
"""How long a prepared act waits for its second person unless it says otherwise."""


class State(StrEnum):
    """Where an approval stands; one that is prepared and past its time has expired by itself."""

    PREPARED = "prepared"
    APPLIED = "applied"
    REJECTED = "rejected"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One prepared act and its decision; `payload` is the canonical JSON of what is to be done."""

    id: UUID
    kind: str
    subject: str
    payload: str
    state: State
    prepared_by: str
    prepared_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


Applier = Callable[[Connection, Approval], Awaitable[object]]
AnyApplier = TypeVar("AnyApplier", bound=Applier)

_APPLIERS: dict[str, Applier] = {}


def applies(kind: str) -> Callable[[AnyApplier], AnyApplier]:
    """Register the decorated function as what is done when an act of `kind` is approved.

    It gets the decided approval, works on the connection of the approving transaction, and may
    refuse.
    """

    def register(applier: AnyApplier) -> AnyApplier:
        assert kind not in _APPLIERS, f"two appliers for {kind}"
        _APPLIERS[kind] = applier
        return applier

    return register


async def prepare(
    *,
    kind: str,
    subject: str,
    payload: object,
    prepared_by: str,
    at: datetime,
    expires_at: datetime | None = None,
) -> UUID:
    """Write down what is to be done and return its id; it is done when a second person approves."""
    assert kind in _APPLIERS, f"nobody applies {kind}"
    approval_id = random_id()
    text = audit_log.canonical_json(payload)
    async with transaction() as connection:
        await ApprovalTable.insert(
            ApprovalTable(
                id=approval_id,
                kind=kind,
                subject=subject,
                payload=text,
                state=State.PREPARED.value,
                prepared_by=prepared_by,
                prepared_at=at,
                expires_at=expires_at or at + WAITS,
            )
        )
        await audit_log.record(
            connection,
            actor=prepared_by,
            action="approval.prepared",
            subject=subject,
            facts=_facts(approval_id, kind, text),
            at=at,
        )
    return approval_id


async def approve(
    approval_id: UUID, *, approved_by: str, at: datetime, kind: str | None = None
) -> object:
    """Decide as the second person and apply; return what the applier returns.

    With a `kind`, an approval of another kind is as good as unknown. Refuses an unknown,
    decided or expired approval, the person who prepared it, and what the applier refuses; then
    nothing has changed and the approval still waits. Where it loses a race, with tills say, it is
    tried anew, unless it is part of a transaction of the caller.
    """
    return await retrying_own(lambda: _approve(approval_id, approved_by, at, kind))


async def _approve(approval_id: UUID, approved_by: str, at: datetime, kind: str | None) -> object:
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            UPDATE approval SET state = 'applied', decided_by = $2, decided_at = $3
            WHERE id = $1 AND state = 'prepared' AND prepared_by <> $2 AND expires_at > $3
              AND ($4::text IS NULL OR kind = $4)
            RETURNING *
            """,
            approval_id,
            approved_by,
            at,
            kind,
        )
        if row is None:
            raise await _why_not(connection, approval_id, kind=kind, at=at)
        decided = msgspec.convert(dict(row), Approval)
        applied = await _APPLIERS[decided.kind](connection, decided)
        await audit_log.record(
            connection,
            actor=approved_by,
            action="approval.applied",
            subject=decided.subject,
            facts=_facts(approval_id, decided.kind, decided.payload)
            | {"prepared_by": decided.prepared_by},
            at=at,
        )
    return applied


async def reject(
    approval_id: UUID, *, rejected_by: str, reason: str, at: datetime, kind: str | None = None
) -> None:
    """Decide that it is not done; whoever prepared it may take it back so, also after its time.

    With a `kind`, an approval of another kind is as good as unknown.
    """
    why = valid_reason(reason)
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            UPDATE approval SET state = 'rejected', decided_by = $2, decided_at = $3, reason = $4
            WHERE id = $1 AND state = 'prepared' AND ($5::text IS NULL OR kind = $5)
            RETURNING kind, subject, payload, prepared_by
            """,
            approval_id,
            rejected_by,
            at,
            why,
            kind,
        )
        if row is None:
            raise await _why_not(connection, approval_id, kind=kind, at=at)
        await audit_log.record(
            connection,
            actor=rejected_by,
            action="approval.rejected",
            subject=row["subject"],
            facts=_facts(approval_id, row["kind"], row["payload"])
            | {"prepared_by": row["prepared_by"], "reason": why},
            at=at,
        )


async def waiting(*, at: datetime, kind: str | None = None) -> tuple[Approval, ...]:
    """Return what waits for its second person at `at`, the oldest first."""
    query = ApprovalTable.select().where(
        ApprovalTable.state == State.PREPARED.value, ApprovalTable.expires_at > at
    )
    if kind is not None:
        query = query.where(ApprovalTable.kind == kind)
    rows = await query.order_by(ApprovalTable.prepared_at, ApprovalTable.id)
    return tuple(msgspec.convert(row, Approval) for row in rows)


async def _why_not(
    connection: Connection, approval_id: UUID, *, kind: str | None, at: datetime
) -> Refused:
    """Return the refusal for an approval that the guarded UPDATE did not find."""
    row = await connection.fetchrow(
        "SELECT kind, state, expires_at FROM approval WHERE id = $1", approval_id
    )
    if row is None or (kind is not None and row["kind"] != kind):
        return UnknownApproval()
    if row["state"] != State.PREPARED:
        return ApprovalDecided(state=row["state"])
    if row["expires_at"] <= at:
        return ApprovalExpired(expires_at=row["expires_at"].isoformat())
    # What waits and is in time was left alone for one reason only: its own preparer asked.
    return SecondPersonNeeded()


def _facts(approval_id: UUID, kind: str, payload: str) -> dict[str, object]:
    """Return what the audit log says; the payload by its digest, since it may name persons."""
    digest = hashlib.sha256(payload.encode()).hexdigest()
    return {"approval_id": approval_id, "kind": kind, "payload_sha256": digest}
