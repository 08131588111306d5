"""Where partners read their settlement: statements, the charges behind a line, the passport."""

from typing import Annotated, Any

from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import UnknownPosting
from coalition.points.till import Tills
from partners.settlement import exporting
from partners.settlement.finance_words import ChargeCursor, PeriodName
from partners.settlement.kinds import StatementState
from partners.settlement.refusals import (
    CursorOfAnotherLine,
    StatementNotClosed,
    UnknownLine,
    UnknownPeriod,
    UnknownStatement,
)
from partners.settlement.statement_file import NDJSON, Head
from partners.statements import charges, service
from partners.statements.views import (
    ChargeList,
    LiveStatement,
    Passport,
    StatementList,
    StatementView,
)

SCOPE = "statements:read"

_TAGS = ("statements",)
_NO_MOST = 2**31 - 1

LineNo = Annotated[int, Meta(ge=1, le=_NO_MOST, description="The `line` of the statement")]
PageLength = Annotated[int, Meta(ge=1, le=500, description="How many at most")]
PeriodCursor = Annotated[
    int, Meta(ge=1, le=_NO_MOST, description="The `next_cursor` of the page before")
]


class StatementsQuery(Body, frozen=True):
    """Which of the partner's statements are wanted."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most")] = 20
    cursor: PeriodCursor | None = None
    state: StatementState | None = None
    period: PeriodName | None = None


class LiveQuery(Body, frozen=True):
    """Which period is wanted; without one, the present."""

    period: PeriodName | None = None


class LinesQuery(Body, frozen=True):
    """Which line of a statement shall be opened."""

    line: LineNo
    limit: PageLength = 100
    cursor: ChargeCursor | None = None


class LiveLinesQuery(LinesQuery, frozen=True):
    """Which line of an open period shall be opened; without a period, of the present one."""

    period: PeriodName | None = None


def routes(door: Door, tills: Tills) -> list[ASGIRouteHandler]:
    """Return the handlers of everything that a partner reads of its settlement."""
    statement = "/v1/statements/{statement_id:uuid}"
    return [
        hot_route(door, "/v1/statements", _list()),
        hot_route(door, "/v1/statements/live", _live(tills)),
        hot_route(door, "/v1/statements/live/lines", _open_live_line(tills)),
        hot_route(door, statement, _show(tills)),
        hot_route(door, f"{statement}/lines", _open_line(tills)),
        hot_route(door, f"{statement}/download", _download(tills)),
        hot_route(door, "/v1/postings/{posting_id:uuid}/charges", _passport(tills)),
    ]


def _list() -> HotEndpoint:
    async def listed(call: Call) -> Answer:
        wanted: StatementsQuery = call.query
        page = await service.list_statements(
            partner_no=call.caller.partner_no,
            at=call.at,
            state=wanted.state,
            period=wanted.period,
            cursor=wanted.cursor,
            limit=wanted.limit,
        )
        return Answer(200, page)

    return _reading(
        summary="Your statements, the latest first",
        description=(
            "Those of open periods come as they stand now, without an id. Money above zero is what "
            "you pay, below zero what you receive."
        ),
        handle=listed,
        query=StatementsQuery,
        answers={200: StatementList},
    )


def _live(tills: Tills) -> HotEndpoint:
    async def live(call: Call) -> Answer:
        wanted: LiveQuery = call.query
        return Answer(
            200,
            await service.live(
                (await tills.terms()).catalogue,
                partner_no=call.caller.partner_no,
                period=wanted.period,
                at=call.at,
            ),
        )

    return _reading(
        summary="Your statement as it stands at this instant",
        description=(
            "Of the present period, or of another one that is not closed yet. What is not settled "
            "yet is priced as it will be; only volume steps, minimum and rounding may still move."
        ),
        handle=live,
        query=LiveQuery,
        answers={200: LiveStatement},
        refusals=(UnknownPeriod,),
    )


def _show(tills: Tills) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        return Answer(
            200,
            await service.show(
                call.path["statement_id"],
                (await tills.terms()).catalogue,
                partner_no=call.caller.partner_no,
                at=call.at,
            ),
        )

    return _reading(
        summary="A statement of yours with its lines and control totals",
        description="From the state `closed` on it is frozen: the same answer for ever.",
        handle=show,
        answers={200: StatementView},
        refusals=(UnknownStatement,),
    )


def _open_line(tills: Tills) -> HotEndpoint:
    async def opened(call: Call) -> Answer:
        wanted: LinesQuery = call.query
        partner_no, catalogue = call.caller.partner_no, (await tills.terms()).catalogue
        line = await charges.line_of_statement(
            call.path["statement_id"], wanted.line, partner_no=partner_no, at=call.at
        )
        return Answer(
            200, await charges.behind(line, catalogue, cursor=wanted.cursor, limit=wanted.limit)
        )

    return _reading(
        summary="The charges behind a line of a statement",
        description="Every cent down to the posting, in the order in which they were settled.",
        handle=opened,
        query=LinesQuery,
        answers={200: ChargeList},
        refusals=(UnknownStatement, UnknownLine, CursorOfAnotherLine),
    )


def _open_live_line(tills: Tills) -> HotEndpoint:
    async def opened(call: Call) -> Answer:
        wanted: LiveLinesQuery = call.query
        partner_no, catalogue = call.caller.partner_no, (await tills.terms()).catalogue
        line = await charges.line_of_period(
            wanted.period, wanted.line, partner_no=partner_no, at=call.at
        )
        return Answer(
            200, await charges.behind(line, catalogue, cursor=wanted.cursor, limit=wanted.limit)
        )

    return _reading(
        summary="The charges behind a line of an open period",
        description=(
            "What waits to be settled is in the line already and here within seconds. Lines may "
            "move while the period is open; a cursor of another line is refused."
        ),
        handle=opened,
        query=LiveLinesQuery,
        answers={200: ChargeList},
        refusals=(UnknownPeriod, UnknownLine, CursorOfAnotherLine),
    )


def _download(tills: Tills) -> HotEndpoint:
    async def downloaded(call: Call) -> Answer:
        closed = await exporting.find(call.path["statement_id"], partner_no=call.caller.partner_no)
        lines = exporting.lines(closed, (await tills.terms()).catalogue)
        return Answer(200, lines, media_type=NDJSON)

    return _reading(
        summary="A closed statement with all its charges, to be verified offline",
        description=(
            "NDJSON: the frozen statement, then the charges drain by drain with their digests. "
            "`coalition verify FILE` proves it without a network; the canonical form of the "
            "digests is open, so any other program can."
        ),
        handle=downloaded,
        answers={200: Head},
        answer_media={200: (NDJSON,)},
        refusals=(UnknownStatement, StatementNotClosed),
    )


def _passport(tills: Tills) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        return Answer(
            200,
            await charges.passport_of(
                call.path["posting_id"],
                (await tills.terms()).catalogue,
                partner_no=call.caller.partner_no,
                at=call.at,
            ),
        )

    return _reading(
        summary="What a posting costs or earns you, and on which statement it stands",
        description="Of a posting of yours, or of another partner's that you are charged for.",
        handle=show,
        answers={200: Passport},
        refusals=(UnknownPosting,),
    )


def _reading(**parts: Any) -> HotEndpoint:  # Any: the fields of an endpoint
    return HotEndpoint(method="GET", scope=SCOPE, tags=_TAGS, **parts)
