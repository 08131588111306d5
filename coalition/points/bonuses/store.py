"""Keeps earning rules: prepared by one person, activated by a second, never changed afterwards.

A version holds from its `valid_from`, at the earliest the moment of its activation, until a later
version of the same code begins. Retiring a rule is a version that begins and ends at one instant.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import NoContract
from coalition.kernel.database import Connection, transaction
from coalition.oversight import approvals, audit_log
from coalition.points.bonuses.checking import Complaint, Known, complaints, settled, validity
from coalition.points.bonuses.compiled import RuleVersion
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.refusals import (
    InvalidRule,
    RuleRetired,
    RuleRetroactive,
    UnknownRule,
)

KIND = "earning_rule"
"""The kind of approval by which a rule version is activated."""

_READ = """
SELECT no, root_no, code, version, document, valid_from, valid_until, prepared_by, approved_by,
    made_at
FROM rule_version ORDER BY code, version
"""

# The lock that `bump` takes keeps others from counting on from the same number.
_ADD = """
INSERT INTO rule_version
    (no, root_no, code, version, document, valid_from, valid_until, prepared_by, approved_by,
     made_at)
SELECT last.no + 1, coalesce(mine.root_no, last.no + 1), $1, coalesce(mine.version, 0) + 1, $2, $3,
    $4, $5, $6, $7
FROM (SELECT coalesce(max(no), 0) AS no FROM rule_version) AS last
LEFT JOIN (SELECT root_no, version FROM rule_version WHERE code = $1
           ORDER BY version DESC LIMIT 1) AS mine ON true
RETURNING no, root_no, version
"""

_LATEST = """
SELECT document, valid_from, valid_until FROM rule_version WHERE code = $1
ORDER BY version DESC LIMIT 1
"""


class PreparedRule(msgspec.Struct, frozen=True, kw_only=True):
    """What the second person sees and approves: the payload of the approval."""

    document: RuleDocument
    valid_from: datetime | None
    valid_until: datetime | None
    retires: bool = False


class KeptRule(RuleVersion, frozen=True, kw_only=True):
    """A rule version with who made it hold and when."""

    prepared_by: str
    approved_by: str
    made_at: datetime


async def prepare(document: RuleDocument, *, prepared_by: str, at: datetime) -> UUID:
    """Prepare a version of the rule that the document names; return the id of its approval.

    Raises `InvalidRule` with every complaint, and `RuleRetroactive` for a beginning before `at`.
    """
    async with transaction() as connection:
        agreed = await catalogue.load(connection)
    known = Known.of(agreed)
    found = complaints(document, known)
    if found:
        raise invalid(found)
    begins, ends = validity(document, known.zone)
    wanted = PreparedRule(document=settled(document, known), valid_from=begins, valid_until=ends)
    _check_times(wanted, at)
    _check_funders(wanted.document, agreed, begins or at)
    return await _prepare(wanted, prepared_by=prepared_by, at=at)


async def prepare_retirement(
    code: str, *, when: datetime | None, prepared_by: str, at: datetime
) -> UUID:
    """Prepare that a rule holds no longer from `when`, or from approval; return the approval's id.

    Raises `UnknownRule`, `RuleRetired` or `RuleRetroactive`.
    """
    async with transaction() as connection:
        row = await connection.fetchrow(_LATEST, code)
    if row is None:
        raise UnknownRule(code=code)
    if row["valid_until"] is not None and row["valid_until"] <= max(at, row["valid_from"]):
        raise RuleRetired(code=code)
    document = msgspec.json.decode(row["document"], type=RuleDocument)
    wanted = PreparedRule(document=document, valid_from=when, valid_until=when, retires=True)
    _check_times(wanted, at)
    return await _prepare(wanted, prepared_by=prepared_by, at=at)


async def activate(approval_id: UUID, *, approved_by: str, at: datetime) -> KeptRule:
    """Activate a prepared version as the second person; it holds from the next batch on.

    Raises what `approvals.approve` raises, and `RuleRetroactive` when it should have begun before.
    """
    kept = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(kept, KeptRule), "the applier of this kind returns the version"
    return kept


async def versions(connection: Connection) -> list[KeptRule]:
    """Return every version of every rule, by code and version."""
    return [
        msgspec.convert(
            dict(row) | {"document": msgspec.json.decode(row["document"], type=RuleDocument)},
            KeptRule,
        )
        for row in await connection.fetch(_READ)
    ]


def invalid(found: Sequence[Complaint]) -> InvalidRule:
    """Return the refusal that names each complaint by its place in the document."""
    errors = [
        {"pointer": "".join(f"/{key}" for key in path), "detail": text} for path, text in found
    ]
    where = ".".join(str(key) for key in found[0][0])
    return InvalidRule(f"{where}: {found[0][1]}", errors=errors)


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: approvals.Approval) -> KeptRule:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    at = approval.decided_at
    wanted = msgspec.json.decode(approval.payload, type=PreparedRule)
    await catalogue.bump(connection)
    _check_times(wanted, at)
    begins = wanted.valid_from or at
    ends = begins if wanted.retires else wanted.valid_until
    text = audit_log.canonical_json(wanted.document)
    added = await connection.fetchrow(
        _ADD,
        wanted.document.code,
        text,
        begins,
        ends,
        approval.prepared_by,
        approval.decided_by,
        at,
    )
    kept = KeptRule(
        no=added["no"],
        root_no=added["root_no"],
        code=wanted.document.code,
        version=added["version"],
        document=wanted.document,
        valid_from=begins,
        valid_until=ends,
        prepared_by=approval.prepared_by,
        approved_by=approval.decided_by,
        made_at=at,
    )
    await audit_log.record(
        connection,
        actor=approval.decided_by,
        action="earning_rule.retired" if wanted.retires else "earning_rule.activated",
        subject=f"rule:{kept.code}",
        facts=msgspec.to_builtins(kept),
        at=at,
    )
    return kept


async def _prepare(wanted: PreparedRule, *, prepared_by: str, at: datetime) -> UUID:
    return await approvals.prepare(
        kind=KIND,
        subject=f"rule:{wanted.document.code}",
        payload=wanted,
        prepared_by=prepared_by,
        at=at,
    )


def _check_funders(document: RuleDocument, agreed: Catalogue, begins: datetime) -> None:
    """Refuse who cannot pay: a partner without a contract, by which to settle, or in default."""
    for position, part in enumerate(document.funding):
        if isinstance(part.funder, int):
            try:
                agreed.contract_at(part.funder, begins)
            except NoContract:
                text = "it has no contract when the rule begins; let the rule begin later"
                raise invalid([Complaint(("funding", position, "funder"), text)]) from None
            if agreed.default_at(part.funder, begins) is not None:
                text = "it is in default; let another pay, or end its default first"
                raise invalid([Complaint(("funding", position, "funder"), text)])


def _check_times(wanted: PreparedRule, at: datetime) -> None:
    if wanted.valid_from is not None and wanted.valid_from < at:
        raise RuleRetroactive(
            f"The rule would begin at {wanted.valid_from.isoformat()}, which is past; "
            "leave valid_from out to let it begin when it is approved",
            earliest=at.isoformat(),
        )
    if wanted.valid_until is not None and wanted.valid_until < at:
        raise RuleRetroactive("The rule would have ended before it begins; name a later day")
