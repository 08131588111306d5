"""Where the operator's service desk ends memberships for members, and gives money back."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from billing.doors.asking import OF_STRIPE
from billing.doors.staff_asking import (
    APPROVE,
    OF_WRITES,
    PREPARE,
    READ,
    MembershipProposal,
    ReasonText,
    act_once,
    answer_once,
    waiting_one,
)
from billing.gateway.amounts import AmountNotTaken
from billing.gateway.refusals import IntentReused
from billing.subscriptions.desk import ending, refunding
from billing.subscriptions.desk.ending import Asked
from billing.subscriptions.desk.refunding import Wanted
from billing.subscriptions.desk.refusals import (
    AlreadyCancelled,
    AlreadyEnded,
    AmountAboveLeft,
    NothingToRefund,
    PaymentDisputed,
    UnknownPayment,
)
from billing.subscriptions.desk.rules import PaymentOfMember
from billing.subscriptions.house import House
from billing.subscriptions.refusals import ActInProgress, NothingToCancel, NothingToRestore
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import Receipt
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.kernel.web.fields import Body, ShortText
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.members.refusals import UnknownMember
from coalition.oversight.refusals import ReasonNeeded

TAGS = ("memberships",)
OF_REFUNDS: tuple[type[Refused], ...] = (
    *OF_STRIPE,
    ActInProgress,
    UnknownMember,
    UnknownPayment,
    NothingToRefund,
    AmountAboveLeft,
    PaymentDisputed,
)
"""What a refund may be refused for, proposed or approved."""

MOST = 2**53 - 1
"""So many minor units are written exactly wherever JSON is read."""
_REFUNDS = "/v1/admin/membership-refunds"
_MEMBER = "/v1/admin/memberships/{member_id:uuid}"
_OF_ACTS: tuple[type[Refused], ...] = (
    *OF_WRITES,
    *OF_STRIPE,
    ActInProgress,
    IntentReused,
    UnknownMember,
    ReasonNeeded,
)


class DeskCancelBody(Body, frozen=True):
    """Why a membership is to end, and whether it ends now."""

    reason: ReasonText
    at_once: Annotated[
        bool, Meta(description="End it now, with all it gives; else it ends with what is paid")
    ] = False


class DeskRestoreBody(Body, frozen=True):
    """Why a cancelled membership is to go on."""

    reason: ReasonText


class RefundBody(Body, frozen=True):
    """What is to go back of what a member has paid for a membership, and why."""

    member_id: UUID
    reason: ReasonText
    payment: (
        Annotated[
            ShortText,
            Meta(description="Of which payment; else the latest of which something is left"),
        ]
        | None
    ) = None
    amount_minor: (
        Annotated[
            int,
            Meta(ge=1, le=MOST, description="In the payment's currency; else all that is left"),
        ]
        | None
    ) = None


class PaymentsOfMember(msgspec.Struct, frozen=True):
    """What a member has paid for memberships, the oldest first, and what is left of it."""

    items: list[PaymentOfMember]


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of the service desk."""
    house = memberships.house
    return [
        hot_route(door, f"{_MEMBER}/cancel", _cancel(house)),
        hot_route(door, f"{_MEMBER}/uncancel", _uncancel(house)),
        hot_route(door, f"{_MEMBER}/payments", _PAYMENTS),
        hot_route(door, _REFUNDS, _refund(house)),
    ]


def _asked(call: Call, key: str) -> Asked:
    return Asked(call.caller.actor, call.body.reason, key)


def _cancel(house: House) -> HotEndpoint:
    async def cancel(call: Call) -> Answer:
        member = MemberId(call.path["member_id"])

        async def work(key: str) -> Receipt:
            asked, at_once = _asked(call, key), call.body.at_once
            return await ending.cancel(house, member, asked, at_once=at_once, at=call.at)

        return await act_once(call, f"memberships/{member}/cancel", 200, work)

    return HotEndpoint(
        method="POST",
        summary="Cancel a membership for its member",
        description=(
            "It ends with what is paid, or `at_once`; one that is not paid for ends at once. "
            "Nothing is given back: that is a refund. The member is told, and has the receipt; "
            "`reason` is for the audit log alone."
        ),
        handle=cancel,
        body=DeskCancelBody,
        answers={200: Receipt},
        scope=(PREPARE, APPROVE),
        idempotent=True,
        refusals=(*_OF_ACTS, NothingToCancel, AlreadyCancelled, AlreadyEnded),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _uncancel(house: House) -> HotEndpoint:
    async def uncancel(call: Call) -> Answer:
        member = MemberId(call.path["member_id"])

        async def work(key: str) -> Receipt:
            return await ending.uncancel(house, member, _asked(call, key), at=call.at)

        return await act_once(call, f"memberships/{member}/uncancel", 200, work)

    return HotEndpoint(
        method="POST",
        summary="Let a cancelled membership go on, for its member",
        handle=uncancel,
        body=DeskRestoreBody,
        answers={200: Receipt},
        scope=(PREPARE, APPROVE),
        idempotent=True,
        refusals=(*_OF_ACTS, NothingToRestore),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


async def _payments(call: Call) -> Answer:
    member = MemberId(call.path["member_id"])
    async with transaction() as connection:
        return Answer(200, PaymentsOfMember(await refunding.payments(connection, member, call.at)))


_PAYMENTS = HotEndpoint(
    method="GET",
    summary="What a member has paid for memberships, and what of it is left to go back",
    handle=_payments,
    answers={200: PaymentsOfMember},
    scope=(READ, PREPARE, APPROVE),
    refusals=(UnknownMember,),
    tags=TAGS,
)


def _refund(house: House) -> HotEndpoint:
    async def refund(call: Call) -> Answer:
        body: RefundBody = call.body
        member = MemberId(body.member_id)
        wanted = Wanted(member, body.reason, body.payment, body.amount_minor)
        await refunding.look(house, member, at=call.at)

        async def work(connection: Connection) -> MembershipProposal:
            made = await refunding.prepare(wanted, prepared_by=call.caller.actor, at=call.at)
            return await waiting_one(connection, made)

        return await answer_once(call, "membership-refunds", 201, work)

    return HotEndpoint(
        method="POST",
        summary="Propose that money goes back that a member has paid",
        description=(
            "It goes back the way it was paid once a second person approves it. A payment that "
            "goes back whole gives nothing any more; of a part, all benefits stay. What renews "
            "goes on doing so: cancel it as well where it should not."
        ),
        handle=refund,
        body=RefundBody,
        answers={201: MembershipProposal},
        scope=PREPARE,
        idempotent=True,
        refusals=(*OF_WRITES, *OF_REFUNDS, AmountNotTaken, ReasonNeeded),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )
