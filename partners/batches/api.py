"""Where batches come in: uploaded, listed, looked at, and answered line by line."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.federation.refusals import PartnerSuspended
from coalition.kernel.clock import Clock
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.settings import Settings
from coalition.kernel.web.decoding import Media
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import (
    REPLAY_HEADER,
    REPLAYED,
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
)
from coalition.points.till import Tills
from partners.batches import results, service, upload
from partners.batches.queries import Sender
from partners.batches.refusals import (
    BatchEmpty,
    BatchHeaderInvalid,
    BatchTruncated,
    BatchUnreadable,
    TooManyLines,
    UnknownBatch,
)
from partners.batches.results import LineResult
from partners.batches.service import Batches
from partners.batches.splitting import CSV, LINES_MOST, MSGPACK, NDJSON
from partners.batches.views import BatchAccepted, BatchAnswer, BatchPage, BatchView

SCOPE = "batches:write"

_DESCRIPTION = f"""\
A line is one single request with its `kind` beside it: `issue` (which may be left out), `redeem`,
or `reverse` with its `posting_id`. NDJSON has one JSON object a line, CSV a first row that names
the fields (`amount_minor` and `currency` are those of the purchase) and one line a row, MessagePack
a stream of maps or one array of maps.

Up to {upload.AT_ONCE_LINES} lines are answered at once (201), up to {LINES_MOST} by a job (202).
Every line gets its own answer, and a bad one does not spoil the others. A line also needs the scope
of its kind; one that reverses needs both `points:issue` and `points:redeem`."""


class BatchesQuery(Body, frozen=True):
    """Which batches are wanted."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most")] = 50
    cursor: Annotated[UUID | None, Meta(description="The `next_cursor` of the page before")] = None


class ResultsQuery(Body, frozen=True):
    """From which line on answers are wanted."""

    from_line: Annotated[int, Meta(ge=1, le=LINES_MOST, description="Lines count from 1")] = 1


def routes(door: Door, tills: Tills, settings: Settings) -> list[ASGIRouteHandler]:
    """Return the handlers of batches."""
    batches = Batches(tills)
    batch = "/v1/batches/{batch_id:uuid}"
    post = _post(batches, tills, door.clock, settings.batch_body_max_bytes)
    return [
        hot_route(door, "/v1/batches", post, _list()),
        hot_route(door, batch, _show()),
        hot_route(door, f"{batch}/results", _results()),
    ]


def _post(batches: Batches, tills: Tills, clock: Clock, limit_bytes: int) -> HotEndpoint:
    async def post(call: Call) -> Answer:
        caller, sent = call.caller, call.upload
        assert sent is not None, "the endpoint reads its body itself"
        terms = await tills.terms()
        terms.catalogue.active_partner(caller.partner_no)
        key = Claim.of(caller.client_no, call.idempotency_key, "", b"").digest
        async with batches.only_one(key):
            received = await upload.receive(sent, limit_bytes=limit_bytes)
            try:
                address = f"batches {sent.media_type}"
                claim = Claim.of(caller.client_no, call.idempotency_key, address, received.digest)
                sender = Sender(caller.partner_no, caller.client_no, caller.store_no, caller.scopes)
                answer = await batches.take(
                    service.Upload(sender, claim, sent.media_type, received, call.media), clock
                )
            finally:
                if received.spool is not None:
                    received.spool.close()
        headers = (REPLAYED,) if answer.replayed else ()
        return Answer(answer.status, answer.body, headers, answer.media_type)

    return HotEndpoint(
        method="POST",
        summary="Post many lines at once",
        description=_DESCRIPTION,
        handle=post,
        uploads=(NDJSON, CSV, MSGPACK),
        answers={201: BatchAnswer, 202: BatchAccepted},
        scope=SCOPE,
        idempotent=True,
        refusals=(
            *(PartnerSuspended, KeyReused, RequestInProgress, TooManyLines),
            *(BatchEmpty, BatchTruncated, BatchUnreadable, BatchHeaderInvalid),
        ),
        tags=("batches",),
        answer_headers=REPLAY_HEADER,
    )


def _list() -> HotEndpoint:
    async def listed(call: Call) -> Answer:
        wanted: BatchesQuery = call.query
        page = await service.list_batches(
            partner_no=call.caller.partner_no, cursor=wanted.cursor, limit=wanted.limit
        )
        return Answer(200, page)

    return HotEndpoint(
        method="GET",
        summary="Your batches, the latest first",
        handle=listed,
        query=BatchesQuery,
        answers={200: BatchPage},
        scope=SCOPE,
        tags=("batches",),
    )


def _show() -> HotEndpoint:
    async def show(call: Call) -> Answer:
        batch = call.path["batch_id"]
        return Answer(200, await service.show(batch, partner_no=call.caller.partner_no))

    return HotEndpoint(
        method="GET",
        summary="How far a batch of yours is",
        handle=show,
        answers={200: BatchView},
        scope=SCOPE,
        refusals=(UnknownBatch,),
        tags=("batches",),
    )


def _results() -> HotEndpoint:
    async def answers(call: Call) -> Answer:
        wanted: ResultsQuery = call.query
        ndjson = service.answers(
            call.path["batch_id"],
            partner_no=call.caller.partner_no,
            from_line=wanted.from_line,
        )
        if call.media is Media.MSGPACK:
            return Answer(200, _in_msgpack(ndjson), media_type=MSGPACK)
        return Answer(200, ndjson, media_type=NDJSON)

    return HotEndpoint(
        method="GET",
        summary="The answers to the lines of a batch",
        description=(
            "One answer a line, as NDJSON or, by Accept, as a stream of MessagePack maps. Of a "
            "batch that is not done, the answers so far: ask later for those from the next line on."
        ),
        handle=answers,
        query=ResultsQuery,
        answers={200: LineResult},
        answer_media={200: (NDJSON, MSGPACK)},
        scope=SCOPE,
        refusals=(UnknownBatch,),
        tags=("batches",),
    )


async def _in_msgpack(ndjson: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for lines in ndjson:
        yield results.as_msgpack_stream(lines)
