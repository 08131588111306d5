"""The sandbox as a whole: its store, its time, its post and its ASGI application."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from billing.sandbox import clocks, events, parts, webhook_endpoints
from billing.sandbox.app import Application, Contract
from billing.sandbox.deliveries import Deliver, Post
from billing.sandbox.faults import Faults
from billing.sandbox.store import Store, Transaction
from billing.sandbox.world import World

assert parts.PARTS, "the registries are filled"
_LOOK_SECONDS = 0.5


class Sandbox:
    """One account at a stand-in for Stripe."""

    def __init__(
        self,
        path: Path | None,
        *,
        now: Callable[[], datetime],
        deliver: Deliver | None = None,
        faults: Faults | None = None,
        prefix: str = "",
        public_url: str = "",
        seed: str | None = None,
        contract: Contract | None = None,
    ) -> None:
        """Open the account kept in a file, or one in memory that ends with this object.

        `now` is the true time, aware; the account's time is that and the offset kept in the file.
        `deliver` sends a webhook and returns the endpoint's status; without it all stay pending.
        `prefix` is where the application is mounted, `public_url` where a browser finds it.
        """
        self.store = Store(path, seed=seed)
        if contract is not None:
            self.store.witness = contract.judge_event
        self.faults = faults or Faults()
        self._true_now = now
        self._public_url = public_url
        self._wake = asyncio.Event()
        self._post = None if deliver is None else Post(self.store, deliver, self.seconds)
        self.application = Application(
            self.store,
            account_now=self.seconds,
            catch_up=self.catch_up,
            on_commit=self._wake.set,
            faults=self.faults,
            prefix=prefix,
            public_url=public_url,
            contract=contract,
            travel=self._travel,
        )

    # ---- time

    @property
    def offset(self) -> timedelta:
        """Return how far the account's time is ahead of the true time."""
        row = self.store.connection.execute(
            "SELECT CAST(value AS REAL) FROM meta WHERE name = 'offset'"
        ).fetchone()
        return timedelta(seconds=row[0])

    def now(self) -> datetime:
        """Return the account's present instant."""
        return self._true_now().astimezone(UTC) + self.offset

    def seconds(self) -> int:
        """Return the account's present instant in seconds, as Stripe counts."""
        return int(self.now().timestamp())

    async def advance(self, to: datetime) -> None:
        """Move the account's time on, doing and delivering all that falls due, in order of time."""
        assert to >= self.now(), "time goes forward"
        while (at := self._next_instant(int(to.timestamp()))) is not None:
            self._shift(datetime.fromtimestamp(at, UTC))
            self.catch_up()
            await self.deliver_due()
        self._shift(to)
        await self.deliver_due()

    def next_instant(self, until: datetime) -> datetime | None:
        """Return the next instant up to `until` at which something falls due, if there is any."""
        at = self._next_instant(int(until.timestamp()))
        return None if at is None else datetime.fromtimestamp(at, UTC)

    async def _travel(self, until: int) -> None:
        await self.advance(max(datetime.fromtimestamp(until, UTC), self.now()))

    def catch_up(self) -> None:
        """Do what has fallen due by the account's time."""
        while self._next_instant(self.seconds()) is not None:
            with self.store.transaction() as transaction:
                entry = transaction.next_due("", self.seconds())
                if entry is not None:
                    world = clocks.world_at(
                        transaction,
                        entry,
                        clock="",
                        account_now=entry.at,
                        public_url=self._public_url,
                    )
                    clocks.fall_due(world, entry)
            self._wake.set()

    def _next_instant(self, until: int) -> int | None:
        row = self.store.connection.execute(
            "SELECT min(at) FROM due WHERE clock = '' AND at <= ?", (until,)
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def _shift(self, to: datetime) -> None:
        ahead = (to - self._true_now()).total_seconds()
        if ahead > self.offset.total_seconds():
            with self.store.transaction() as transaction:
                transaction.set_meta("offset", str(ahead))

    # ---- the post

    async def deliver_due(self) -> int:
        """Send the webhooks that are due; return how many were taken."""
        return 0 if self._post is None else await self._post.deliver_due()

    async def run(self, stop: asyncio.Event) -> None:
        """Do and deliver what falls due while time passes, until told to stop."""
        while not stop.is_set():
            self._wake.clear()
            self.catch_up()
            await self.deliver_due()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _LOOK_SECONDS)

    def resend(self, event_id: str) -> None:
        """Plan to send an event again to each endpoint that is enabled."""
        with self.store.transaction() as transaction:
            for endpoint in transaction.all("webhook_endpoint", {"status": "enabled"}):
                transaction.post(event_id, endpoint["id"], at=self.seconds())

    def send_thin(self, type_: str, *, related: tuple[str, str]) -> str:
        """Plan to send a thin event about an object (its kind and id) to all; return its id."""
        with self.store.transaction() as transaction:
            return events.send_thin(self.world(transaction), type_, *related)

    def roll_secret(self, endpoint_id: str, *, keep: timedelta = timedelta(days=1)) -> str:
        """Give an endpoint a new secret and return it; the former signs beside it for a while."""
        with self.store.transaction() as transaction:
            return webhook_endpoints.roll_secret(
                self.world(transaction), endpoint_id, keep_seconds=int(keep.total_seconds())
            )

    def world(self, transaction: Transaction) -> World:
        """Return a world of the account's present, to act in directly."""
        return World(transaction, account_now=self.seconds(), public_url=self._public_url)

    def close(self) -> None:
        """Close the file."""
        self.store.close()
