"""What is done by the clock, from holds let go each minute to the proof of the books each night."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta

import structlog

from billing.benefits import granting
from billing.gateway import inbox
from billing.subscriptions import noticing, rechecking, reconciling, recovering, selling, syncing
from billing.subscriptions.campaigns import running
from billing.subscriptions.handling import Handler
from billing.subscriptions.house import House
from billing.subscriptions.seats import sharing
from billing.subscriptions.telling import tongue
from coalition.access.signing_keys import ensure_signing_key
from coalition.families.groups.groups import Groups
from coalition.families.pools import coming_back
from coalition.families.transfers import deciding
from coalition.families.transfers.transferring import Transfers
from coalition.federation import catalogue
from coalition.kernel.clock import Clock
from coalition.kernel.database import retrying, transaction
from coalition.kernel.idempotency import forget_before
from coalition.kernel.jobs import JobKind, NoPayload, Schedule
from coalition.kernel.settings import Settings
from coalition.ledger import expiry, merging, placing, upkeep
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.posting import PINNED, POSTER_ROLE
from coalition.ledger.resolutions import expire_holds
from coalition.members.sealing import MemberKeys
from coalition.messages import sending
from coalition.messages.office import Office
from coalition.messages.sending import Post
from coalition.oversight import audit_log
from coalition.points import expiring
from coalition.points.guards import watching as guards
from partners.settlement import sealing
from server import payments, proof
from server.gauges import AUDITED

CLAIMS_KEPT = timedelta(hours=48)
"""How long the answer to an idempotency key is kept; a till's retry comes within minutes."""

HOLDS_AT_ONCE = 1000

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
    await ensure_partition(at)

    async def some() -> int:
        async with transaction(
            PINNED | {"enable_bitmapscan": "on"}, role=POSTER_ROLE
        ) as connection:
            return await expire_holds(connection, at, HOLDS_AT_ONCE)

    while count := await retrying(some):
        released += count
    return released


async def move_on(at: datetime) -> int:
    """Move what reached merged members late to those they are now; return how many points."""
    today = await day_of(at)
    return 0 if today is None else await merging.forward_late(at, today)


async def tell_of_expiry(at: datetime) -> int:
    """Tell of points that will end, on the notice days of contracts; return how many events."""
    async with transaction() as connection:
        known = await catalogue.load(connection)
    if not known.is_set_up:
        return 0
    return await expiring.notify(known, at, languages=tongue.languages_of)


async def expire_points(at: datetime) -> int:
    """Book what has expired by the coalition's day of `at`; return how many points."""
    today = await day_of(at)
    return 0 if today is None else await expiry.expire(at, today, rest=expiry.BesideTills())


async def place_lots(at: datetime) -> int:
    """Place lots together that lie scattered; return how many moved. It gives way to tills."""
    del at
    return await placing.place_together(rest=expiry.BesideTills())


async def seal(at: datetime) -> int:
    """Seal every period whose cut-off has come; return how many. Closing them takes two persons."""
    return len(await sealing.seal_due(at))


async def tidy(at: datetime) -> None:
    """Move what is spent into history, add up the partners' totals, forget old answers."""
    moved = await upkeep.sweep()
    await upkeep.roll_up_totals()
    forgotten = await forget_before(at - CLAIMS_KEPT)
    async with transaction() as connection:
        await inbox.tidy(connection, at)
    _logger.info("tidied", lots_moved=moved, answers_forgotten=forgotten)


async def prove(at: datetime) -> None:
    """Audit ledger and settlement; a breach is logged and raised, so that the job shows as failed.

    The audit log keeps when it was and what came of it.
    """
    report = await proof.prove()
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


_Plan = dict[str, tuple[str, Callable[[datetime], Awaitable[int | None]]]]
"""When what is done, by its name."""


def scheduled(
    settings: Settings, house: House, handler: Handler, clock: Clock
) -> tuple[list[JobKind[NoPayload]], list[Schedule]]:
    """Return the jobs of upkeep and when they are done (UTC)."""

    async def totals(at: datetime) -> int:
        del at
        return await upkeep.roll_up_totals()

    groups = Groups(keys=MemberKeys.of(settings))

    async def keys(at: datetime) -> None:
        await ensure_signing_key(master_key=settings.master_key, at=at)

    transfers = Transfers(keys=MemberKeys.of(settings), clock=clock)

    async def move_transfers_on(at: datetime) -> int:
        return await deciding.run_due(transfers, at)

    async def tell_ahead(at: datetime) -> int:
        return await noticing.tell(house.countries, at)

    plan: _Plan = {
        "ledger.holds": ("* * * * *", let_holds_go),
        "ledger.expiry": ("7 * * * *", expire_points),
        "ledger.merges": ("*/10 * * * *", move_on),
        "settlement.seal": ("* * * * *", seal),
        "points.notices": ("47 5 * * *", tell_of_expiry),
        "ledger.totals": ("*/10 * * * *", totals),
        "ledger.tidying": ("37 2 * * *", tidy),
        "ledger.placing": ("7 3 * * *", place_lots),
        "ledger.audit": ("17 4 * * *", prove),
        "access.keys": ("27 3 * * *", keys),
        "points.guards": ("23 * * * *", guards.tidy),
        "families.invitations": ("*/10 * * * *", groups.expire_invitations),
        "families.acts": ("*/10 * * * *", groups.expire_acts),
        "families.ageing": ("11 * * * *", groups.grow_up),
        "families.suspensions": ("3 * * * *", groups.follow_heads),
        "families.transfers": ("* * * * *", move_transfers_on),
        "families.holds": ("* * * * *", coming_back.of_expired_holds),
        "memberships.turns": ("* * * * *", syncing.turn),
        "memberships.notices": ("19 * * * *", tell_ahead),
        "memberships.seats": ("29 * * * *", sharing.check_all),
        "benefits.months": ("* * * * *", granting.grant_due),
        **_with_mail_server(settings, clock),
        **(_with_stripe(house, handler) if payments.is_set_up(handler.gateway) else {}),
    }
    kinds = [
        JobKind(name=name, handle=_handler(name, work), attempts=3, one_at_a_time=True)
        for name, (_, work) in plan.items()
    ]
    return kinds, [Schedule(cron, name) for name, (cron, _) in plan.items()]


def _with_mail_server(settings: Settings, clock: Clock) -> _Plan:
    """Return what is done by the clock where there is a mail server."""
    office = Office.of(settings)
    if office is None:
        return {}
    post = Post(office, settings.issuer, MemberKeys.of(settings))

    async def send(at: datetime) -> int:
        del at
        return await sending.send_due(post, clock)

    return {"messages.email": ("* * * * *", send)}


def _with_stripe(house: House, handler: Handler) -> _Plan:
    """Return what is done by the clock where payments are set up."""

    async def bring_plans(at: datetime) -> int:
        return sum(await selling.bring(handler.gateway, at=at))

    async def reconcile(at: datetime) -> int:
        return (await reconciling.reconcile(handler, at, whole=False)).drifted

    async def reconcile_whole(at: datetime) -> int:
        return (await reconciling.reconcile(handler, at, whole=True)).drifted

    async def keep_promises(at: datetime) -> int:
        return await recovering.recover(handler.gateway, at)

    async def check_prices(at: datetime) -> int:
        return await rechecking.recheck(house, at)

    async def run_campaigns(at: datetime) -> int:
        return (await running.run(house, at=at)).acts

    return {
        "memberships.special_prices": ("13 5 * * *", check_prices),
        "stripe.promises": ("* * * * *", keep_promises),
        selling.JOB: ("*/10 * * * *", bring_plans),
        running.JOB: ("*/10 * * * *", run_campaigns),
        reconciling.JOB: ("41 * * * *", reconcile),
        reconciling.JOB_WHOLE: ("51 1 * * *", reconcile_whole),
    }


def _handler(
    name: str, work: Callable[[datetime], Awaitable[int | None]]
) -> Callable[[NoPayload, datetime], Awaitable[None]]:
    """Return what does `work` as a job and logs how much there was to do."""

    async def handle(_: NoPayload, at: datetime) -> None:
        done = await work(at)
        if done:
            _logger.info("upkeep", job=name, done=done)

    return handle
