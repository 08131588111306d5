"""Plans change by two persons: a version is prepared and approved, and is never changed after.

A version is sold from its `valid_from`, at the earliest the moment of its approval.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from billing.plans import catalogue, checking
from billing.plans.catalogue import Plan
from billing.plans.documents import Code, PlanDocument
from billing.plans.refusals import InvalidPlan, PlanRetroactive, SaleEndRetroactive
from coalition.federation import catalogue as federation
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.outbox import Event
from coalition.oversight import approvals, audit_log
from coalition.points.bonuses.checking import Known

PLAN = "plan"
"""The kind of approval by which a version of a plan is put on sale."""
SALE_END = "plan_sale_end"
"""The kind of approval by which the sale of a plan ends; who has it keeps it."""

# The lock that `bump` takes keeps others from counting on from the same number.
_ADD_VERSION = """
INSERT INTO plan_version
    (no, code, version, document, valid_from, prepared_by, approved_by, made_at)
SELECT (SELECT coalesce(max(no), 0) + 1 FROM plan_version), $1,
    (SELECT coalesce(max(version), 0) + 1 FROM plan_version WHERE code = $1),
    $2, $3, $4, $5, $6
RETURNING no
"""
_ADD_PRICES = """
INSERT INTO plan_price (no, plan_no, interval, currency, amount_minor, eligibility)
SELECT (SELECT coalesce(max(no), 0) FROM plan_price) + line, $1, interval, currency, amount,
    eligibility
FROM unnest($2::text[], $3::text[], $4::int8[], $5::text[]) WITH ORDINALITY
    AS given (interval, currency, amount, eligibility, line)
"""
_ADD_END = """
INSERT INTO plan_sale_end (no, code, ends_at, prepared_by, approved_by, made_at)
SELECT coalesce(max(no), 0) + 1, $1, $2, $3, $4, $5 FROM plan_sale_end
RETURNING no
"""


_NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Of an instant later than that, some zones have no date."""


class PreparedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the second person sees and approves: the payload of the approval."""

    document: PlanDocument
    valid_from: datetime | None = None


class PreparedSaleEnd(msgspec.Struct, frozen=True, kw_only=True):
    """That a plan is sold no more from a time on, or from its approval."""

    plan: Code
    ends_at: datetime | None = None


async def prepare(
    document: PlanDocument, *, valid_from: datetime | None, prepared_by: str, at: datetime
) -> UUID:
    """Prepare a version of the plan `document.code`; return the id of its approval.

    Raises `InvalidPlan` with every complaint and `PlanRetroactive`.
    """
    _check_time(valid_from, at, PlanRetroactive)
    async with transaction() as connection:
        known = Known.of(await federation.load(connection))
    found = checking.complaints(document, known)
    if found:
        raise InvalidPlan.of(found)
    return await approvals.prepare(
        kind=PLAN,
        subject=f"plan:{document.code}",
        payload=PreparedPlan(
            document=checking.settled(document, known), valid_from=_written(valid_from)
        ),
        prepared_by=prepared_by,
        at=at,
    )


async def prepare_sale_end(
    code: str, *, ends_at: datetime | None, prepared_by: str, at: datetime
) -> UUID:
    """Prepare that a plan is sold no more; return the id of the approval.

    Raises `UnknownPlan` and `SaleEndRetroactive`.
    """
    _check_time(ends_at, at, SaleEndRetroactive)
    async with transaction() as connection:
        (await catalogue.load(connection)).by_code(code)
    return await approvals.prepare(
        kind=SALE_END,
        subject=f"plan:{code}",
        payload=PreparedSaleEnd(plan=code, ends_at=_written(ends_at)),
        prepared_by=prepared_by,
        at=at,
    )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> Plan:
    """Put a prepared version on sale as the second person; it is brought to Stripe next.

    Raises what `approvals.approve` raises, and `PlanRetroactive` when its sale should have begun.
    """
    kept = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=PLAN)
    assert isinstance(kept, Plan), "the applier of this kind returns the version"
    return kept


async def approve_sale_end(approval_id: UUID, *, approved_by: str, at: datetime) -> Plan:
    """End the sale of a plan as the second person; return its last version.

    Raises what `approvals.approve` raises, and `SaleEndRetroactive`.
    """
    kept = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=SALE_END)
    assert isinstance(kept, Plan), "the applier of this kind returns the version"
    return kept


@approvals.applies(PLAN)
async def _apply(connection: Connection, approval: approvals.Approval) -> Plan:
    by, at = _decided(approval)
    wanted = msgspec.json.decode(approval.payload, type=PreparedPlan)
    await federation.bump(connection)
    _check_time(wanted.valid_from, at, PlanRetroactive)
    document = wanted.document
    no = await connection.fetchval(
        _ADD_VERSION,
        document.code,
        audit_log.canonical_json(document),
        wanted.valid_from or at,
        approval.prepared_by,
        by,
        at,
    )
    prices = document.prices
    await connection.execute(
        _ADD_PRICES,
        no,
        [price.interval for price in prices],
        [price.currency for price in prices],
        [price.amount_minor for price in prices],
        [price.eligibility for price in prices],
    )
    kept = (await catalogue.load(connection)).plan(no)
    told: dict[str, Any] = {"plan": kept.code, "version": kept.version}  # Any: JSON
    told["valid_from"] = kept.valid_from
    await outbox.append(connection, [Event("billing.plan_on_sale", told)], at)
    await _record(connection, approval, "plan.on_sale", told | {"document": document})
    return kept


@approvals.applies(SALE_END)
async def _apply_end(connection: Connection, approval: approvals.Approval) -> Plan:
    by, at = _decided(approval)
    wanted = msgspec.json.decode(approval.payload, type=PreparedSaleEnd)
    await federation.bump(connection)
    _check_time(wanted.ends_at, at, SaleEndRetroactive)
    ends_at = wanted.ends_at or at
    await connection.execute(_ADD_END, wanted.plan, ends_at, approval.prepared_by, by, at)
    told = {"plan": wanted.plan, "ends_at": ends_at}
    await outbox.append(connection, [Event("billing.plan_sale_ended", told)], at)
    await _record(connection, approval, "plan.sale_ended", told)
    return (await catalogue.load(connection)).by_code(wanted.plan)


def _decided(approval: approvals.Approval) -> tuple[str, datetime]:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    return approval.decided_by, approval.decided_at


async def _record(
    connection: Connection, approval: approvals.Approval, action: str, facts: dict[str, Any]
) -> None:
    by, at = _decided(approval)
    subject = approval.subject
    await audit_log.record(
        connection,
        actor=by,
        action=action,
        subject=subject,
        facts=facts | {"prepared_by": approval.prepared_by},
        at=at,
    )


def _written(wanted: datetime | None) -> datetime | None:
    """Return an instant as it can be kept: what has no time in UTC any more never comes."""
    return None if wanted is None else min(wanted, _NEVER)


def _check_time(
    wanted: datetime | None,
    at: datetime,
    refusal: type[PlanRetroactive] | type[SaleEndRetroactive],
) -> None:
    if wanted is not None and wanted < at:
        raise refusal(earliest=at.isoformat())
