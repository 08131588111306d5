"""Compares what we keep with what Stripe has, tells what differs, and repairs it by looking again.

Each hour by Stripe's list of events since the last time: what never came here is kept and handled
now, so that a day of lost webhooks costs an hour. Each night whole, by Stripe's lists: every
subscription with its money, and what was paid once; only what differs is looked at by itself. What
no look explains is kept for staff (`unexplained`).
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from billing.gateway import events, inbox, intents
from billing.gateway.inbox import Arrival
from billing.gateway.refusals import EventUnreadable, StripeRefused, StripeUnavailable
from billing.gateway.shapes import EventRow, Payment, Picture
from billing.subscriptions import (
    booked,
    comparing,
    deriving,
    entries,
    gift_paying,
    register,
    syncing,
    unexplained,
    whose,
)
from billing.subscriptions.bookings import bookings
from billing.subscriptions.comparing import Comparison
from billing.subscriptions.drifts import Drift, differences
from billing.subscriptions.handling import Handler
from billing.subscriptions.register import Kept
from billing.subscriptions.unexplained import Kind, Unexplained
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

_logger = structlog.get_logger(__name__)

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
    knows the answer. `unexplained` is what this time found that no look repairs and that staff have
    not set aside, told up to `DRIFTS_TOLD`. A dry run repairs and keeps nothing.
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
    unexplained_count: int = 0
    unexplained: tuple[Unexplained, ...] = ()


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
    waiting = await found.keep_unexplained(is_whole=whole)
    report = Report(
        begun_at=at,
        is_whole=whole,
        is_dry=dry_run,
        looked_at=found.compared,
        missed_events=len(missed),
        lost_intents=await intents.count_lost(at),
        drifted=len(found.drifts),
        repaired=found.repaired,
        drifts=tuple(found.drifts[:DRIFTS_TOLD]),
        unexplained_count=len(waiting),
        unexplained=tuple(waiting[:DRIFTS_TOLD]),
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
        self._unexplained: dict[tuple[str, Kind], Unexplained] = {}
        self._listed = 0
        self._handler, self._at, self._is_dry = handler, at, is_dry
        self._gate = asyncio.Semaphore(SIDE_BY_SIDE)
        self._failed: set[str] = set()
        self._unavailable: StripeUnavailable | None = None

    @property
    def compared(self) -> int:
        """How many subscriptions were compared, by lists or by themselves."""
        return max(self._listed, len(self.looked))

    async def catch_up(self, missed: Sequence[Arrival]) -> None:
        """Take in the events that never came, and handle them now."""
        if missed and not self._is_dry:
            await _store(missed, self._at)
        targets = {one.event.target for one in missed if one.event.target is not None}
        subscriptions = {target for target in targets if target.startswith("sub_")}
        await self.look_at(subscriptions)
        if not self._is_dry:
            await self._handle(targets - subscriptions)
            seen = [one.event.id for one in missed if one.event.target not in self._failed]
            await _done(seen, self._at)

    async def look_at(self, subscriptions: Iterable[str]) -> None:
        """Compare subscriptions, some at a time, and repair them."""
        async with asyncio.TaskGroup() as group:
            for one in sorted(set(subscriptions) - self.looked):
                self.looked.add(one)
                group.create_task(self._tried(one, self._look(one)))
        if self._unavailable is not None:
            raise self._unavailable

    async def look_at_everything(self) -> None:
        """Compare all that either side has, by lists, and look at what differs by itself."""
        comparison = Comparison(self._handler.gateway)
        await comparison.read()
        self._listed = comparison.compared
        ledger = await booked.compare()
        self._note(*comparison.found, *ledger.too_many)
        await self.look_at(comparison.suspects | ledger.lacking)
        await self.settle_pages()
        await self.look_at_gifts(comparison, ledger.gifts)
        await self.look_at_customers()
        self._note(*await comparison.unexplained())

    async def keep_unexplained(self, *, is_whole: bool) -> list[Unexplained]:
        """Keep what no look explains, and return what of it staff have not set aside."""
        found = [self._unexplained[name] for name in sorted(self._unexplained)]
        async with transaction() as connection:
            waiting = await unexplained.without_set_aside(connection, found)
            if not self._is_dry:
                await unexplained.keep(connection, found, self._at)
                if is_whole:
                    await unexplained.close(connection, self._at)
        return waiting

    async def settle_pages(self) -> None:
        """Look what became of orders and gifts that wait for their payment."""
        if self._is_dry:
            return
        async with transaction() as connection:
            pages = {row["checkout_id"] for row in await connection.fetch(_PAGES)}
        await self._handle(pages)

    async def look_at_gifts(self, comparison: Comparison, lacking: Collection[str]) -> None:
        """Look at the gifts that are not booked, or of which more, or less, went back than kept."""
        gateway = self._handler.gateway

        def is_as_kept(payment: str, kept: Payment | None) -> bool:
            return payment not in lacking and comparison.is_as_kept(payment, kept)

        async for payment, drift in gift_paying.drifted(gateway, is_as_kept):
            self.drifts.append(drift)
            if not self._is_dry and await gift_paying.look(gateway, payment, self._at):
                self.repaired += 1

    async def look_at_customers(self) -> None:
        """Look whose customers are; what Stripe does not tell better waits for staff."""
        for one in await whose.wrong(self._handler.gateway):
            member = str(one.member)
            if one.own:
                told = Drift(
                    subscription=one.customer_id, member_id=member, differences=(one.told,)
                )
                self.drifts.append(told)
                if not self._is_dry:
                    await whose.mend(one, self._at)
                    self.repaired += 1
            else:
                self._note(
                    Unexplained(
                        id=one.customer_id,
                        kind=Kind.CUSTOMER,
                        customer_id=one.customer_id,
                        member_id=member,
                        told=one.told,
                    )
                )

    async def _handle(self, targets: Iterable[str]) -> None:
        for target in sorted(targets):
            await self._tried(target, self._handler.handle(target, self._at))
            if self._unavailable is not None:
                raise self._unavailable

    async def _tried(self, name: str, look: Coroutine[object, object, None]) -> None:
        """Let one look be made; what fails at it is told, and keeps nobody from the others."""
        if self._unavailable is not None:
            look.close()
            return
        try:
            await look
        except StripeUnavailable as error:
            self._unavailable = error
        except Exception as error:
            is_plain = isinstance(error, StripeRefused)
            _logger.warning("look_failed", target=name, exc_info=None if is_plain else error)
            self._failed.add(name)
            told = f"could not be looked at: {type(error).__name__}: {error}"
            self.drifts.append(Drift(subscription=name, member_id=None, differences=(told,)))

    def _note(self, *found: Unexplained) -> None:
        self._unexplained |= {(one.id, one.kind): one for one in found}

    async def _look(self, subscription: str) -> None:
        async with self._gate:
            kept = await _kept(subscription)
            for kind in _OF_A_LOOK:
                self._unexplained.pop((subscription, kind), None)
            try:
                shown = await self._handler.gateway.picture(subscription)
            except StripeRefused as refused:
                if not refused.is_missing:
                    raise
                self._note(_gone(subscription, kept))
                return
            await self._compare(kept, shown)

    async def _compare(self, kept: Kept | None, shown: Picture) -> None:
        one = shown.subscription
        found = [*differences(None if kept is None else kept.picture, shown)]
        async with transaction() as connection:
            member = await syncing.owner(connection, shown, kept)
            terms = deriving.terms_of(await deriving.plans_now(connection), [shown])
            found += await _not_booked(connection, kept, shown)
        if member is None:
            self._note(comparing.foreign(one))
        elif one.price_id not in terms:
            self._note(comparing.unpriced(one, str(member)))
        if not found or (member is None and kept is None):
            return
        is_followed = not self._is_dry and await syncing.sync(
            self._handler.gateway, one.id, at=self._at
        )
        if member is not None:
            told = Drift(subscription=one.id, member_id=str(member), differences=tuple(found))
            self.drifts.append(told)
            self.repaired += is_followed


_OF_A_LOOK = (Kind.FOREIGN, Kind.GONE, Kind.PRICE)
"""What a look at a subscription decides."""


async def _not_booked(connection: Connection, kept: Kept | None, shown: Picture) -> list[str]:
    """Return what our ledger lacks of what a subscription cost."""
    if kept is None or kept.membership_id is None or kept.member_id is None:
        return []
    lacking = await entries.lacking(connection, kept.member_id, bookings(shown))
    return [
        f"the ledger lacks {one.amount_minor} {one.currency} of {one.source}" for _, one in lacking
    ]


def _gone(subscription: str, kept: Kept | None) -> Unexplained:
    is_ours = kept is not None and kept.membership_id is not None
    picture = None if kept is None else kept.picture
    return Unexplained(
        id=subscription,
        kind=Kind.GONE,
        customer_id=None if picture is None else picture.subscription.customer_id,
        member_id=None if kept is None or kept.member_id is None else str(kept.member_id),
        told="unknown to Stripe; "
        + ("a membership hangs on it" if is_ours else "nothing here hangs on it"),
    )


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
