"""Where a member sees what its plan has saved."""

import msgspec
from litestar.handlers import ASGIRouteHandler

from billing.doors import asking
from billing.doors.asking import OF_READS
from billing.figures import meter
from billing.figures.meter import MeterView
from billing.plans.catalogue import Shelf
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route


class ValueAnswer(msgspec.Struct, frozen=True):
    """The value meter of the period under way."""

    meter: MeterView | None


def routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handler of the value meter."""
    return [hot_route(door, "/v1/membership/value", _show(Shelf()))]


def _show(shelf: Shelf) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        member = await asking.reader(call)
        async with transaction() as connection:
            found = await meter.read(
                connection,
                member,
                plans=await shelf.read(connection),
                known=await catalogue.load(connection),
                at=call.at,
            )
        return Answer(200, ValueAnswer(found))

    return HotEndpoint(
        method="GET",
        summary="What your plan has saved, beside what it cost",
        description=(
            "Points count at the price that their issuer pays for them, money at its face. Where "
            "the plan has not paid so far, `advice` says what would have suited you better. "
            "Without a membership `meter` is null."
        ),
        handle=show,
        answers={200: ValueAnswer},
        scope=MEMBER_SCOPE,
        refusals=OF_READS,
        tags=("membership",),
    )
