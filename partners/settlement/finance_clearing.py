"""Clearing for finance: cycles over closed statements, prepared for a second person, and read."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import UnknownPartner
from coalition.kernel.database import Connection, transaction
from coalition.kernel.idempotency import KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.money import Money
from coalition.kernel.web.fields import Body, CurrencyCode
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from partners.settlement import clearing, cycles
from partners.settlement.cycles import Cycle, CycleHead, Default, HeldClaim, PreparedLeg
from partners.settlement.finance_words import (
    PREPARE,
    READ,
    TAGS,
    PartnerText,
    PeriodName,
    Prepared,
    named,
    number_of,
)
from partners.settlement.finance_writes import answer_once, prepared
from partners.settlement.refusals import (
    NothingToClear,
    StatementNotClosed,
    UnknownCycle,
    UnknownPeriod,
)
from partners.settlement.setting_off import SetOff

_ADDRESS = "settlement/clearing"


class ClearingBody(Body, frozen=True):
    """Which closed periods are netted: of all partners and currencies unless said."""

    periods: Annotated[list[PeriodName], Meta(min_length=1, max_length=100)]
    currency: CurrencyCode | None = None
    partners: Annotated[list[PartnerText], Meta(min_length=1, max_length=1000)] | None = None


class PreparedCycles(msgspec.Struct, frozen=True):
    """A prepared cycle for each currency."""

    items: list[Prepared]


class CyclesWanted(Body, frozen=True):
    """How many cycles are wanted."""

    limit: Annotated[int, Meta(ge=1, le=200, description="How many at most")] = 50


class ClearedHead(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that two persons cleared."""

    cycle_id: UUID
    currency: str
    periods: list[str]
    prepared_at: datetime
    prepared_by: str
    approved_at: datetime
    approved_by: str


class ClearedList(msgspec.Struct, frozen=True):
    """Cycles, the latest first."""

    items: list[ClearedHead]


class ClearedLeg(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner, or the operator, pays (above zero) or receives; all legs sum to zero."""

    partner_id: UUID | None
    partner: str
    amount: Money


class ClearedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The legs as they stood: version 1 as approved, each later one after a default."""

    version: int
    legs: list[ClearedLeg]


class ClearedDefault(msgspec.Struct, frozen=True, kw_only=True):
    """How the loss of a default was covered: by guarantee, reserve and haircut together."""

    version: int
    partner_id: UUID | None
    partner: str
    loss: Money
    guarantee: Money
    reserve: Money
    haircut: Money
    made_at: datetime
    prepared_by: str
    approved_by: str


class ClearedClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What a creditor did not receive, and from whom it may claim it."""

    version: int
    creditor_id: UUID | None
    creditor: str
    defaulter_id: UUID | None
    defaulter: str
    amount: Money
    open: Money
    """What later cycles have not paid of it."""


class ClearedSetOff(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner in default would have received, and went to who claims from it instead.

    `claim_cycle_id` and `claim_version` name the default that made the claim.
    """

    claim_cycle_id: UUID
    claim_version: int
    creditor_id: UUID | None
    creditor: str
    defaulter_id: UUID | None
    defaulter: str
    amount: Money


class ClearedCycle(ClearedHead, frozen=True, kw_only=True):
    """A cycle with everything that became of it; `legs` are those that hold now."""

    statements: list[UUID]
    legs: list[ClearedLeg]
    versions: list[ClearedVersion]
    defaults: list[ClearedDefault]
    claims: list[ClearedClaim]
    set_offs: list[ClearedSetOff]


def clearing_routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of clearing."""
    one = "/v1/admin/settlement/clearing/{cycle_id:uuid}"
    return [
        hot_route(door, "/v1/admin/settlement/clearing", _PREPARE, _LIST),
        hot_route(door, one, _SHOW),
    ]


async def _prepare(call: Call) -> Answer:
    body: ClearingBody = call.body

    async def work(connection: Connection) -> PreparedCycles:
        known = await catalogue.load(connection)
        partners = body.partners
        approvals = await clearing.prepare(
            names=body.periods,
            currency=body.currency,
            partner_nos=None if partners is None else [number_of(known, one) for one in partners],
            prepared_by=call.caller.actor,
            at=call.at,
        )
        return PreparedCycles([await prepared(connection, known, one) for one in approvals])

    return await answer_once(call, _ADDRESS, 201, work)


async def _list(call: Call) -> Answer:
    asked: CyclesWanted = call.query
    async with transaction() as connection:
        found = await cycles.latest(connection, limit=asked.limit)
    return Answer(200, ClearedList([ClearedHead(**_head(one)) for one in found]))


async def _show(call: Call) -> Answer:
    async with transaction() as connection:
        known = await catalogue.load(connection)
        cycle = await cycles.read(connection, call.path["cycle_id"])
    return Answer(200, _cycle(known, cycle))


def _head(one: CycleHead) -> dict[str, Any]:  # Any: the members of `ClearedHead`
    return {
        "cycle_id": one.id,
        "currency": one.currency,
        "periods": list(one.periods),
        "prepared_at": one.prepared_at,
        "prepared_by": one.prepared_by,
        "approved_at": one.approved_at,
        "approved_by": one.approved_by,
    }


def _cycle(known: Catalogue, cycle: Cycle) -> ClearedCycle:
    currency = cycle.currency
    return ClearedCycle(
        **_head(cycle),
        statements=list(cycle.statements),
        legs=[_leg(known, one, currency) for one in cycle.legs],
        versions=[
            ClearedVersion(
                version=one.version, legs=[_leg(known, leg, currency) for leg in one.legs]
            )
            for one in cycle.versions
        ],
        defaults=[_default(known, one, currency) for one in cycle.defaults],
        claims=[_claim(known, one, currency) for one in cycle.claims],
        set_offs=[_set_off(known, one, currency) for one in cycle.set_offs],
    )


def _leg(known: Catalogue, leg: PreparedLeg, currency: str) -> ClearedLeg:
    who = named(known, leg.partner_no)
    return ClearedLeg(
        partner_id=who.partner_id, partner=who.partner, amount=Money(leg.amount_minor, currency)
    )


def _default(known: Catalogue, one: Default, currency: str) -> ClearedDefault:
    who = named(known, one.defaulter_no)
    return ClearedDefault(
        version=one.version,
        partner_id=who.partner_id,
        partner=who.partner,
        loss=Money(one.loss_minor, currency),
        guarantee=Money(one.guarantee_minor, currency),
        reserve=Money(one.reserve_minor, currency),
        haircut=Money(one.haircut_minor, currency),
        made_at=one.made_at,
        prepared_by=one.prepared_by,
        approved_by=one.approved_by,
    )


def _claim(known: Catalogue, one: HeldClaim, currency: str) -> ClearedClaim:
    creditor, defaulter = named(known, one.creditor_no), named(known, one.defaulter_no)
    return ClearedClaim(
        version=one.version,
        creditor_id=creditor.partner_id,
        creditor=creditor.partner,
        defaulter_id=defaulter.partner_id,
        defaulter=defaulter.partner,
        amount=Money(one.amount_minor, currency),
        open=Money(one.open_minor, currency),
    )


def _set_off(known: Catalogue, one: SetOff, currency: str) -> ClearedSetOff:
    creditor, defaulter = named(known, one.creditor_no), named(known, one.defaulter_no)
    return ClearedSetOff(
        claim_cycle_id=one.cycle,
        claim_version=one.version,
        creditor_id=creditor.partner_id,
        creditor=creditor.partner,
        defaulter_id=defaulter.partner_id,
        defaulter=defaulter.partner,
        amount=Money(one.amount_minor, currency),
    )


_PREPARE = HotEndpoint(
    method="POST",
    summary="Prepare to net closed statements; a second person approves it",
    description=(
        "One cycle for each currency. What is in a cycle already is left out; a period of these "
        "names that is not closed yet refuses the whole, unless `partners` leaves it out."
    ),
    handle=_prepare,
    body=ClearingBody,
    answers={201: PreparedCycles},
    scope=PREPARE,
    idempotent=True,
    refusals=(
        *(KeyReused, RequestInProgress, UnknownPartner, UnknownPeriod),
        *(NothingToClear, StatementNotClosed),
    ),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)

_LIST = HotEndpoint(
    method="GET",
    summary="The cycles that were cleared, the latest first",
    handle=_list,
    query=CyclesWanted,
    answers={200: ClearedList},
    scope=READ,
    tags=TAGS,
)

_SHOW = HotEndpoint(
    method="GET",
    summary="A cycle with its legs, statements, defaults and claims",
    handle=_show,
    answers={200: ClearedCycle},
    scope=READ,
    refusals=(UnknownCycle,),
    tags=TAGS,
)
