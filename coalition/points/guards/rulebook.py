"""The guard rules as versioned data: proposed by one person, activated or retired by a second."""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.federation import catalogue
from coalition.federation.refusals import UnknownPartner
from coalition.kernel.database import Connection, transaction
from coalition.oversight import approvals, audit_log
from coalition.points.guards import queries
from coalition.points.guards.documents import GuardDocument, GuardRule, checked
from coalition.points.guards.refusals import UnknownGuard

ACTIVATE = "guard"
RETIRE = "guard_retirement"
"""The kinds of approval by which a version becomes active, and by which a guard ends."""

_RETIRE = """
UPDATE guard_rule SET retired_at = $2, retired_by = $3 WHERE name = $1 AND retired_at IS NULL
RETURNING no
"""
_INSERT = """
INSERT INTO guard_rule (no, name, version, document, active_from, proposed_by, approved_by)
SELECT coalesce(max(no), 0) + 1, $1,
       coalesce(max(version) FILTER (WHERE name = $1), 0) + 1, $2, $3, $4, $5
FROM guard_rule RETURNING no, version
"""


class Retirement(msgspec.Struct, frozen=True):
    """What the second person sees and signs when a guard is to end."""

    name: str


async def propose(document: GuardDocument, *, prepared_by: str, at: datetime) -> UUID:
    """Propose a guard rule, or another version of the one of that name; return the approval's id.

    It is active when a second person approves it. Raises `InvalidGuard`, `UnknownPartner`.
    """
    checked(document)
    async with transaction() as connection:
        await _check_partner(connection, document)
    return await approvals.prepare(
        kind=ACTIVATE, subject=_subject(document.name), payload=document,
        prepared_by=prepared_by, at=at,
    )  # fmt: skip


async def propose_retirement(name: str, *, prepared_by: str, at: datetime) -> UUID:
    """Propose that a guard ends; return the approval's id. Raises `UnknownGuard`."""
    async with transaction() as connection:
        await active(connection, name)
    return await approvals.prepare(
        kind=RETIRE, subject=_subject(name), payload=Retirement(name),
        prepared_by=prepared_by, at=at,
    )  # fmt: skip


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> GuardRule | Retirement:
    """Activate or retire as the second person; every process knows it from its next batch on.

    Raises what `approvals.approve` refuses, and `UnknownGuard` where a guard has ended meanwhile.
    """
    kind = await _kind_of(approval_id, at)
    done = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=kind)
    assert isinstance(done, GuardRule | Retirement), "the appliers of these kinds return one"
    return done


async def reject(approval_id: UUID, *, rejected_by: str, reason: str, at: datetime) -> None:
    """Decide that a proposal about guards is not done. Raises what `approvals.reject` refuses."""
    kind = await _kind_of(approval_id, at)
    await approvals.reject(approval_id, rejected_by=rejected_by, reason=reason, at=at, kind=kind)


async def waiting(at: datetime) -> list[approvals.Approval]:
    """Return the proposals about guards that wait for their second person, the oldest first."""
    found = [
        one for kind in (ACTIVATE, RETIRE) for one in await approvals.waiting(at=at, kind=kind)
    ]
    return sorted(found, key=lambda one: (one.prepared_at, one.id))


async def active(connection: Connection, name: str) -> GuardRule:
    """Return the active version of a guard. Raises `UnknownGuard`."""
    for rule in await queries.read_rules(connection):
        if rule.document.name == name:
            return rule
    raise UnknownGuard(name=name)


async def versions(connection: Connection, name: str) -> list[GuardRule]:
    """Return every version of a guard, the first first. Raises `UnknownGuard`."""
    known = await queries.read_rules(connection, retired=True)
    found = [rule for rule in known if rule.document.name == name]
    if not found:
        raise UnknownGuard(name=name)
    return found


@approvals.applies(ACTIVATE)
async def _activate(connection: Connection, approval: approvals.Approval) -> GuardRule:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    document = msgspec.json.decode(approval.payload, type=GuardDocument)
    await catalogue.bump(connection)
    await _check_partner(connection, document)
    await connection.fetch(_RETIRE, document.name, approval.decided_at, approval.decided_by)
    row = await connection.fetchrow(
        _INSERT,
        document.name,
        msgspec.json.encode(document).decode(),
        approval.decided_at,
        approval.prepared_by,
        approval.decided_by,
    )
    assert row is not None, "an insert returns its row"
    await audit_log.record(
        connection,
        actor=approval.decided_by,
        action="guard.activated",
        subject=_subject(document.name),
        facts={"no": row["no"], "version": row["version"], "document": document},
        at=approval.decided_at,
    )
    return GuardRule(
        row["no"], row["version"], document, approval.decided_at, None,
        approval.prepared_by, approval.decided_by,
    )  # fmt: skip


@approvals.applies(RETIRE)
async def _end(connection: Connection, approval: approvals.Approval) -> Retirement:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=Retirement)
    await catalogue.bump(connection)
    row = await connection.fetchrow(_RETIRE, wanted.name, approval.decided_at, approval.decided_by)
    if row is None:
        raise UnknownGuard(name=wanted.name)
    await audit_log.record(
        connection,
        actor=approval.decided_by,
        action="guard.retired",
        subject=_subject(wanted.name),
        facts={"no": row["no"]},
        at=approval.decided_at,
    )
    return wanted


async def _kind_of(approval_id: UUID, at: datetime) -> str:
    """Return which of our kinds an approval is; one of another feature is then unknown here."""
    return next((one.kind for one in await waiting(at) if one.id == approval_id), ACTIVATE)


async def _check_partner(connection: Connection, document: GuardDocument) -> None:
    if document.partner is not None:
        known = await catalogue.load(connection)
        if all(partner.no != document.partner for partner in known.partners):
            raise UnknownPartner(partner_no=document.partner)


def _subject(name: str) -> str:
    return f"guard:{name}"
