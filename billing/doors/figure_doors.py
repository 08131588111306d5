"""Where staff see what memberships come to."""

from typing import Annotated

from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from billing.figures import kpis, price_changes
from billing.figures.kpis import Figures, Month
from billing.figures.refusals import MonthAhead
from billing.plans.catalogue import Shelf
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.audit import SNAPSHOT

SCOPE = "memberships:read"


class FiguresQuery(Body, frozen=True):
    """Of which month; without one it is the present one as far as it has come.

    `within_days` is how long after a new price members who leave count with its campaign.
    """

    month: Month | None = None
    within_days: Annotated[int, Meta(ge=1, le=366)] = price_changes.WITHIN_DAYS


def routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handler of figures."""
    return [hot_route(door, "/v1/admin/memberships/figures", _show(Shelf()))]


def _show(shelf: Shelf) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        asked: FiguresQuery = call.query
        async with transaction(SNAPSHOT) as connection:
            found = await kpis.read(
                connection,
                asked.month,
                plans=await shelf.read(connection),
                known=await catalogue.load(connection),
                at=call.at,
                within_days=asked.within_days,
            )
        return Answer(200, found)

    return HotEndpoint(
        method="GET",
        summary="What memberships come to in a month",
        description=(
            "How many hold which plan, who left, what they bring a month, what they spend beside "
            "others, what benefits cost whom, the margin per member, how each price did, and what "
            "each campaign of prices did beside those whom it did not reach. All is as it held "
            "then, at the prices of then."
        ),
        handle=show,
        query=FiguresQuery,
        answers={200: Figures},
        scope=SCOPE,
        refusals=(MonthAhead,),
        tags=("memberships",),
    )
