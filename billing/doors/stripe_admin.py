"""Where the operator's staff see what comes from Stripe, and have everything compared with it."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from billing.doors.staff_asking import (
    APPROVE,
    OF_WRITES,
    PREPARE,
    READ,
    answer_once,
    soon,
)
from billing.gateway import inbox
from billing.gateway.inbox import Row
from billing.gateway.refusals import PaymentsNotSetUp
from billing.subscriptions import reconciling, selling
from billing.subscriptions.reconciling import Report
from coalition.kernel.database import Connection, transaction
from coalition.kernel.settings import Settings
from coalition.kernel.web.fields import Body, ShortText
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route

TAGS = ("stripe",)
BASE = "/v1/admin/stripe"

_ANYBODY, _STEERING = (READ, PREPARE, APPROVE), (PREPARE, APPROVE)


class EventsQuery(Body, frozen=True, kw_only=True):
    """Which events of Stripe are wanted."""

    failed: Annotated[bool, Meta(description="Only those that failed and are not handled")] = False
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most")] = 100


class StripeEvents(msgspec.Struct, frozen=True):
    """Events of Stripe, the latest first; one without `due_at` that was not handled was given up.

    Of what they are about `target` names the kind and the id at Stripe.
    """

    items: list[Row]


class AgainBody(Body, frozen=True):
    """Which failed events are handled again; all of them where none is named."""

    events: Annotated[tuple[ShortText, ...], Meta(max_length=1000)] = ()


class EventsAgain(msgspec.Struct, frozen=True):
    """The events that the worker handles again now."""

    items: list[str]


class ReconcileBody(Body, frozen=True):
    """How it is compared: by events since the last time, or every subscription."""

    whole: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """That the worker was asked for a job, and when."""

    job: str
    asked_at: datetime


class LastReconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What the last reconciliation found; None before the first one."""

    report: Report | None


def routes(door: Door, settings: Settings) -> list[ASGIRouteHandler]:
    """Return the handlers of what comes from Stripe."""
    return [
        hot_route(door, f"{BASE}/events", _EVENTS),
        hot_route(door, f"{BASE}/events/again", _AGAIN),
        hot_route(door, f"{BASE}/reconciliation", _LAST, _reconcile(settings)),
        hot_route(door, f"{BASE}/plans", _sync(settings)),
    ]


async def _events(call: Call) -> Answer:
    asked: EventsQuery = call.query
    async with transaction() as connection:
        found = await inbox.listed(connection, only_failed=asked.failed, most=asked.limit)
    return Answer(200, StripeEvents(found))


async def _again(call: Call) -> Answer:
    body: AgainBody = call.body

    async def work(connection: Connection) -> EventsAgain:
        return EventsAgain(await inbox.again(connection, call.at, body.events or None))

    return await answer_once(call, "stripe/events/again", 200, work)


async def _last(call: Call) -> Answer:
    del call
    return Answer(200, LastReconciliation(report=await reconciling.latest()))


async def _ask(call: Call, settings: Settings, job: str, address: str) -> Answer:
    async def work(connection: Connection) -> Asked:
        if not (settings.stripe_sandbox or settings.stripe_key):
            raise PaymentsNotSetUp
        await soon(connection, job)
        return Asked(job=job, asked_at=call.at)

    return await answer_once(call, address, 202, work)


def _reconcile(settings: Settings) -> HotEndpoint:
    async def reconcile(call: Call) -> Answer:
        body: ReconcileBody = call.body
        job = reconciling.JOB_WHOLE if body.whole else reconciling.JOB
        return await _ask(call, settings, job, "stripe/reconciliation")

    return HotEndpoint(
        method="POST",
        summary="Have the worker compare memberships with Stripe now, and repair what differs",
        description=(
            "It does so by itself each hour by Stripe's events, each night by every subscription. "
            "What it finds is told by `GET` once it is done."
        ),
        handle=reconcile,
        body=ReconcileBody,
        answers={202: Asked},
        scope=_STEERING,
        idempotent=True,
        refusals=(*OF_WRITES, PaymentsNotSetUp),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _sync(settings: Settings) -> HotEndpoint:
    async def sync(call: Call) -> Answer:
        return await _ask(call, settings, selling.JOB, "stripe/plans")

    return HotEndpoint(
        method="POST",
        summary="Have the worker bring plans and prices to Stripe now, rather than in ten minutes",
        description="`at_stripe` of `GET /v1/admin/plans` says what is there.",
        handle=sync,
        answers={202: Asked},
        scope=_STEERING,
        idempotent=True,
        refusals=(*OF_WRITES, PaymentsNotSetUp),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


_EVENTS = HotEndpoint(
    method="GET",
    summary="What came from Stripe, the latest first, and what became of it",
    handle=_events,
    query=EventsQuery,
    answers={200: StripeEvents},
    scope=_ANYBODY,
    tags=TAGS,
)
_AGAIN = HotEndpoint(
    method="POST",
    summary="Have failed events handled again by the worker, now",
    handle=_again,
    body=AgainBody,
    answers={200: EventsAgain},
    scope=_STEERING,
    idempotent=True,
    refusals=OF_WRITES,
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
_LAST = HotEndpoint(
    method="GET",
    summary="What the last reconciliation with Stripe found",
    handle=_last,
    answers={200: LastReconciliation},
    scope=_ANYBODY,
    tags=TAGS,
)
