"""Where the operator's staff see a membership, and give and take back months that nobody pays."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from billing.doors import staff_asking
from billing.doors.bodies import PlanCode
from billing.doors.desk_admin import OF_REFUNDS
from billing.doors.staff_asking import (
    APPROVE,
    OF_WRITES,
    PREPARE,
    READ,
    MembershipProposal,
    ReasonText,
    answer_once,
    waiting_one,
)
from billing.plans.catalogue import Shelf
from billing.plans.refusals import UnknownPlan
from billing.subscriptions import entries, granting, grounds, receipts, register
from billing.subscriptions.desk import refunding
from billing.subscriptions.entries import Entry
from billing.subscriptions.granting import PreparedGrant, PreparedGrantEnd
from billing.subscriptions.refusals import AlreadyMember, NothingToTakeBack
from billing.subscriptions.register import Membership
from billing.subscriptions.service import Memberships
from billing.subscriptions.states import Given
from billing.subscriptions.views import Receipt
from coalition.federation.refusals import PartnerSuspended, UnknownPartner
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.web.fields import Body, ShortText
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.members import queries
from coalition.members.refusals import UnknownMember
from coalition.oversight.refusals import ReasonNeeded

TAGS = ("memberships",)
KINDS = (granting.GRANT, granting.GRANT_END, refunding.REFUND)

_GRANTS, _WAITING = "/v1/admin/membership-grants", "/v1/admin/membership-approvals"


class GrantBody(Body, frozen=True):
    """Months of a plan that a member has without paying; a sponsored one names who pays."""

    member_id: UUID
    ground: Literal["comped", "sponsored"]
    plan: PlanCode
    months: Annotated[int, Meta(ge=1, le=36)]
    reason: ReasonText
    partner_no: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class GrantEndBody(Body, frozen=True):
    """That what a member was given from a source ends at once."""

    member_id: UUID
    source: Annotated[ShortText, Meta(description="`source` of what was given")]
    reason: ReasonText


class MembershipOfMember(msgspec.Struct, frozen=True, kw_only=True):
    """One membership as the books have it, with what was given to it."""

    membership_id: UUID
    state: str
    ground: str | None
    plan_no: int
    price_no: int | None
    subscription: str | None
    customer: str | None
    started_at: datetime
    entitled_until: datetime | None
    ended_at: datetime | None
    given: tuple[Given, ...]

    @classmethod
    def of(cls, one: Membership, given: list[Given]) -> "MembershipOfMember":
        """Return a membership as staff see it."""
        return cls(
            membership_id=one.id,
            state=one.state,
            ground=one.ground,
            plan_no=one.plan_no,
            price_no=one.price_no,
            subscription=one.subscription,
            customer=one.customer_id,
            started_at=one.started_at,
            entitled_until=one.entitled_until,
            ended_at=one.ended_at,
            given=tuple(given),
        )


class MembershipsOfMember(msgspec.Struct, frozen=True, kw_only=True):
    """All memberships of a member, the latest first, with their money and receipts."""

    member_id: UUID
    items: list[MembershipOfMember]
    entries: list[Entry]
    receipts: list[Receipt]


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of memberships for staff."""
    one = f"{_WAITING}/{{approval_id:uuid}}"
    return [
        hot_route(door, "/v1/admin/memberships/{member_id:uuid}", _show(Shelf())),
        hot_route(door, _GRANTS, _GRANT),
        hot_route(door, f"{_GRANTS}/end", _END),
        hot_route(
            door,
            _WAITING,
            staff_asking.listing(
                KINDS,
                summary="Grants, their ends and refunds that wait for their second person",
                tags=TAGS,
            ),
        ),
        hot_route(
            door,
            f"{one}/approve",
            staff_asking.approving(
                KINDS,
                "membership-approvals",
                summary="Give, take back or refund, as the second person, what another proposed",
                tags=TAGS,
                refusals=(AlreadyMember, NothingToTakeBack, UnknownPlan, *OF_REFUNDS),
                around=lambda approval_id, at: refunding.carried_out(
                    memberships.house, approval_id, at=at
                ),
            ),
        ),
        hot_route(
            door, f"{one}/reject", staff_asking.rejecting(KINDS, "membership-approvals", tags=TAGS)
        ),
    ]


def _show(shelf: Shelf) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        member = MemberId(call.path["member_id"])
        async with transaction() as connection:
            if await queries.read_standing(connection, member) is None:
                raise UnknownMember
            plans = await shelf.read(connection)
            items = [
                MembershipOfMember.of(one, await grounds.of_membership(connection, one.id, plans))
                for one in await register.of_member(connection, member)
            ]
            found = MembershipsOfMember(
                member_id=member,
                items=items,
                entries=await entries.of_member(connection, member),
                receipts=list(await receipts.of_member(connection, member)),
            )
        return Answer(200, found)

    return HotEndpoint(
        method="GET",
        summary="The memberships of a member, what they cost and what was given",
        handle=show,
        answers={200: MembershipsOfMember},
        scope=(READ, PREPARE, APPROVE),
        refusals=(UnknownMember,),
        tags=TAGS,
    )


async def _grant(call: Call) -> Answer:
    body: GrantBody = call.body
    wanted = PreparedGrant(
        member_id=body.member_id,
        ground=body.ground,
        plan=body.plan,
        months=body.months,
        reason=body.reason,
        partner_no=body.partner_no if body.ground == "sponsored" else None,
    )

    async def work(connection: Connection) -> MembershipProposal:
        made = await granting.prepare(wanted, prepared_by=call.caller.actor, at=call.at)
        return await waiting_one(connection, made)

    return await answer_once(call, "membership-grants", 201, work)


async def _end(call: Call) -> Answer:
    body: GrantEndBody = call.body
    wanted = PreparedGrantEnd(member_id=body.member_id, source=body.source, reason=body.reason)

    async def work(connection: Connection) -> MembershipProposal:
        made = await granting.prepare_end(wanted, prepared_by=call.caller.actor, at=call.at)
        return await waiting_one(connection, made)

    return await answer_once(call, "membership-grants/end", 201, work)


_GRANT = HotEndpoint(
    method="POST",
    summary="Propose that a member has months of a plan without paying",
    description=(
        "`comped` is given by the operator, `sponsored` is paid by a partner. The months follow "
        "what the member has been given before; a member who pays is given none."
    ),
    handle=_grant,
    body=GrantBody,
    answers={201: MembershipProposal},
    scope=PREPARE,
    idempotent=True,
    refusals=(
        *(*OF_WRITES, UnknownMember, UnknownPlan),
        *(UnknownPartner, PartnerSuspended, ReasonNeeded),
    ),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
_END = HotEndpoint(
    method="POST",
    summary="Propose that what a member was given ends at once",
    handle=_end,
    body=GrantEndBody,
    answers={201: MembershipProposal},
    scope=PREPARE,
    idempotent=True,
    refusals=(*OF_WRITES, ReasonNeeded),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
