"""Gifts: months of a plan for somebody else, and turning a code into them."""

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from billing.subscriptions.views import GiftOrder
from member_ui.shop import currencies_of, names_of, offers_of
from member_ui.visit import House, Visit, done, sent, shown
from pages.rendering import lead_to


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of gifts."""
    return [
        shown(house, "/gifts", _gifts),
        sent(house, "/gifts", _buy),
        sent(house, "/gifts/redeem", _redeem),
    ]


async def _gifts(visit: Visit) -> Response[bytes]:
    gifts = await visit.house.memberships.gifts(visit.member, at=visit.at)
    offers = await offers_of(visit)
    return visit.page(
        "gifts.html",
        gifts=gifts,
        offers=offers,
        names=names_of(offers),
        **currencies_of(visit, offers),
    )


async def _buy(visit: Visit) -> Response[bytes]:
    order = GiftOrder(
        plan=visit.asked("plan"), months=visit.number("months"), currency=visit.asked("currency")
    )
    made = await visit.house.memberships.buy_gift(visit.member, order, key=visit.key, at=visit.at)
    return lead_to(made.url or "/gifts")


async def _redeem(visit: Visit) -> Response[bytes]:
    await visit.house.memberships.redeem_gift(
        visit.member, visit.asked("code"), key=visit.key, at=visit.at
    )
    return done("/membership", "redeemed")
