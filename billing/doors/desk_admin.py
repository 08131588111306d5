"""Where the operator's service desk ends a membership for its member, and takes that back."""

from typing import Annotated

from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from billing.doors.asking import OF_STRIPE
from billing.doors.staff_asking import APPROVE, OF_WRITES, PREPARE, ReasonText, act_once
from billing.gateway.refusals import IntentReused
from billing.subscriptions.desk import ending
from billing.subscriptions.desk.ending import Asked
from billing.subscriptions.desk.refusals import AlreadyCancelled, AlreadyEnded
from billing.subscriptions.house import House
from billing.subscriptions.refusals import ActInProgress, NothingToCancel, NothingToRestore
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import Receipt
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.members.refusals import UnknownMember
from coalition.oversight.refusals import ReasonNeeded

TAGS = ("memberships",)
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


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of the service desk."""
    house = memberships.house
    return [
        hot_route(door, f"{_MEMBER}/cancel", _cancel(house)),
        hot_route(door, f"{_MEMBER}/uncancel", _uncancel(house)),
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
