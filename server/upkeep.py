"""What is done by the clock, from holds let go each minute to the proof of the books each night."""

from datetime import date, datetime, timedelta

import structlog

from coalition.access.signing_keys import ensure_signing_key
from coalition.federation import catalogue
from coalition.kernel.database import retrying, transaction
from coalition.kernel.idempotency import forget_before
from coalition.kernel.jobs import JobKind, NoPayload, Schedule
from coalition.kernel.settings import Settings
from coalition.ledger import audit, expiry, upkeep
from coalition.ledger.posting import PINNED, POSTER_ROLE
from coalition.ledger.resolutions import expire_holds
from coalition.oversight import audit_log
from coalition.points.guards import watching as guards

CLAIMS_KEPT = timedelta(hours=48)
"""How long the answer to an idempotency key is kept; a till's retry comes within minutes."""

HOLDS_AT_ONCE = 1000

AUDITED = "ledger.audited"
"""What the audit log calls a nightly audit."""

_logger = structlog.get_logger(__name__)


class AuditBreachError(Exception):
    """The ledger's proof does not hold; the log names the invariants."""


async def day_of(at: datetime) -> date | None:
    """Return the coalition's day at `at`; None while there is no coalition."""
    async with transaction() as connection:
        known = await catalogue.load(connection)
    return at.astimezone(known.zone).date() if known.is_set_up else None


async def let_holds_go(at: datetime) -> int:
    """Release every hold whose time has run out; return how many there were."""
    released = 0

    async def some() -> int:
        async with transaction(
            PINNED | {"enable_bitmapscan": "on"}, role=POSTER_ROLE
        ) as connection:
            return await expire_holds(connection, at, HOLDS_AT_ONCE)

    while count := await retrying(some):
        released += count
    return released


async def expire_points(at: datetime) -> int:
    """Book what has expired by the coalition's day of `at`; return how many points."""
    today = await day_of(at)
    return 0 if today is None else await expiry.expire(at, today)


async def tidy(at: datetime) -> None:
    """Move what is spent into history, add up the partners' totals, forget old answers."""
    moved = await upkeep.sweep()
    await upkeep.roll_up_totals()
    forgotten = await forget_before(at - CLAIMS_KEPT)
    _logger.info("tidied", lots_moved=moved, answers_forgotten=forgotten)


async def prove(at: datetime) -> None:
    """Audit the ledger; a breach is logged and raised, so that the job shows as failed.

    The audit log keeps when it was and what came of it.
    """
    report = await audit.run()
    async with transaction() as connection:
        await audit_log.record(
            connection,
            actor="system:upkeep",
            action=AUDITED,
            subject="ledger",
            facts={
                "checks": report.checks,
                "breaches": [breach.invariant for breach in report.breaches],
            },
            at=at,
        )
    if not report.ok:
        for breach in report.breaches:
            _logger.error("audit_breach", invariant=breach.invariant, rows=breach.rows)
        raise AuditBreachError(", ".join(breach.invariant for breach in report.breaches))
    _logger.info("audited", checks=report.checks)


def scheduled(settings: Settings) -> tuple[list[JobKind[NoPayload]], list[Schedule]]:
    """Return the jobs of upkeep and when they are done (UTC)."""

    async def holds(_: NoPayload, at: datetime) -> None:
        await let_holds_go(at)

    async def points(_: NoPayload, at: datetime) -> None:
        _logger.info("expired", points=await expire_points(at))

    async def tidying(_: NoPayload, at: datetime) -> None:
        await tidy(at)

    async def totals(_: NoPayload, at: datetime) -> None:
        del at
        await upkeep.roll_up_totals()

    async def guard_counts(_: NoPayload, at: datetime) -> None:
        _logger.info("guards_tidied", counts=await guards.tidy(at))

    async def proof(_: NoPayload, at: datetime) -> None:
        await prove(at)

    async def keys(_: NoPayload, at: datetime) -> None:
        await ensure_signing_key(master_key=settings.master_key, at=at)

    plan = {
        "ledger.holds": ("* * * * *", holds),
        "ledger.expiry": ("7 * * * *", points),
        "ledger.totals": ("*/10 * * * *", totals),
        "ledger.tidying": ("37 2 * * *", tidying),
        "ledger.audit": ("17 4 * * *", proof),
        "access.keys": ("27 3 * * *", keys),
        "points.guards": ("23 * * * *", guard_counts),
    }
    kinds = [
        JobKind(name=name, handle=handle, attempts=3, one_at_a_time=True)
        for name, (_, handle) in plan.items()
    ]
    return kinds, [Schedule(cron, name) for name, (cron, _) in plan.items()]
