"""The own membership: how it stands, what it saved, and its changes, pauses and cards."""

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from billing.figures import meter, periods
from billing.figures.meter import MeterView
from billing.figures.periods import PeriodView
from billing.subscriptions import entries
from billing.subscriptions.entries import Entry
from coalition.kernel.database import transaction
from member_ui.shop import currencies_of, interval_of, names_of, offers_of
from member_ui.visit import House, Visit, done, sent, shown
from pages.rendering import lead_to

_PERIODS = 6
_PAYMENTS = 24


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
        sent(house, "/membership/price-consent", _agree),
    ]


async def _membership(visit: Visit) -> Response[bytes]:
    memberships = visit.house.memberships
    returned = visit.query("checkout")
    if returned:
        await memberships.returned(visit.member, returned, at=visit.at)
        return lead_to("/membership")
    view = await memberships.membership(visit.member, at=visit.at)
    receipts = await memberships.receipts(visit.member)
    offers = await offers_of(visit)
    value, past, paid = await _figures(visit)
    return visit.page(
        "membership.html",
        membership=view,
        receipts=receipts,
        value=value,
        periods=past,
        payments=paid,
        terms=offers.terms,
        names=names_of(offers),
    )


async def _figures(
    visit: Visit,
) -> tuple[MeterView | None, tuple[PeriodView, ...], list[Entry]]:
    """Return the value meter, what earlier periods came to, and the latest payments."""
    plans = await visit.house.memberships.house.plans()
    async with transaction() as connection:
        value = await meter.read(
            connection, visit.member, plans=plans, known=visit.known, at=visit.at
        )
        booked = await entries.of_person(connection, visit.member)
        past = await periods.read(
            connection, visit.member, booked, known=visit.known, most=_PERIODS
        )
    return value, past, booked[::-1][:_PAYMENTS]


async def _changes(visit: Visit) -> Response[bytes]:
    wanted = visit.query("price")
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
        terms=offers.terms,
        interval=None if preview is None else interval_of(offers, preview.price_no),
        names=names_of(offers),
        **shown_in,
    )


async def _change(visit: Visit) -> Response[bytes]:
    made = await visit.house.memberships.change(
        visit.member,
        visit.number("price"),
        previewed_at=visit.instant("previewed_at"),
        key=visit.key,
        at=visit.at,
    )
    if made.has_pending_change:
        return lead_to("/membership")
    return done("/membership", "changed" if made.changes_at is None else "scheduled")


async def _keep(visit: Visit) -> Response[bytes]:
    await visit.house.memberships.keep_plan(visit.member, key=visit.key, at=visit.at)
    return done("/membership", "kept")


async def _agree(visit: Visit) -> Response[bytes]:
    shown = visit.number("price")
    await visit.house.memberships.agree_to_price(
        visit.member, price_no=shown, key=visit.key, at=visit.at
    )
    return lead_to("/membership")


async def _pause(visit: Visit) -> Response[bytes]:
    months = visit.number("months")
    await visit.house.memberships.pause(visit.member, months=months, key=visit.key, at=visit.at)
    return done("/membership", "paused")


async def _resume(visit: Visit) -> Response[bytes]:
    await visit.house.memberships.resume(visit.member, key=visit.key, at=visit.at)
    return done("/membership", "resumed")


async def _card(visit: Visit) -> Response[bytes]:
    back_to = "/membership"
    return lead_to(await visit.house.memberships.portal(visit.member, back_to=back_to, at=visit.at))
