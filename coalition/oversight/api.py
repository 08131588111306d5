"""Where the operator's auditors read the audit log, page by page."""

from typing import Annotated

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.kernel.database import transaction
from coalition.kernel.web.fields import Body, ShortText
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.oversight import audit_log
from coalition.oversight.audit_log import Row

SCOPE = "audit:read"
_NO_MOST = 2**63 - 1


class LogQuery(Body, frozen=True):
    """Which rows of the log are wanted."""

    cursor: Annotated[
        int, Meta(ge=0, le=_NO_MOST, description="The `next_cursor` of the page before")
    ] = 0
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most")] = 100
    subject: (
        Annotated[ShortText, Meta(description="To what it was done", examples=["partner:7"])] | None
    ) = None


class LogPage(msgspec.Struct, frozen=True):
    """Rows in the order of their numbers; each holds the hash of the one before it."""

    items: list[Row]
    next_cursor: int | None


def routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handler of the audit log."""
    return [hot_route(door, "/v1/admin/audit-log", _LOG)]


async def _read(call: Call) -> Answer:
    asked: LogQuery = call.query
    async with transaction() as connection:
        rows = await audit_log.page(
            connection, after_no=asked.cursor, limit=asked.limit + 1, subject=asked.subject
        )
    found = rows[: asked.limit]
    following = found[-1].no if len(rows) > len(found) else None
    return Answer(200, LogPage(found, following))


_LOG = HotEndpoint(
    method="GET",
    summary="What staff and the system did, each row chained to the one before",
    description=(
        "Without personal data. `hash` is over the row and `previous_hash`; whoever keeps a hash "
        "elsewhere can prove later that nothing before it was changed."
    ),
    handle=_read,
    query=LogQuery,
    answers={200: LogPage},
    scope=SCOPE,
    tags=("audit",),
)
