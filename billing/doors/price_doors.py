"""Where members agree to a new price of which they were told."""

from litestar.handlers import ASGIRouteHandler

from billing.doors.bodies import ConsentBody
from billing.doors.membership_doors import BASE, Act, endpoint_of
from billing.subscriptions.campaigns.refusals import NothingToAgreeTo
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import Receipt
from coalition.kernel.ids import MemberId
from coalition.kernel.web.hot import Call, Door, hot_route


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of a member's word on its price."""
    return [hot_route(door, f"{BASE}/{_AGREE.word}", endpoint_of(memberships, _AGREE))]


async def _do_agree(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    price_no = call.body.price_no
    return await memberships.agree_to_price(member, price_no=price_no, key=key, at=call.at)


_AGREE = Act(
    "price-consent",
    _do_agree,
    "Agree to the new price of `price_notice`",
    Receipt,
    body=ConsentBody,
    refusals=(NothingToAgreeTo,),
    description="Where nobody agrees by `agree_by`, `without_consent` says what comes of it.",
)
