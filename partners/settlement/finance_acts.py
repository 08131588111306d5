"""What finance does: seals periods, and prepares for a second person closes and money by hand."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.federation import catalogue
from coalition.federation.refusals import NoContract, UnknownPartner
from coalition.kernel.database import Connection, transaction
from coalition.kernel.idempotency import KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.web.fields import AmountMinor, Body, CodeText, CurrencyCode
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.oversight.refusals import ReasonNeeded
from partners.settlement import adjusting, closing, period_list, periods, prepaying, sealing
from partners.settlement.adjusting import OfLine
from partners.settlement.finance_words import (
    PREPARE,
    TAGS,
    PartnerText,
    PeriodName,
    Prepared,
    ReasonText,
    SignedMoney,
    named,
    number_if_given,
    number_of,
)
from partners.settlement.finance_writes import answer_once, answered_before, prepared
from partners.settlement.kinds import StatementState
from partners.settlement.period_list import Wanted
from partners.settlement.refusals import (
    EarlierPeriodOpen,
    InvalidAdjustment,
    InvalidPrepayment,
    PeriodClosed,
    PeriodNotOver,
    PeriodNotSealed,
    PrepaymentBooked,
    UnknownLine,
    UnknownPeriod,
)


class PeriodBody(Body, frozen=True):
    """Which period is meant: that of one partner, or of all partners that have one so named."""

    period: PeriodName
    partner: PartnerText | None = None


class SealedPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """A period that is sealed, and its statement."""

    partner_id: UUID | None
    partner: str
    period: str
    state: StatementState
    statement_id: UUID | None


class SealedPeriods(msgspec.Struct, frozen=True):
    """The periods that were asked for; those that had been sealed before are among them."""

    items: list[SealedPeriod]


class LineBody(Body, frozen=True):
    """A line of a closed statement."""

    statement_id: UUID
    line: Annotated[int, Meta(ge=1, le=2**31 - 1, description="Its `line` on the statement")]


class AdjustmentBody(Body, frozen=True):
    """Money that a partner is to pay or to receive by hand, before VAT."""

    partner: PartnerText
    amount: SignedMoney
    reason: ReasonText
    statement_line: LineBody | None = None
    """What it puts right; then it belongs to the period of that statement."""


class PaidInMoney(Body, frozen=True):
    """Money that came in, in the currency of the partner's contract."""

    amount_minor: AmountMinor
    currency: CurrencyCode


class PrepaymentBody(Body, frozen=True):
    """Money that a partner has paid in beforehand, under the bank's reference."""

    partner: PartnerText
    amount: PaidInMoney
    reference: CodeText


def act_routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of what finance does and prepares."""
    return [
        hot_route(door, "/v1/admin/settlement/seal", _SEAL),
        hot_route(door, "/v1/admin/settlement/close", _CLOSE),
        hot_route(door, "/v1/admin/settlement/adjustments", _ADJUST),
        hot_route(door, "/v1/admin/settlement/prepayments", _PREPAY),
    ]


async def _seal(call: Call) -> Answer:
    body: PeriodBody = call.body
    before = await answered_before(call, "settlement/seal")
    if before is not None:
        return before
    async with transaction() as connection:
        partner_no = number_if_given(await catalogue.load(connection), body.partner)
    # Sixteen transactions, one for each shard: sealing what is sealed changes nothing.
    sealed = await sealing.seal_named(body.period, call.at, partner_no=partner_no)

    async def work(connection: Connection) -> SealedPeriods:
        known = await catalogue.load(connection)
        wanted = Wanted(partner_no, name=body.period)
        found, _ = await period_list.page(connection, wanted, after=None, limit=len(sealed))
        return SealedPeriods(
            [
                SealedPeriod(
                    partner_id=named(known, one.partner_no).partner_id,
                    partner=named(known, one.partner_no).partner,
                    period=one.name,
                    state=StatementState(one.state),
                    statement_id=one.statement,
                )
                for one in found
            ]
        )

    return await answer_once(call, "settlement/seal", 200, work)


async def _close(call: Call) -> Answer:
    body: PeriodBody = call.body
    await periods.ensure(call.at)

    async def work(connection: Connection) -> Prepared:
        known = await catalogue.load(connection)
        approval_id = await closing.prepare(
            period=body.period,
            partner_no=number_if_given(known, body.partner),
            prepared_by=call.caller.actor,
            at=call.at,
        )
        return await prepared(connection, known, approval_id)

    return await answer_once(call, "settlement/close", 201, work)


async def _adjust(call: Call) -> Answer:
    body: AdjustmentBody = call.body
    line = body.statement_line

    async def work(connection: Connection) -> Prepared:
        known = await catalogue.load(connection)
        approval_id = await adjusting.prepare(
            partner_no=number_of(known, body.partner),
            amount_minor=body.amount.amount_minor,
            currency=body.amount.currency,
            reason=body.reason,
            prepared_by=call.caller.actor,
            at=call.at,
            line=None if line is None else OfLine(line.statement_id, line.line),
        )
        return await prepared(connection, known, approval_id)

    return await answer_once(call, "settlement/adjustments", 201, work)


async def _prepay(call: Call) -> Answer:
    body: PrepaymentBody = call.body

    async def work(connection: Connection) -> Prepared:
        known = await catalogue.load(connection)
        approval_id = await prepaying.prepare(
            partner_no=number_of(known, body.partner),
            amount_minor=body.amount.amount_minor,
            currency=body.amount.currency,
            reference=body.reference,
            prepared_by=call.caller.actor,
            at=call.at,
        )
        return await prepared(connection, known, approval_id)

    return await answer_once(call, "settlement/prepayments", 201, work)


_OF_WRITES = (KeyReused, RequestInProgress)

_SEAL = HotEndpoint(
    method="POST",
    summary="Seal a period that is over: what comes in later goes to the next one",
    description=(
        "Of one partner, or of all that have a period of that name; refused as a whole when one "
        "of them cannot be sealed yet. The worker seals by itself at the cut-off."
    ),
    handle=_seal,
    body=PeriodBody,
    answers={200: SealedPeriods},
    scope=PREPARE,
    idempotent=True,
    refusals=(*_OF_WRITES, UnknownPartner, UnknownPeriod, PeriodNotOver, EarlierPeriodOpen),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)

_CLOSE = HotEndpoint(
    method="POST",
    summary="Prepare to close a sealed period; a second person approves it",
    handle=_close,
    body=PeriodBody,
    answers={201: Prepared},
    scope=PREPARE,
    idempotent=True,
    refusals=(
        *(*_OF_WRITES, UnknownPartner, UnknownPeriod),
        *(PeriodNotSealed, PeriodClosed, EarlierPeriodOpen),
    ),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)

_ADJUST = HotEndpoint(
    method="POST",
    summary="Prepare that a partner pays or receives money by hand; a second person approves it",
    description=(
        "It is booked in the partner's first period that is not sealed, with the VAT of its "
        "contract for adjustments beside it, or that of the line which it puts right."
    ),
    handle=_adjust,
    body=AdjustmentBody,
    answers={201: Prepared},
    scope=PREPARE,
    idempotent=True,
    refusals=(
        *(*_OF_WRITES, UnknownPartner, NoContract),
        *(UnknownLine, InvalidAdjustment, ReasonNeeded),
    ),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)

_PREPAY = HotEndpoint(
    method="POST",
    summary="Prepare that a partner has paid in money beforehand; a second person approves it",
    description=(
        "It stands against what the partner owes, and a partner that prepays issues no more than "
        "it covers. The bank's reference makes it happen once."
    ),
    handle=_prepay,
    body=PrepaymentBody,
    answers={201: Prepared},
    scope=PREPARE,
    idempotent=True,
    refusals=(*_OF_WRITES, UnknownPartner, NoContract, InvalidPrepayment, PrepaymentBooked),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
