"""The shop: plans side by side, an order with what the law wants shown, then Stripe's own page."""

import re

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from billing.subscriptions.refusals import UnknownPromotion
from billing.subscriptions.views import MembershipState, Offers, Order, PlanOffer, PriceOffer
from member_ui.visit import House, NotFromHere, Shown, Visit, done, sent, shown
from pages.rendering import lead_to

_COUNTRIES = {"sv": "SE", "nb": "NO"}
_COUNTRY = re.compile("[A-Z]{2}", re.ASCII)
_NO_COUNTRY = "EU"
"""The terms that hold where no country is known."""

_WITHOUT = {MembershipState.NONE, MembershipState.CHECKOUT, MembershipState.ENDED}


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of looking at plans and ordering one."""
    return [
        shown(house, "/plans", _plans, to_members=False),
        shown(house, "/order", _order),
        sent(house, "/order", _buy),
        sent(house, "/order/drop", _drop),
    ]


async def offers_of(visit: Visit) -> Offers:
    """Return the plans that the visitor may order, under the law of the country asked for.

    Without one it is the member's own country; where none is known, that of the language.
    """
    named = visit.query("country")
    asked = named if _COUNTRY.fullmatch(named) else None
    offers = await _offers_in(visit, asked)
    likely = _COUNTRIES.get(visit.wording.language)
    if asked is None and likely is not None and offers.terms.country == _NO_COUNTRY:
        return await _offers_in(visit, likely)
    return offers


async def _offers_in(visit: Visit, country: str | None) -> Offers:
    return await visit.house.memberships.plans_for(
        None if visit.session is None else visit.session.member_id,
        country=country,
        language=visit.wording.language,
        at=visit.at,
    )


def names_of(offers: Offers) -> dict[str, str]:
    """Return the plans' names by their codes."""
    return {plan.plan: plan.name for plan in offers.items}


def interval_of(offers: Offers, price_no: int) -> str | None:
    """Return whether a price on sale is for a month or a year; None for one that is not."""
    every = (price for plan in offers.items for price in plan.prices)
    return next((price.interval for price in every if price.price_no == price_no), None)


def currencies_of(visit: Visit, offers: Offers) -> dict[str, Shown]:
    """Return the currencies that plans are offered in, and the one that is shown."""
    prices = (price for plan in offers.items for price in plan.prices)
    offered = list(dict.fromkeys(price.price.currency for price in prices))
    wanted = visit.query("currency")
    first = offered[0] if offered else ""
    return {"offered": offered, "currency": wanted if wanted in offered else first}


async def _plans(visit: Visit) -> Response[bytes]:
    offers = await offers_of(visit)
    membership = None
    if visit.session is not None:
        membership = await visit.house.memberships.membership(visit.member, at=visit.at)
    is_new = membership is None or membership.state in _WITHOUT
    shown_in = currencies_of(visit, offers)
    return visit.page("plans.html", offers=offers, membership=membership, is_new=is_new, **shown_in)


async def _order(visit: Visit) -> Response[bytes]:
    wanted = visit.query("price")
    if not wanted:
        return lead_to("/plans")
    return await _show_order(visit, wanted)


async def _show_order(
    visit: Visit, wanted: str, *, said: str | None = None, status: int = 200
) -> Response[bytes]:
    offers = await offers_of(visit)
    plan, price = _chosen(offers, wanted)
    return visit.page(
        "order.html", status=status, plan=plan, price=price, terms=offers.terms, said=said
    )


def _chosen(offers: Offers, wanted: str) -> tuple[PlanOffer, PriceOffer]:
    for plan in offers.items:
        for price in plan.prices:
            if str(price.price_no) == wanted:
                return plan, price
    raise NotFromHere


async def _buy(visit: Visit) -> Response[bytes]:
    visit.asked("accept")
    country = visit.asked("country")
    if not _COUNTRY.fullmatch(country):
        raise NotFromHere
    order = Order(
        price_no=visit.number("price"),
        country=country,
        language=visit.wording.language,
        disclosure_version=visit.asked("disclosure"),
        promotion=visit.form.get("promotion") or None,
    )
    memberships = visit.house.memberships
    try:
        made = await memberships.checkout(visit.member, order, key=visit.key, at=visit.at)
    except UnknownPromotion as refusal:
        said = visit.refused(refusal)
        return await _show_order(visit, str(order.price_no), said=said, status=refusal.status)
    return lead_to(made.url)


async def _drop(visit: Visit) -> Response[bytes]:
    await visit.house.memberships.drop_checkout(visit.member, key=visit.key, at=visit.at)
    return done("/plans", "dropped")
