"""What the rules of the member's families ask of it in money, and paying it."""

import asyncio

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from member_ui.visit import House, Visit, sent, shown
from pages.rendering import lead_to

DUE = frozenset({"due", "open"})
_PAGE = "/fees"


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of fees."""
    return [shown(house, _PAGE, _fees), sent(house, _PAGE, _pay)]


async def _fees(visit: Visit) -> Response[bytes]:
    memberships = visit.house.memberships
    found = await memberships.fees(visit.member, at=visit.at)
    opened = [one.fee_id for one in found if one.state == "open"]
    if opened:
        # Whoever comes back from Stripe's page sees what it says, also before we have heard.
        looks = (memberships.fee(visit.member, one, at=visit.at) for one in opened)
        await asyncio.gather(*looks)
        found = await memberships.fees(visit.member, at=visit.at)
    due = [one for one in found if one.state in DUE]
    before = [one for one in found if one.state not in DUE]
    return visit.page("fees.html", due=due, before=before)


async def _pay(visit: Visit) -> Response[bytes]:
    fee = visit.identifier("fee")
    made = await visit.house.memberships.pay_fee(
        visit.member, fee, back_to=_PAGE, key=visit.key, at=visit.at
    )
    return lead_to(made.url or _PAGE)
