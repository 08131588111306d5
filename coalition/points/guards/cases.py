"""Cases: what a guard noticed of one subject, gathered until a person decides."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.members import service as members
from coalition.oversight import audit_log
from coalition.oversight.reasons import valid_reason
from coalition.points.guards.refusals import CaseDecided, CaseWithoutMember, UnknownCase

_COLUMNS = """
SELECT kept.id, kept.rule_no, rule.name AS rule, rule.version, kept.subject, kept.member_id,
       kept.partner_no, kept.state, kept.opened_at, kept.last_hit_at, kept.decided_at,
       kept.decided_by, kept.note,
       (SELECT coalesce(sum(acts), 0) FROM guard_hit WHERE case_id = kept.id) AS acts
FROM guard_case AS kept JOIN guard_rule AS rule ON rule.no = kept.rule_no
"""
_LIST = (
    _COLUMNS
    + """
WHERE ($1::text IS NULL OR kept.state = $1) AND ($2::int4 IS NULL OR kept.partner_no = $2)
ORDER BY kept.last_hit_at DESC, kept.id DESC LIMIT $3
"""
)
_ONE = _COLUMNS + "WHERE kept.id = $1"
_HITS = """
SELECT outcome, seen_from, seen_until, reached, most, acts, postings, cashiers, confirmed_by
FROM guard_hit WHERE case_id = $1 ORDER BY seen_from, slot, outcome
"""
_LOCK = "SELECT state, subject, member_id FROM guard_case WHERE id = $1 FOR NO KEY UPDATE"
_DECIDE = """
UPDATE guard_case SET state = $2, decided_by = $3, decided_at = $4, note = $5 WHERE id = $1
"""
_OPEN = "SELECT count(*) FROM guard_case WHERE state = 'open'"
_ERASE = """
UPDATE guard_case SET subject = 'card:erased/' || id
WHERE member_id = $1 AND subject LIKE '%card:%'
"""

_OPEN_OF = """
SELECT DISTINCT member_id FROM guard_case WHERE member_id = ANY ($1::uuid[]) AND state = 'open'
"""


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    CLEARED = "cleared"
    """There was nothing in it."""
    CONFIRMED = "confirmed"
    """It was what the guard took it for."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule noticed of one subject; `acts` counts all acts that passed its number."""

    id: UUID
    rule_no: int
    rule: str
    version: int
    subject: str
    member_id: UUID | None
    partner_no: int
    state: CaseState
    opened_at: datetime
    last_hit_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    note: str | None
    acts: int


class HitView(msgspec.Struct, frozen=True, kw_only=True):
    """What passed the number within one slot; postings, cashiers and names are the first ones."""

    outcome: str
    seen_from: datetime
    seen_until: datetime
    reached: int
    most: int
    acts: int
    postings: list[UUID]
    cashiers: list[str]
    confirmed_by: list[str]


async def list_cases(
    connection: Connection,
    *,
    state: CaseState | None = CaseState.OPEN,
    partner_no: int | None = None,
    limit: int = 100,
) -> list[Case]:
    """Return cases (open ones unless asked otherwise), the one last hit first."""
    rows = await connection.fetch(_LIST, state, partner_no, limit)
    return [msgspec.convert(dict(row), Case) for row in rows]


async def show(connection: Connection, case_id: UUID) -> tuple[Case, list[HitView]]:
    """Return a case with its hits, the earliest first. Raises `UnknownCase`."""
    row = await connection.fetchrow(_ONE, case_id)
    if row is None:
        raise UnknownCase
    hits = await connection.fetch(_HITS, case_id)
    return (
        msgspec.convert(dict(row), Case),
        [msgspec.convert(dict(hit), HitView) for hit in hits],
    )


async def count_open(connection: Connection) -> int:
    """Return how many cases wait for a person."""
    return int(await connection.fetchval(_OPEN))


async def open_of(connection: Connection, members: Collection[UUID]) -> frozenset[UUID]:
    """Return which of `members` an open case is about."""
    rows = await connection.fetch(_OPEN_OF, list(members))
    return frozenset(row[0] for row in rows)


async def decide(case_id: UUID, state: CaseState, *, actor: str, note: str, at: datetime) -> None:
    """Close a case as cleared or confirmed; it is in the audit log.

    What passes the number afterwards opens another case. Raises `UnknownCase`, `CaseDecided`,
    `ReasonNeeded`.
    """
    assert state is not CaseState.OPEN, "a decision closes a case"
    why = valid_reason(note)
    async with transaction() as connection:
        kept = await connection.fetchrow(_LOCK, case_id)
        if kept is None:
            raise UnknownCase
        if kept["state"] != CaseState.OPEN:
            raise CaseDecided(state=kept["state"])
        await connection.execute(_DECIDE, case_id, state, actor, at, why)
        await _record(connection, case_id, f"guard.case_{state}", {"note": why}, actor=actor, at=at)


async def freeze(case_id: UUID, *, actor: str, at: datetime, member_id: UUID | None = None) -> UUID:
    """Freeze the member of a case, or the one named; return whom. Both acts are in the audit log.

    Raises `UnknownCase`, `CaseWithoutMember`, and what `members.service.freeze` refuses.
    """
    return await _set_frozen(case_id, member_id, frozen=True, actor=actor, at=at)


async def unfreeze(
    case_id: UUID, *, actor: str, at: datetime, member_id: UUID | None = None
) -> UUID:
    """Let the points of the member of a case move again; the same otherwise as `freeze`."""
    return await _set_frozen(case_id, member_id, frozen=False, actor=actor, at=at)


async def erase(connection: Connection, member_id: UUID) -> None:
    """Forget the cards of a member in cases; what stays is the random id of the member."""
    await connection.execute(_ERASE, member_id)


async def _set_frozen(
    case_id: UUID, member_id: UUID | None, *, frozen: bool, actor: str, at: datetime
) -> UUID:
    async with transaction() as connection:
        kept = await connection.fetchrow(_LOCK, case_id)
        if kept is None:
            raise UnknownCase
        whom = member_id or kept["member_id"]
        if whom is None:
            raise CaseWithoutMember(subject=kept["subject"])
        change = members.freeze if frozen else members.unfreeze
        await change(MemberId(whom), actor=actor, at=at)
        action = "guard.case_froze" if frozen else "guard.case_unfroze"
        facts: dict[str, object] = {"member_id": str(whom)}
        await _record(connection, case_id, action, facts, actor=actor, at=at)
    return UUID(str(whom))


async def _record(
    connection: Connection,
    case_id: UUID,
    action: str,
    facts: dict[str, object],
    *,
    actor: str,
    at: datetime,
) -> None:
    await audit_log.record(
        connection, actor=actor, action=action, subject=f"guard_case:{case_id}", facts=facts, at=at
    )
