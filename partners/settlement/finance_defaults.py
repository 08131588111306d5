"""Defaults for finance: that a partner does not pay in a cycle, and that it is over, for two."""

from typing import Annotated
from uuid import UUID

from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.federation import catalogue, defaults
from coalition.federation.refusals import NotInDefault, UnknownPartner
from coalition.kernel.database import Connection
from coalition.kernel.idempotency import KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.money import AMOUNT_MINOR_MAX
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from partners.settlement import defaulting
from partners.settlement.finance_words import PREPARE, TAGS, PartnerText, Prepared, number_of
from partners.settlement.finance_writes import answer_once, prepared
from partners.settlement.refusals import OwesNothing, UnknownCycle


class DefaultBody(Body, frozen=True):
    """Who does not pay, and what bears the loss before the creditors do; in the cycle's currency.

    Without a guarantee it is what the partner has paid in itself.
    """

    partner: PartnerText
    reserve_minor: Annotated[
        int,
        Meta(ge=0, le=AMOUNT_MINOR_MAX, description="What the reserve bears at most"),
    ]
    guarantee_minor: (
        Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX, description="A guarantee that was given")]
        | None
    ) = None


class DefaultEndBody(Body, frozen=True):
    """Who is to be in default no more."""

    partner: PartnerText


def default_routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of defaults."""
    cycle = "/v1/admin/settlement/clearing/{cycle_id:uuid}"
    return [
        hot_route(door, f"{cycle}/default", _DEFAULT),
        hot_route(door, "/v1/admin/settlement/defaults/end", _END_DEFAULT),
    ]


async def _prepare_default(call: Call) -> Answer:
    body: DefaultBody = call.body
    cycle: UUID = call.path["cycle_id"]

    async def work(connection: Connection) -> Prepared:
        known = await catalogue.load(connection)
        approval_id = await defaulting.prepare(
            cycle=cycle,
            defaulter_no=number_of(known, body.partner),
            reserve_minor=body.reserve_minor,
            guarantee_minor=body.guarantee_minor,
            prepared_by=call.caller.actor,
            at=call.at,
        )
        return await prepared(connection, known, approval_id)

    return await answer_once(call, f"settlement/clearing/{cycle}/default", 201, work)


async def _prepare_end(call: Call) -> Answer:
    body: DefaultEndBody = call.body

    async def work(connection: Connection) -> Prepared:
        known = await catalogue.load(connection)
        approval_id = await defaults.prepare_end(
            partner_no=number_of(known, body.partner), prepared_by=call.caller.actor, at=call.at
        )
        return await prepared(connection, known, approval_id)

    return await answer_once(call, "settlement/defaults/end", 201, work)


_DEFAULT = HotEndpoint(
    method="POST",
    summary="Prepare what becomes of a cycle when a partner does not pay",
    description=(
        "The loss falls on the partner's guarantee, then on the operator's reserve, then on those "
        "who would have received, who keep a claim. A second person approves it."
    ),
    handle=_prepare_default,
    body=DefaultBody,
    answers={201: Prepared},
    scope=PREPARE,
    idempotent=True,
    refusals=(KeyReused, RequestInProgress, UnknownPartner, UnknownCycle, OwesNothing),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)

_END_DEFAULT = HotEndpoint(
    method="POST",
    summary="Prepare that a partner is in default no more; a second person approves it",
    description=(
        "From the approval on it may issue points again, and those it funded are as they were "
        "before. It has paid: what it receives is not set off against claims any more."
    ),
    handle=_prepare_end,
    body=DefaultEndBody,
    answers={201: Prepared},
    scope=PREPARE,
    idempotent=True,
    refusals=(KeyReused, RequestInProgress, UnknownPartner, NotInDefault),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
