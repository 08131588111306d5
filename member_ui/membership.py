"""The own membership: how it stands, what it saved, and its changes, pauses and cards."""

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from member_ui.shop import currencies_of, names_of, offers_of
from member_ui.visit import House, Visit, sent, shown
from pages.rendering import lead_to


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of the own membership but for leaving it."""
    return [
        shown(house, "/membership", _membership),
        shown(house, "/membership/change", _changes),
        sent(house, "/membership/change", _change),
        sent(house, "/membership/keep", _keep),
        sent(house, "/membership/pause", _pause),
        sent(house, "/membership/resume", _resume),
        sent(house, "/membership/card", _card),
    ]


async def _membership(visit: Visit) -> Response[bytes]:
    memberships = visit.house.memberships
    returned = visit.request.query_params.get("checkout", "")
    if returned:
        await memberships.returned(visit.member, returned, at=visit.at)
        return lead_to("/membership")
    view = await memberships.membership(visit.member, at=visit.at)
    receipts = await memberships.receipts(visit.member)
    offers = await offers_of(visit)
    return visit.page(
        "membership.html",
        membership=view,
        receipts=receipts,
        terms=offers.terms,
        names=names_of(offers),
    )


async def _changes(visit: Visit) -> Response[bytes]:
    wanted = visit.request.query_params.get("price", "")
    offers = await offers_of(visit)
    view = await visit.house.memberships.membership(visit.member, at=visit.at)
    preview = None
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= 9:
        preview = await visit.house.memberships.preview(visit.member, int(wanted), at=visit.at)
    shown_in = currencies_of(visit, offers)
    if view.price is not None:
        # Nobody changes from one currency to another.
        shown_in = {"offered": [], "currency": view.price.currency}
    return visit.page(
        "change.html",
        offers=offers,
        membership=view,
        preview=preview,
        names=names_of(offers),
        **shown_in,
    )


async def _change(visit: Visit) -> Response[bytes]:
    await visit.house.memberships.change(
        visit.member,
        visit.number("price"),
        previewed_at=visit.instant("previewed_at"),
        key=visit.key,
        at=visit.at,
    )
    return lead_to("/membership")


async def _keep(visit: Visit) -> Response[bytes]:
    await visit.house.memberships.keep_plan(visit.member, key=visit.key, at=visit.at)
    return lead_to("/membership")


async def _pause(visit: Visit) -> Response[bytes]:
    months = visit.number("months")
    await visit.house.memberships.pause(visit.member, months=months, key=visit.key, at=visit.at)
    return lead_to("/membership")


async def _resume(visit: Visit) -> Response[bytes]:
    await visit.house.memberships.resume(visit.member, key=visit.key, at=visit.at)
    return lead_to("/membership")


async def _card(visit: Visit) -> Response[bytes]:
    back_to = "/membership"
    return lead_to(await visit.house.memberships.portal(visit.member, back_to=back_to, at=visit.at))
