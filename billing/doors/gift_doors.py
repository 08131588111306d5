"""Where members buy a membership for somebody else, and redeem one."""

from litestar.handlers import ASGIRouteHandler

from billing.doors import asking
from billing.doors.asking import OF_READS, OF_STRIPE
from billing.doors.bodies import GiftBody, GiftCodeBody, GiftList
from billing.doors.membership_doors import Act, endpoint_of
from billing.plans.refusals import UnknownPlan
from billing.subscriptions.refusals import GiftNotSold, GiftWaits, InvalidPath, UnknownGift
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import GiftOrder, GiftView, MembershipView
from coalition.access.refusals import TooManyAttempts
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.ids import MemberId
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route

TAGS = ("gifts",)
BASE = "/v1/gifts"


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of gifts."""
    return [
        hot_route(door, BASE, _list(memberships), endpoint_of(memberships, _BUY, TAGS)),
        hot_route(door, f"{BASE}/redeem", endpoint_of(memberships, _REDEEM, TAGS)),
    ]


def _list(memberships: Memberships) -> HotEndpoint:
    async def listed(call: Call) -> Answer:
        member = await asking.reader(call)
        return Answer(200, GiftList(list(await memberships.gifts(member, at=call.at))))

    return HotEndpoint(
        method="GET",
        summary="Gifts that you have bought; `code` is there once one is paid",
        handle=listed,
        answers={200: GiftList},
        scope=MEMBER_SCOPE,
        refusals=(*OF_READS, *OF_STRIPE),
        tags=TAGS,
    )


async def _do_buy(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    body: GiftBody = call.body
    order = GiftOrder(
        plan=body.plan, months=body.months, currency=body.currency, back_to=body.back_to
    )
    return await memberships.buy_gift(member, order, key=key, at=call.at)


async def _do_redeem(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    return await memberships.redeem_gift(member, call.body.code, key=key, at=call.at)


_BUY = Act(
    "gifts",
    _do_buy,
    "Buy months of a plan for somebody else",
    GiftView,
    body=GiftBody,
    status=201,
    refusals=(UnknownPlan, GiftNotSold, InvalidPath),
    description="It is paid on Stripe's page at `url`, once, at the monthly price of each month.",
)
_REDEEM = Act(
    "gifts/redeem",
    _do_redeem,
    "Redeem the code of a gift",
    MembershipView,
    body=GiftCodeBody,
    refusals=(UnknownGift, GiftWaits, TooManyAttempts),
    description=(
        "Its months follow what you have paid for and what you were given before; a membership "
        "that renews is charged next when they end."
    ),
)
