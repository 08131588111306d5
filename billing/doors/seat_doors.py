"""Where members share their plan with their family."""

from litestar.handlers import ASGIRouteHandler

from billing.doors import asking
from billing.doors.asking import OF_READS
from billing.doors.bodies import SeatBody
from billing.doors.membership_doors import BASE, TAGS, Act, endpoint_of
from billing.subscriptions.seats.refusals import (
    HasAPlan,
    NoSeats,
    NotOfYourFamily,
    SeatsTaken,
    UnknownSeat,
)
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import SeatsView
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.ids import MemberId
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of seats."""
    seats = f"{BASE}/{_ADD.word}"
    return [
        hot_route(door, seats, _list(memberships), endpoint_of(memberships, _ADD)),
        hot_route(door, f"{BASE}/{_REMOVE.word}", endpoint_of(memberships, _REMOVE)),
    ]


def _list(memberships: Memberships) -> HotEndpoint:
    async def listed(call: Call) -> Answer:
        member = await asking.reader(call)
        return Answer(200, await memberships.seats(member, at=call.at))

    return HotEndpoint(
        method="GET",
        summary="With whom you share your plan, or who shares one with you",
        handle=listed,
        answers={200: SeatsView},
        scope=MEMBER_SCOPE,
        refusals=OF_READS,
        tags=TAGS,
    )


async def _do_add(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    del key  # A seat is held once.
    return await memberships.add_seat(member, MemberId(call.body.member_id), at=call.at)


async def _do_remove(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    del key  # It is taken back once.
    return await memberships.remove_seat(member, MemberId(call.body.member_id), at=call.at)


_ADD = Act(
    "seats",
    _do_add,
    "Share your plan with another of your family",
    SeatsView,
    body=SeatBody,
    status=201,
    refusals=(NoSeats, SeatsTaken, NotOfYourFamily, HasAPlan),
    description=(
        "It holds while you are both of one family and your plan holds, to the instant. What the "
        "plan gives by the month is yours alone."
    ),
)
_REMOVE = Act(
    "seats/remove",
    _do_remove,
    "Share your plan no more with another; with your own id, give up the seat that you hold",
    SeatsView,
    body=SeatBody,
    refusals=(UnknownSeat,),
)
