"""Memberships that staff grant or a partner pays, and their end: two persons each."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from billing.benefits.entitlements import Ground
from billing.plans import catalogue as plan_catalogue
from billing.plans.documents import Code
from billing.subscriptions import register, syncing
from billing.subscriptions.grounds import Gift
from billing.subscriptions.months import months_after
from billing.subscriptions.refusals import AlreadyMember, NothingToTakeBack
from billing.subscriptions.register import Membership
from coalition.federation import catalogue
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.members import queries
from coalition.members.refusals import UnknownMember
from coalition.oversight import approvals
from coalition.oversight.reasons import valid_reason

GRANT = "membership_grant"
"""The kind of approval by which a member is given months of a plan."""
GRANT_END = "membership_grant_end"
"""The kind of approval by which months that were given end at once."""


class PreparedGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What the second person sees; a sponsored one names the partner that pays, by number."""

    member_id: UUID
    ground: Literal["comped", "sponsored"]
    plan: Code
    months: Annotated[int, Meta(ge=1, le=36)]
    reason: str
    partner_no: int | None = None


class PreparedGrantEnd(msgspec.Struct, frozen=True, kw_only=True):
    """That what was given from a source ends at once."""

    member_id: UUID
    source: str
    reason: str


async def prepare(wanted: PreparedGrant, *, prepared_by: str, at: datetime) -> UUID:
    """Prepare months for a member; return the id of the approval.

    Raises `UnknownMember`, `UnknownPlan`, `UnknownPartner`, `ReasonNeeded`.
    """
    valid_reason(wanted.reason)
    async with transaction() as connection:
        (await plan_catalogue.load(connection)).by_code(wanted.plan, at)
        if await queries.read_standing(connection, MemberId(wanted.member_id)) is None:
            raise UnknownMember
        agreed = await catalogue.load(connection)
        if wanted.ground == "sponsored":
            agreed.active_partner(wanted.partner_no or 0)
    return await approvals.prepare(
        kind=GRANT,
        subject=f"member:{wanted.member_id}",
        payload=wanted,
        prepared_by=prepared_by,
        at=at,
    )


async def prepare_end(wanted: PreparedGrantEnd, *, prepared_by: str, at: datetime) -> UUID:
    """Prepare that what was given ends; return the id of the approval. Raises `ReasonNeeded`."""
    valid_reason(wanted.reason)
    return await approvals.prepare(
        kind=GRANT_END,
        subject=f"member:{wanted.member_id}",
        payload=wanted,
        prepared_by=prepared_by,
        at=at,
    )


async def approve(approval_id: UUID, *, kind: str, approved_by: str, at: datetime) -> Membership:
    """Do as the second person what was prepared; return the membership.

    Raises what `approvals.approve` does, `AlreadyMember` where one renews, and `NothingToTakeBack`.
    """
    done = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=kind)
    assert isinstance(done, Membership), "the appliers of these kinds return the membership"
    return done


@approvals.applies(GRANT)
async def _apply(connection: Connection, approval: approvals.Approval) -> Membership:
    at = approval.decided_at
    assert at is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedGrant)
    member = MemberId(wanted.member_id)
    await queries.lock_members(connection, [member])
    live = await register.live(connection, member, lock=True)
    if live is not None and live.subscription is not None:
        raise AlreadyMember(membership_id=str(live.id))
    begins = at if live is None else max(at, live.entitled_until or at)
    plan = (await plan_catalogue.load(connection)).by_code(wanted.plan, at)
    payer = "" if wanted.partner_no is None else f"partner:{wanted.partner_no}:"
    given = Gift(
        ground=Ground(wanted.ground),
        plan_no=plan.no,
        begins=begins,
        ends=months_after(begins, wanted.months),
        source=f"{payer}{approval.id}",
        made_by=f"{approval.prepared_by} {approval.decided_by}",
    )
    return await syncing.give(connection, given, member=member, at=at)


@approvals.applies(GRANT_END)
async def _apply_end(connection: Connection, approval: approvals.Approval) -> Membership:
    at = approval.decided_at
    assert at is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedGrantEnd)
    member = MemberId(wanted.member_id)
    found = await syncing.take_back(connection, wanted.source, member=member, at=at)
    if found is None:
        raise NothingToTakeBack
    return found
