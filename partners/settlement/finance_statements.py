"""Statements of all partners for finance: listed, read, live, and opened down to the postings."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import UnknownPartner
from coalition.kernel.database import Connection, transaction
from coalition.kernel.money import Money
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from partners.settlement import drilldown, exporting, line_sources, period_list, statements
from partners.settlement.drilldown import BEGINNING, Charge, Occurrence, Place
from partners.settlement.finance_views import (
    StatedSummary,
    StatedWhole,
    summary_of,
    whole_of,
)
from partners.settlement.finance_words import (
    READ,
    TAGS,
    ChargeCursor,
    ExactText,
    PartnerText,
    PeriodName,
    PlaceText,
    exact_text,
    number_if_given,
    number_of,
)
from partners.settlement.kinds import StatementState
from partners.settlement.line_sources import ByHand
from partners.settlement.period_list import Wanted
from partners.settlement.refusals import (
    CursorOfAnotherLine,
    StatementNotClosed,
    UnknownLine,
    UnknownPeriod,
    UnknownStatement,
)
from partners.settlement.statement_file import NDJSON
from partners.settlement.statement_file import Head as FileHead
from partners.settlement.statements import Statement

_NO_MOST = 2**31 - 1


class StatementsWanted(Body, frozen=True):
    """Which statements are wanted: those of sealed periods, or of periods that are being sealed."""

    partner: PartnerText | None = None
    state: StatementState | None = None
    period: PeriodName | None = None
    limit: Annotated[int, Meta(ge=1, le=200, description="How many at most")] = 50
    cursor: PlaceText | None = None


class StatedList(msgspec.Struct, frozen=True):
    """Statements, the latest end of a period first."""

    items: list[StatedSummary]
    next_cursor: str | None


class LiveWanted(Body, frozen=True):
    """Whose statements are wanted."""

    partner: PartnerText


class StatedLive(msgspec.Struct, frozen=True, kw_only=True):
    """What of a partner is not closed, the oldest first, with the provisional net position.

    What `unsettled_postings` (of all partners) will come to is priced in, unless drains have stood
    still for so long that it is not: then `unpriced_since` is when the oldest was posted, and at
    least so many wait.
    """

    as_of: datetime
    unsettled_postings: int
    unpriced_since: datetime | None
    net: list[Money]
    statements: list[StatedWhole]


class LineWanted(Body, frozen=True):
    """Which line is to be opened."""

    line: Annotated[int, Meta(ge=1, le=_NO_MOST, description="The `line` of the statement")]
    limit: Annotated[int, Meta(ge=1, le=500, description="How many at most")] = 100
    cursor: ChargeCursor | None = None


class OpenedCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What one posting costs or earns: `amount` = `points` x `unit_price`, exactly."""

    posting_id: UUID
    occurred_at: datetime
    receipt: str | None
    store: str | None
    points: int
    unit_price: ExactText
    amount: ExactText
    currency: str
    drain_id: UUID


class OpenedAdjustment(msgspec.Struct, frozen=True, kw_only=True):
    """Money that two persons charged or gave, without a posting of points."""

    adjustment_id: UUID
    amount: Money
    reason: str
    prepared_by: str
    approved_by: str


class OpenedLine(msgspec.Struct, frozen=True, kw_only=True):
    """The postings behind a line, in the order in which they were settled.

    Adjustments by hand are on the first page.
    """

    items: list[OpenedCharge]
    adjustments: list[OpenedAdjustment]
    next_cursor: str | None


def statement_routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of statements."""
    one = "/v1/admin/settlement/statements/{statement_id:uuid}"
    return [
        hot_route(door, "/v1/admin/settlement/statements", _LIST),
        hot_route(door, "/v1/admin/settlement/live", _LIVE),
        hot_route(door, one, _SHOW),
        hot_route(door, f"{one}/lines", _LINES),
        hot_route(door, f"{one}/download", _DOWNLOAD),
    ]


async def _list(call: Call) -> Answer:
    asked: StatementsWanted = call.query
    async with transaction() as connection:
        known = await catalogue.load(connection)
        wanted = Wanted(
            number_if_given(known, asked.partner), asked.state, asked.period, sealed_only=True
        )
        after = None if asked.cursor is None else period_list.Place.read(asked.cursor)
        found, following = await period_list.page(
            connection, wanted, after=after, limit=asked.limit
        )
        named = [one.statement for one in found if one.statement is not None]
        told = await statements.summaries(connection, named)
    return Answer(
        200,
        StatedList(
            [summary_of(known, one.head, one.totals) for one in told],
            None if following is None else following.written(),
        ),
    )


async def _show(call: Call) -> Answer:
    found = await _read(call)
    async with transaction() as connection:
        known = await catalogue.load(connection)
        return Answer(200, await _whole(connection, known, found))


async def _live(call: Call) -> Answer:
    asked: LiveWanted = call.query
    async with transaction() as connection:
        known = await catalogue.load(connection)
    live = await statements.live(number_of(known, asked.partner), call.at)
    async with transaction() as connection:
        known = await catalogue.load(connection)
        wholes = [await _whole(connection, known, one) for one in live.statements]
    net = [Money(amount_minor, currency) for currency, amount_minor in live.net_minor.items()]
    return Answer(
        200,
        StatedLive(
            as_of=live.at,
            unsettled_postings=live.unsettled_postings,
            unpriced_since=live.unpriced_since,
            net=net,
            statements=wholes,
        ),
    )


async def _open(call: Call) -> Answer:
    asked: LineWanted = call.query
    found = await _read(call)
    period = found.head.period
    line = next((one for one in found.lines if one.no == asked.line), None)
    if line is None:
        raise UnknownLine
    first = BEGINNING if asked.cursor is None else Place.read(asked.cursor)
    async with transaction() as connection:
        known = await catalogue.load(connection)
        tariffs = await line_sources.tariffs_of(connection, period.partner_no, period.no, line)
        if asked.cursor is not None and first.tariff not in tariffs:
            raise CursorOfAnotherLine
        charges, following = await drilldown.charges(
            connection, tariffs, first=first, limit=asked.limit
        )
        occurred = await drilldown.occurrences(
            connection, (charge.posting for charge in charges), partner_no=None
        )
        hands = (
            await line_sources.by_hand(connection, period.partner_no, period.no, line)
            if asked.cursor is None
            else []
        )
    return Answer(
        200,
        OpenedLine(
            items=[_charge(known, one, occurred[one.posting], line.currency) for one in charges],
            adjustments=[_adjustment(one) for one in hands],
            next_cursor=None if following is None else following.written(),
        ),
    )


async def _download(call: Call) -> Answer:
    async with transaction() as connection:
        known = await catalogue.load(connection)
        head = await statements.head_of(connection, call.path["statement_id"])
    if head is None:
        raise UnknownStatement
    assert head.id is not None, "it was found by its id"
    closed = await exporting.find(head.id, partner_no=head.period.partner_no)
    return Answer(200, exporting.lines(closed, known), media_type=NDJSON)


async def _read(call: Call) -> Statement:
    """Return the statement that the address names. Raises `UnknownStatement`."""
    async with transaction() as connection:
        head = await statements.head_of(connection, call.path["statement_id"])
        if head is None:
            raise UnknownStatement
        if head.is_frozen:
            return await statements.frozen(connection, head)
    return await statements.read(head.period.partner_no, head.period.name, call.at)


async def _whole(connection: Connection, known: Catalogue, found: Statement) -> StatedWhole:
    numbers = {line.origin_no for line in found.lines}
    origins = await line_sources.period_names(connection, found.head.period.partner_no, numbers)
    return whole_of(known, found, origins)


def _charge(known: Catalogue, one: Charge, occurred: Occurrence, currency: str) -> OpenedCharge:
    store_no = occurred.store_no
    return OpenedCharge(
        posting_id=one.posting,
        occurred_at=occurred.occurred_at,
        receipt=occurred.receipt,
        store=None if store_no is None else known.store_by_no(store_no).code,
        points=one.points,
        unit_price=exact_text(one.unit_price),
        amount=exact_text(one.amount),
        currency=currency,
        drain_id=one.place.drain,
    )


def _adjustment(one: ByHand) -> OpenedAdjustment:
    return OpenedAdjustment(
        adjustment_id=one.id,
        amount=Money(one.amount_minor, one.currency),
        reason=one.reason,
        prepared_by=one.prepared_by,
        approved_by=one.approved_by,
    )


_LIST = HotEndpoint(
    method="GET",
    summary="The statements of all partners, the latest first",
    description="Of sealed periods; what is open stands at `/v1/admin/settlement/live`.",
    handle=_list,
    query=StatementsWanted,
    answers={200: StatedList},
    scope=READ,
    refusals=(UnknownPartner,),
    tags=TAGS,
)

_SHOW = HotEndpoint(
    method="GET",
    summary="A statement with its lines, totals and digest",
    handle=_show,
    answers={200: StatedWhole},
    scope=READ,
    refusals=(UnknownStatement,),
    tags=TAGS,
)

_LIVE = HotEndpoint(
    method="GET",
    summary="What of a partner is not closed yet, as it stands at this instant",
    handle=_live,
    query=LiveWanted,
    answers={200: StatedLive},
    scope=READ,
    refusals=(UnknownPartner, UnknownPeriod),
    tags=TAGS,
)

_LINES = HotEndpoint(
    method="GET",
    summary="The postings behind a line of a statement, with their receipts",
    handle=_open,
    query=LineWanted,
    answers={200: OpenedLine},
    scope=READ,
    refusals=(UnknownStatement, UnknownLine, CursorOfAnotherLine),
    tags=TAGS,
)

_DOWNLOAD = HotEndpoint(
    method="GET",
    summary="A closed statement with all its charges, as its partner downloads it",
    description="NDJSON, byte for byte what the partner gets; `coalition verify FILE` proves it.",
    handle=_download,
    answers={200: FileHead},
    answer_media={200: (NDJSON,)},
    scope=READ,
    refusals=(UnknownStatement, StatementNotClosed),
    tags=TAGS,
)
