"""What an operator must see of the coalition at every scrape: what waits, what is owed, the proof.

All of it is read in few cheap statements and kept for some seconds, however many scrapers there
are. What cannot be read is NaN until the next reading.
"""

import asyncio
import functools
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec
import structlog

from billing.benefits import schedule
from billing.gateway import inbox
from billing.subscriptions import reconciling, unexplained
from coalition.kernel import outbox
from coalition.kernel.clock import Clock
from coalition.kernel.database import Connection, transaction
from coalition.kernel.database.engine import bound_engine
from coalition.kernel.ids import time_of
from coalition.kernel.jobs import backlog
from coalition.kernel.web.metrics import Metrics
from coalition.ledger import totals
from coalition.messages import watching
from coalition.oversight import audit_log
from coalition.points.guards import cases
from partners.settlement import figures

AUDITED = "ledger.audited"
"""What the audit log calls a nightly audit."""

KEPT_S = 15.0
"""For how long what was read is told again."""

SELDOM_KEPT_S = 600.0
"""The same, for what takes reading much."""

_MONEY_OF = timedelta(hours=1)

_DEADLINE_S = 4.0

_logger = structlog.get_logger(__name__)

Values = Mapping[str, float]

_TEXTS = {
    "coalition_outbox_events": "Events that wait for the relay",
    "coalition_outbox_oldest_seconds": "Age of the oldest event that waits for the relay",
    "coalition_jobs_open": "Jobs that wait or run",
    "coalition_jobs_failed": "Jobs that were given up",
    "coalition_jobs_oldest_due_seconds": "How late the oldest job is that should have begun",
    "coalition_unsettled_oldest_seconds": "Age of the oldest posting that is not settled",
    "coalition_unsettled_postings": "Postings whose money is not booked yet",
    "coalition_settlement_drain_age_seconds": "Time since a drain last booked something",
    "coalition_settlement_periods_unsealed": "Periods past their cut-off that are not sealed",
    "coalition_settlement_statements_provisional": "Sealed statements that wait for a close",
    "coalition_money_out_of_balance": "By how much the money posted in the last hour misses zero",
    "coalition_points_in_debt": "Points that members owe for issues that were taken back",
    "coalition_audit_age_seconds": "Time since the last nightly audit",
    "coalition_audit_breaches": "Checks that failed in the last nightly audit",
    "coalition_stripe_events_waiting": "Events of Stripe that wait to be handled",
    "coalition_stripe_events_failed": "Events of Stripe that failed at least once",
    "coalition_stripe_lag_seconds": "Age of the oldest event of Stripe that is not handled",
    "coalition_stripe_drifted": "Subscriptions that differed when last compared with Stripe",
    "coalition_stripe_unexplained": "What no comparison with Stripe explains, not set aside",
    "coalition_emails_waiting": "E-mails that wait to be sent",
    "coalition_emails_failed": "E-mails that failed within a week",
    "coalition_benefits_late_seconds": "For how long points of a plan are due that were not given",
    "coalition_guard_cases_open": "Cases of the guards that wait for a person",
}


async def _events(connection: Connection, at: datetime) -> Values:
    number, age_s = await outbox.waiting(connection, at)
    return {"coalition_outbox_events": number, "coalition_outbox_oldest_seconds": age_s}


async def _jobs(connection: Connection, at: datetime) -> Values:
    del at  # the queue goes by the database's clock
    waiting = await backlog(connection)
    return {
        "coalition_jobs_open": waiting.open,
        "coalition_jobs_failed": waiting.failed,
        "coalition_jobs_oldest_due_seconds": waiting.oldest_due_s,
    }


async def _unsettled(connection: Connection, at: datetime) -> Values:
    oldest = await totals.oldest_unsettled(connection)
    age_s = (at - time_of(oldest)).total_seconds() if oldest else 0.0
    return {"coalition_unsettled_oldest_seconds": max(age_s, 0.0)}


async def _settlement(connection: Connection, at: datetime) -> Values:
    seen = await figures.progress(connection, at)
    values: dict[str, float] = {
        "coalition_unsettled_postings": seen.queued_postings,
        "coalition_settlement_periods_unsealed": seen.unsealed_periods,
        "coalition_settlement_statements_provisional": seen.provisional_statements,
    }
    if seen.last_drain_at is not None:
        age_s = max((at - seen.last_drain_at).total_seconds(), 0.0)
        values["coalition_settlement_drain_age_seconds"] = age_s
    return values


async def _money(connection: Connection, at: datetime) -> Values:
    difference = await figures.out_of_balance(connection, since=at - _MONEY_OF)
    return {"coalition_money_out_of_balance": difference}


async def _debts(connection: Connection, at: datetime) -> Values:
    del at
    return {"coalition_points_in_debt": await totals.owed(connection)}


async def _audit(connection: Connection, at: datetime) -> Values:
    last = await audit_log.last(connection, AUDITED)
    if last is None:
        return {}
    breaches = msgspec.json.decode(last.facts)["breaches"]
    return {
        "coalition_audit_age_seconds": (at - last.at).total_seconds(),
        "coalition_audit_breaches": len(breaches),
    }


async def _cases(connection: Connection, at: datetime) -> Values:
    del at
    return {"coalition_guard_cases_open": await cases.count_open(connection)}


async def _stripe(connection: Connection, at: datetime) -> Values:
    waiting, failed, oldest_s = await inbox.figures(connection, at)
    values: dict[str, float] = {
        "coalition_stripe_events_waiting": waiting,
        "coalition_stripe_events_failed": failed,
        "coalition_stripe_lag_seconds": oldest_s,
        "coalition_stripe_unexplained": await unexplained.count(connection),
    }
    drifted = await reconciling.drifted_last(connection)
    return values if drifted is None else values | {"coalition_stripe_drifted": drifted}


async def _emails(connection: Connection, at: datetime) -> Values:
    waits = await watching.read(connection, at)
    return {"coalition_emails_waiting": waits.waiting, "coalition_emails_failed": waits.failed}


async def _benefits(connection: Connection, at: datetime) -> Values:
    return {"coalition_benefits_late_seconds": await schedule.late_s(connection, at)}


_READINGS = (
    *(_events, _jobs, _unsettled, _settlement, _debts, _audit, _cases),
    *(_stripe, _benefits, _emails),
)
_SELDOM_READINGS = (_money,)


class Watch:
    """Reads the coalition's figures from the bound database, at most once in `KEPT_S` seconds."""

    def __init__(self, clock: Clock) -> None:
        """Read ages by `clock`; nothing is read before it is asked for."""
        self._clock = clock
        self._reading = asyncio.Lock()
        self._values: dict[str, float] = {}
        self._seldom_values: dict[str, float] = {}
        self._seldom_again_s = -math.inf
        self._unspent: dict[str, float] = {}
        self._read_again_s = -math.inf

    def register(self, metrics: Metrics) -> None:
        """Let `metrics` show what this watch reads, and how many connections are in use."""
        for name, text in _TEXTS.items():
            metrics.gauge(name, text, functools.partial(self.value, name))
        metrics.gauges(
            "coalition_points_unspent",
            "Points that members have and the coalition owes",
            label="currency_no",
            read=self.unspent,
        )
        metrics.gauge(
            "coalition_database_connections_in_use",
            "Connections of this process's pool that are at work",
            _connections_in_use,
        )
        metrics.gauge(
            "coalition_database_connections_max",
            "Connections that this process may have",
            _connections_max,
        )

    async def value(self, name: str) -> float:
        """Return the figure `name`; NaN when it cannot be read, or is not there yet."""
        await self._refresh()
        return self._values.get(name, self._seldom_values.get(name, math.nan))

    async def unspent(self) -> Mapping[str, float]:
        """Return the points that are owed, by the number of their currency."""
        await self._refresh()
        return self._unspent

    async def _refresh(self) -> None:
        async with self._reading:
            if time.monotonic() < self._read_again_s:
                return
            self._values, self._unspent = {}, {}
            try:
                # One deadline for all: on a dead wire a scrape waits once.
                async with asyncio.timeout(_DEADLINE_S):
                    await self._read(self._clock.now())
            except TimeoutError:
                _logger.warning("figures_unreadable", error="TimeoutError")
            self._read_again_s = time.monotonic() + KEPT_S

    async def _read(self, at: datetime) -> None:
        for reading in _READINGS:
            with _others_go_on(reading.__name__):
                async with transaction() as connection:
                    self._values |= await reading(connection, at)
        if time.monotonic() >= self._seldom_again_s:
            self._seldom_values = {}
            for reading in _SELDOM_READINGS:
                with _others_go_on(reading.__name__):
                    async with transaction() as connection:
                        self._seldom_values |= await reading(connection, at)
                    self._seldom_again_s = time.monotonic() + SELDOM_KEPT_S
        with _others_go_on("_unspent"):
            async with transaction() as connection:
                owed = await totals.unspent(connection)
            self._unspent = {str(currency_no): points for currency_no, points in owed.items()}


@contextmanager
def _others_go_on(reading: str) -> Iterator[None]:
    """Let a reading fail alone; one that ran out of time ends them all."""
    try:
        yield
    except TimeoutError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the others are still wanted
        name = reading.removeprefix("_")
        _logger.warning("figures_unreadable", figures=name, error=type(error).__name__)


async def _connections_in_use() -> float:
    pool = bound_engine().pool
    return 0 if pool is None else pool.get_size() - pool.get_idle_size()


async def _connections_max() -> float:
    pool = bound_engine().pool
    return 0 if pool is None else pool.get_max_size()
