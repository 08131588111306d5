"""Rule sets and what they are bound to change by two persons; what holds is never changed.

A version holds from its `valid_from`, at the earliest the moment of its approval.
"""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from coalition.families.rule_sets import documents, lots
from coalition.families.rule_sets.books import KeptBinding, KeptVersion
from coalition.families.rule_sets.documents import PresetUse
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.rule_set_refusals import (
    BindingRetroactive,
    InvalidRuleSet,
    InvalidRuleSetName,
    RuleSetOfAnotherMechanism,
    RuleSetRetroactive,
    UnknownRuleSet,
)
from coalition.families.rule_sets.vocabulary import Mechanism
from coalition.federation import catalogue
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.outbox import Event
from coalition.ledger import classes
from coalition.oversight import approvals, audit_log
from coalition.points.bonuses.checking import Known

RULE_SET = "rule_set"
"""The kind of approval by which a version of a rule set is activated."""
BINDING = "rule_binding"
"""The kind of approval by which a kind of group, or `p2p`, gets its rule set."""
P2P = "p2p"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")

# The lock that `bump` takes keeps others from counting on from the same number.
_NAMED = """
INSERT INTO rule_set (no, name)
SELECT (SELECT coalesce(max(no), 0) + 1 FROM rule_set), $1
WHERE NOT EXISTS (SELECT FROM rule_set WHERE name = $1)
"""
_ADD_VERSION = """
INSERT INTO rule_set_version
    (rule_set_no, version, document, valid_from, prepared_by, approved_by, made_at)
SELECT no, (SELECT coalesce(max(version), 0) + 1 FROM rule_set_version WHERE rule_set_no = no),
    $2, $3, $4, $5, $6
FROM rule_set WHERE name = $1
RETURNING rule_set_no, version
"""
_LAST_MECHANISM = """
SELECT rule_set.no, document FROM rule_set JOIN rule_set_version ON rule_set_no = rule_set.no
WHERE name = $1 ORDER BY version DESC LIMIT 1
"""
_ADD_BINDING = """
INSERT INTO rule_binding (no, kind, rule_set_no, valid_from, prepared_by, approved_by, made_at)
SELECT coalesce(max(no), 0) + 1, $1, $2, $3, $4, $5, $6 FROM rule_binding
RETURNING no
"""


class PreparedRuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """What the second person sees and approves: the payload of the approval."""

    name: str
    document: RuleSet
    valid_from: datetime | None = None


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How it is kept while it waits: with every key."""

    name: str
    document: dict[str, Any]  # Any: JSON
    valid_from: datetime | None


class PreparedBinding(msgspec.Struct, frozen=True, kw_only=True):
    """That a kind runs under a rule set; under none: such acts are refused."""

    kind: str
    rule_set: str | None
    valid_from: datetime | None = None


async def prepare(
    name: str,
    written: RuleSet | PresetUse,
    *,
    valid_from: datetime | None,
    prepared_by: str,
    at: datetime,
) -> UUID:
    """Prepare a version of the rule set `name`; return the id of its approval.

    Raises `InvalidRuleSetName`, `InvalidRuleSet` with every complaint, `RuleSetRetroactive`, and
    `RuleSetOfAnotherMechanism` where versions before have another.
    """
    _check_name(name)
    _check_time(valid_from, at, RuleSetRetroactive)
    async with transaction() as connection:
        agreed = await catalogue.load(connection)
        document, found = documents.judged(written, Known.of(agreed))
        if document is None:
            raise InvalidRuleSet.of(found)
        await _check_stays(connection, PreparedRuleSet(name=name, document=document))
    wanted = _Kept(name=name, document=documents.whole(document), valid_from=valid_from)
    return await approvals.prepare(
        kind=RULE_SET,
        subject=f"rule_set:{name}",
        payload=wanted,
        prepared_by=prepared_by,
        at=at,
    )


async def prepare_binding(
    kind: str,
    rule_set: str | None,
    *,
    valid_from: datetime | None,
    prepared_by: str,
    at: datetime,
) -> UUID:
    """Prepare that `kind` runs under the rule set of that name, or under none; return the approval.

    Raises `InvalidRuleSetName`, `UnknownRuleSet`, `RuleSetOfAnotherMechanism` for transfers under
    rules of a pool, and `BindingRetroactive`.
    """
    _check_name(kind)
    _check_time(valid_from, at, BindingRetroactive)
    wanted = PreparedBinding(kind=kind, rule_set=rule_set, valid_from=valid_from)
    async with transaction() as connection:
        await _number_of(connection, wanted)
    return await approvals.prepare(
        kind=BINDING,
        subject=f"rule_binding:{kind}",
        payload=wanted,
        prepared_by=prepared_by,
        at=at,
    )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> KeptVersion:
    """Activate a prepared version as the second person; it holds from the next act on.

    Raises what `approvals.approve` raises, `RuleSetRetroactive` when it should have begun, and
    `RuleSetOfAnotherMechanism` where another was activated meanwhile.
    """
    kept = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=RULE_SET)
    assert isinstance(kept, KeptVersion), "the applier of this kind returns the version"
    return kept


async def approve_binding(approval_id: UUID, *, approved_by: str, at: datetime) -> KeptBinding:
    """Bind as the second person; it holds from the next act on.

    Raises what `approvals.approve` raises, and `BindingRetroactive` when it should have begun.
    """
    kept = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=BINDING)
    assert isinstance(kept, KeptBinding), "the applier of this kind returns the binding"
    return kept


@approvals.applies(RULE_SET)
async def _apply(connection: Connection, approval: approvals.Approval) -> KeptVersion:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    at, wanted = approval.decided_at, msgspec.json.decode(approval.payload, type=PreparedRuleSet)
    await catalogue.bump(connection)
    _check_time(wanted.valid_from, at, RuleSetRetroactive)
    await _check_stays(connection, wanted)
    begins = wanted.valid_from or at
    text = audit_log.canonical_json(documents.whole(wanted.document))
    persons = approval.prepared_by, approval.decided_by
    binding = lots.binding_of(wanted.document)
    if binding is not None:
        await classes.register(connection, binding)
    await connection.execute(_NAMED, wanted.name)
    added = await connection.fetchrow(_ADD_VERSION, wanted.name, text, begins, *persons, at)
    kept = KeptVersion(
        rule_set_no=added["rule_set_no"],
        name=wanted.name,
        version=added["version"],
        document=wanted.document,
        valid_from=begins,
        prepared_by=persons[0],
        approved_by=persons[1],
        made_at=at,
    )
    told = {"rule_set": kept.name, "version": kept.version, "valid_from": begins}
    await outbox.append(connection, [Event("families.rule_set_activated", told)], at)
    await audit_log.record(
        connection,
        actor=kept.approved_by,
        action="rule_set.activated",
        subject=approval.subject,
        facts=msgspec.to_builtins(kept) | {"document": documents.whole(kept.document)},
        at=at,
    )
    return kept


@approvals.applies(BINDING)
async def _apply_binding(connection: Connection, approval: approvals.Approval) -> KeptBinding:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    at, wanted = approval.decided_at, msgspec.json.decode(approval.payload, type=PreparedBinding)
    await catalogue.bump(connection)
    _check_time(wanted.valid_from, at, BindingRetroactive)
    number = await _number_of(connection, wanted)
    begins = wanted.valid_from or at
    persons = approval.prepared_by, approval.decided_by
    no = await connection.fetchval(_ADD_BINDING, wanted.kind, number, begins, *persons, at)
    kept = KeptBinding(
        no=no,
        kind=wanted.kind,
        rule_set_no=number,
        rule_set=wanted.rule_set,
        valid_from=begins,
        prepared_by=persons[0],
        approved_by=persons[1],
        made_at=at,
    )
    told = {"kind": kept.kind, "rule_set": wanted.rule_set, "valid_from": begins}
    await outbox.append(connection, [Event("families.rule_set_bound", told)], at)
    await audit_log.record(
        connection,
        actor=kept.approved_by,
        action="rule_set.bound",
        subject=approval.subject,
        facts=msgspec.to_builtins(kept),
        at=at,
    )
    return kept


async def _number_of(connection: Connection, wanted: PreparedBinding) -> int | None:
    """Return the number of the rule set that is to be bound."""
    if wanted.rule_set is None:
        return None
    row = await connection.fetchrow(_LAST_MECHANISM, wanted.rule_set)
    if row is None:
        raise UnknownRuleSet(name=wanted.rule_set)
    document = msgspec.json.decode(row["document"], type=RuleSet)
    if wanted.kind == P2P and document.mechanism is not Mechanism.P2P:
        raise RuleSetOfAnotherMechanism(mechanism=document.mechanism.value)
    return int(row["no"])


async def _check_stays(connection: Connection, wanted: PreparedRuleSet) -> None:
    """Refuse another mechanism than before under a name.

    Groups live under a name, and what they have lies where its mechanism puts it; nobody who
    joined one of another mechanism has agreed to this one.
    """
    row = await connection.fetchrow(_LAST_MECHANISM, wanted.name)
    if row is None:
        return
    before = msgspec.json.decode(row["document"], type=RuleSet).mechanism
    if wanted.document.mechanism is not before:
        raise RuleSetOfAnotherMechanism(mechanism=before.value)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidRuleSetName(name=name)


def _check_time(wanted: datetime | None, at: datetime, refusal: type[RuleSetRetroactive]) -> None:
    if wanted is not None and wanted < at:
        raise refusal(earliest=at.isoformat())
