"""The shop: plans side by side, an order with what the law wants shown, then Stripe's own page."""

from operator import itemgetter
from zoneinfo import ZoneInfo

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from billing.subscriptions.refusals import UnknownPromotion
from billing.subscriptions.views import MembershipState, Offers, Order, PlanOffer, PriceOffer
from member_ui.visit import House, NotFromHere, Shown, Visit, done, sent, shown
from pages.rendering import lead_to

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

    Without one it is the member's own country; where none is known, where the browser is likely.
    Days and instants of the page are by the clock of that country from here on.
    """
    offers = await _offers_in(visit, visit.country)
    if visit.country is None and offers.terms.country == _NO_COUNTRY and visit.likely_country:
        offers = await _offers_in(visit, visit.likely_country)
    if offers.terms.country != _NO_COUNTRY:
        visit.wording = visit.wording.by_clock(ZoneInfo(offers.terms.timezone))
    return offers


def countries_of(visit: Visit) -> list[tuple[str, str]]:
    """Return the countries with terms of their own and their names, as a reader looks for them."""
    known = visit.house.memberships.house.countries.all()
    named = [(one.country, visit.wording.country(one.country)) for one in known]
    own = [one for one in named if one[0] != _NO_COUNTRY]
    return [*sorted(own, key=itemgetter(1)), (_NO_COUNTRY, visit.wording.say("order.elsewhere"))]


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
        "order.html",
        status=status,
        plan=plan,
        price=price,
        terms=offers.terms,
        countries=countries_of(visit),
        said=said,
        typed=visit.form.get("promotion", ""),
    )


def _chosen(offers: Offers, wanted: str) -> tuple[PlanOffer, PriceOffer]:
    for plan in offers.items:
        for price in plan.prices:
            if str(price.price_no) == wanted:
                return plan, price
    raise NotFromHere


async def _buy(visit: Visit) -> Response[bytes]:
    visit.asked("accept")
    country = visit.country
    if country is None:
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
