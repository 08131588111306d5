"""Compares what we keep with what Stripe has, tells what differs, and repairs it by looking again.

Each hour by Stripe's list of events since the last time: what never came here is kept and handled
now, so that a day of lost webhooks costs an hour. Each night whole: every subscription with its
money, those that we do not know, those that Stripe does not, and pages on which an order or a
gift still waits to be paid.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from billing.gateway import events, inbox, intents
from billing.gateway.inbox import Arrival
from billing.gateway.refusals import EventUnreadable, StripeRefused
from billing.gateway.shapes import EventRow, Picture
from billing.subscriptions import deriving, entries, register, syncing
from billing.subscriptions.bookings import bookings
from billing.subscriptions.drifts import Drift, differences
from billing.subscriptions.handling import Handler
from billing.subscriptions.register import Kept
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import uuid7

JOB, JOB_WHOLE = "memberships.reconcile", "memberships.reconcile_whole"
"""The jobs that compare, by events and whole."""

KEPT_AT_STRIPE = timedelta(days=30)
"""So long Stripe lists events."""

OVERLAP = timedelta(minutes=15)
"""An event may be listed a little after the time that it bears."""

SIDE_BY_SIDE = 8
PAGE = 500
DRIFTS_TOLD = 1000

_LAST = "SELECT max(begun_at) FROM membership_reconciliation"
_KEEP = """
INSERT INTO membership_reconciliation
    (id, begun_at, is_whole, looked_at, drifted, repaired, report)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_DRIFTED = """
SELECT drifted FROM membership_reconciliation ORDER BY begun_at DESC, id DESC LIMIT 1
"""
_PAGES = """
SELECT checkout_id FROM membership_order WHERE state = 'open'
UNION ALL SELECT checkout_id FROM gift WHERE state = 'open' AND checkout_id IS NOT NULL
ORDER BY checkout_id
"""
_LATEST = "SELECT report FROM membership_reconciliation ORDER BY begun_at DESC, id DESC LIMIT 1"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a reconciliation found; `drifts` are told up to `DRIFTS_TOLD`, `drifted` counts all.

    `missed_events` came to Stripe's list and never to us; `lost_intents` are calls of which nobody
    knows the answer. A dry run repairs nothing.
    """

    begun_at: datetime
    is_whole: bool
    is_dry: bool
    looked_at: int
    missed_events: int
    lost_intents: int
    drifted: int
    repaired: int
    drifts: tuple[Drift, ...]


async def reconcile(
    handler: Handler, at: datetime, *, whole: bool, dry_run: bool = False
) -> Report:
    """Compare with Stripe, by events since the last time or whole; repair what differs.

    Raises `StripeUnavailable`; what was repaired until then stays so.
    """
    found = _Found(handler, at, is_dry=dry_run)
    missed = await _missed(handler, at)
    await found.catch_up(missed)
    if whole:
        await found.look_at_everything()
        await found.settle_pages()
    report = Report(
        begun_at=at,
        is_whole=whole,
        is_dry=dry_run,
        looked_at=len(found.looked),
        missed_events=len(missed),
        lost_intents=await intents.count_lost(at),
        drifted=len(found.drifts),
        repaired=found.repaired,
        drifts=tuple(found.drifts[:DRIFTS_TOLD]),
    )
    if not dry_run:
        await _keep(report)
    return report


async def latest() -> Report | None:
    """Return what the last reconciliation found; None before the first."""
    async with transaction() as connection:
        written = await connection.fetchval(_LATEST)
    return None if written is None else msgspec.json.decode(written, type=Report)


async def drifted_last(connection: Connection) -> int | None:
    """Return how many subscriptions had drifted at the last reconciliation."""
    found: int | None = await connection.fetchval(_DRIFTED)
    return found


class _Found:
    """What one run has looked at and found."""

    def __init__(self, handler: Handler, at: datetime, *, is_dry: bool) -> None:
        self.looked: set[str] = set()
        self.drifts: list[Drift] = []
        self.repaired = 0
        self._handler, self._at, self._is_dry = handler, at, is_dry
        self._gate = asyncio.Semaphore(SIDE_BY_SIDE)

    async def catch_up(self, missed: Sequence[Arrival]) -> None:
        """Take in the events that never came, and handle them now."""
        if missed and not self._is_dry:
            await _store(missed, self._at)
        targets = {one.event.target for one in missed if one.event.target is not None}
        subscriptions = {target for target in targets if target.startswith("sub_")}
        await self.look_at(subscriptions)
        if not self._is_dry:
            for target in sorted(targets - subscriptions):
                await self._handler.handle(target, self._at)
            await _done([one.event.id for one in missed], self._at)

    async def look_at(self, subscriptions: Iterable[str]) -> None:
        """Compare subscriptions, some at a time, and repair them."""
        async with asyncio.TaskGroup() as group:
            for one in sorted(set(subscriptions) - self.looked):
                self.looked.add(one)
                group.create_task(self._look(one))

    async def look_at_everything(self) -> None:
        """Compare every subscription that either side knows."""
        page: list[str] = []
        async for one in self._handler.gateway.every_subscription():
            if syncing.MEMBER in one.metadata or await _is_kept(one.id):
                page.append(one.id)
            if len(page) == PAGE:
                await self.look_at(page)
                page.clear()
        await self.look_at(page)
        after = None
        while kept := await _kept_after(after):
            await self.look_at(kept)
            after = kept[-1]

    async def settle_pages(self) -> None:
        """Look what became of orders and gifts that wait for their payment."""
        if self._is_dry:
            return
        async with transaction() as connection:
            pages = [row["checkout_id"] for row in await connection.fetch(_PAGES)]
        for page in pages:
            await self._handler.handle(page, self._at)

    async def _look(self, subscription: str) -> None:
        async with self._gate:
            found = await self._drift(subscription)
            if found is None:
                return
            self.drifts.append(found)
            if not self._is_dry and await syncing.sync(
                self._handler.gateway, subscription, at=self._at
            ):
                self.repaired += 1

    async def _drift(self, subscription: str) -> Drift | None:
        kept = await _kept(subscription)
        try:
            shown = await self._handler.gateway.picture(subscription)
        except StripeRefused as refused:
            if not refused.is_missing:
                raise
            return _drift_of(subscription, kept, ["unknown to Stripe"])
        found = [*differences(None if kept is None else kept.picture, shown)]
        async with transaction() as connection:
            found += await _beyond(connection, kept, shown)
        return _drift_of(subscription, kept, found) if found else None


async def _beyond(connection: Connection, kept: Kept | None, shown: Picture) -> list[str]:
    """Return what is wrong beyond the picture: with our ledger, or with the price."""
    found = []
    if kept is not None and kept.membership_id is not None and kept.member_id is not None:
        lacking = await entries.lacking(connection, kept.member_id, bookings(shown))
        found += [
            f"the ledger lacks {one.amount_minor} {one.currency} of {one.source}"
            for _, one in lacking
        ]
    terms = deriving.terms_of(await deriving.plans_now(connection), [shown])
    if shown.subscription.price_id not in terms:
        found.append(f"price {shown.subscription.price_id} is none of ours")
    return found


def _drift_of(subscription: str, kept: Kept | None, found: Sequence[str]) -> Drift:
    member = None if kept is None or kept.member_id is None else str(kept.member_id)
    return Drift(subscription=subscription, member_id=member, differences=tuple(found))


async def _missed(handler: Handler, at: datetime) -> list[Arrival]:
    """Return the events that Stripe lists since the last time, and that never came."""
    async with transaction() as connection:
        last = await connection.fetchval(_LAST)
    since = at - KEPT_AT_STRIPE if last is None else max(last - OVERLAP, at - KEPT_AT_STRIPE)
    missed: list[Arrival] = []
    page: list[EventRow] = []
    async for one in handler.gateway.events_since(since):
        page.append(one)
        if len(page) == PAGE:
            missed += await _unknown(page, is_live=handler.gateway.is_live)
            page.clear()
    return [*missed, *await _unknown(page, is_live=handler.gateway.is_live)]


async def _unknown(page: list[EventRow], *, is_live: bool) -> list[Arrival]:
    async with transaction() as connection:
        unknown = await inbox.unknown(connection, [one.id for one in page])
    found = []
    for one in page:
        if one.id in unknown:
            try:
                event = events.read(one.payload)
            except EventUnreadable:
                continue
            set_aside = None if event.is_live == is_live else inbox.OTHER_MODE
            found.append(Arrival(event, one.payload, set_aside))
    return found


async def _store(arrivals: Sequence[Arrival], at: datetime) -> None:
    async def attempt() -> None:
        async with transaction() as connection:
            await inbox.store(connection, arrivals, at)

    await retrying(attempt)


async def _done(ids: Sequence[str], at: datetime) -> None:
    async with transaction() as connection:
        await inbox.handled(connection, ids, at)


async def _kept(subscription: str) -> Kept | None:
    async with transaction() as connection:
        return await register.kept(connection, subscription)


async def _is_kept(subscription: str) -> bool:
    return await _kept(subscription) is not None


async def _kept_after(after: str | None) -> list[str]:
    async with transaction() as connection:
        return await register.some_kept(connection, after, PAGE)


async def _keep(report: Report) -> None:
    async with transaction() as connection:
        await connection.execute(
            _KEEP,
            uuid7(report.begun_at),
            report.begun_at,
            report.is_whole,
            report.looked_at,
            report.drifted,
            report.repaired,
            msgspec.json.encode(report).decode(),
        )
