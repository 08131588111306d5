"""With whom of the family the plan is shared."""

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from coalition.kernel.ids import MemberId
from member_ui.visit import House, Visit, sent, shown
from pages.rendering import lead_to


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of seats."""
    return [
        shown(house, "/membership/seats", _seats),
        sent(house, "/membership/seats", _add),
        sent(house, "/membership/seats/remove", _remove),
    ]


async def _seats(visit: Visit) -> Response[bytes]:
    memberships = visit.house.memberships
    seats = await memberships.seats(visit.member, at=visit.at)
    family = await memberships.family_of(visit.member)
    names = {one.member_id: one.name for one in family}
    held = {one.member_id for one in seats.items}
    others = [one for one in family if one.member_id not in held]
    return visit.page("seats.html", seats=seats, names=names, others=others)


async def _add(visit: Visit) -> Response[bytes]:
    other = MemberId(visit.identifier("member"))
    await visit.house.memberships.add_seat(visit.member, other, at=visit.at)
    return lead_to("/membership/seats")


async def _remove(visit: Visit) -> Response[bytes]:
    other = MemberId(visit.identifier("member"))
    await visit.house.memberships.remove_seat(visit.member, other, at=visit.at)
    return lead_to("/membership/seats" if other != visit.member else "/membership")
