"""Where members pay what their family's rules ask in money."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from litestar.handlers import ASGIRouteHandler

from billing.doors import asking
from billing.doors.asking import OF_READS, OF_STRIPE
from billing.doors.bodies import FeeList, PortalBody
from billing.doors.membership_doors import Act, endpoint_of
from billing.subscriptions.fees.refusals import UnknownFee
from billing.subscriptions.refusals import InvalidPath
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import FeeView
from coalition.families.kin.transfer_refusals import FeeNotDue
from coalition.kernel.identity import MEMBER_SCOPE, Caller
from coalition.kernel.ids import MemberId
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route

TAGS = ("families",)
BASE = "/v1/fees/{fee_id:uuid}"


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of fees."""

    async def check_own(caller: Caller, path: Mapping[str, Any]) -> None:
        await memberships.check_fee(MemberId(caller.member_id or UUID(int=0)), path["fee_id"])

    pay = replace(endpoint_of(memberships, _PAY, TAGS), owned=check_own)
    return [
        hot_route(door, "/v1/fees", _list(memberships)),
        hot_route(door, BASE, _show(memberships)),
        hot_route(door, f"{BASE}/checkout", pay),
    ]


def _list(memberships: Memberships) -> HotEndpoint:
    async def look(call: Call) -> Answer:
        member = await asking.reader(call)
        return Answer(200, FeeList(await memberships.fees(member, at=call.at)))

    return HotEndpoint(
        method="GET",
        summary="The fees in money that the member's families ask of it, and those it has paid",
        handle=look,
        answers={200: FeeList},
        scope=MEMBER_SCOPE,
        refusals=OF_READS,
        tags=TAGS,
    )


def _show(memberships: Memberships) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        member = await asking.reader(call)
        return Answer(200, await memberships.fee(member, call.path["fee_id"], at=call.at))

    return HotEndpoint(
        method="GET",
        summary="A fee in money of a transfer or of an act in a family, by the id of either",
        handle=show,
        answers={200: FeeView},
        scope=MEMBER_SCOPE,
        refusals=(*OF_READS, *OF_STRIPE, UnknownFee, FeeNotDue),
        tags=TAGS,
    )


async def _do_pay(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    return await memberships.pay_fee(
        member, call.path["fee_id"], back_to=call.body.back_to, key=key, at=call.at
    )


_PAY = Act(
    "fees/{fee_id:uuid}/checkout",
    _do_pay,
    "Pay a fee: open Stripe's page for it",
    FeeView,
    body=PortalBody,
    status=201,
    refusals=(UnknownFee, FeeNotDue, InvalidPath),
    description=(
        "The id is `transfer_id` of a transfer in `awaiting_payment`, or `act_id` of an act that "
        "waits. Paid at `url`, it goes on at once. What cannot be done any more gives the money "
        "back, and so does what staff have noted as paid meanwhile."
    ),
)
