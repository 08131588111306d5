"""The worker: takes jobs from the queue and does them, through restarts of itself and the database.

pgqueuer hands out the jobs. What is added here: time from our clock, pauses that double, reasons
that stay out of the database, a stop that loses nothing, a new start after a lost connection.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import structlog
from pgqueuer import PgQueuer, RetryRequested
from pgqueuer.errors import FailingListenerError
from pgqueuer.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.models import Context, Job
from pgqueuer.models import Schedule as DueSchedule

from coalition.kernel.clock import Clock
from coalition.kernel.database import bound_engine, transaction
from coalition.kernel.database.transactions import is_passing
from coalition.kernel.jobs.kinds import JobKind, NoPayload, Schedule
from coalition.kernel.jobs.queue import JobRequest, enqueue, forget_finished
from coalition.kernel.jobs.stopping import is_set_within

LONGEST_PAUSE_S = 300.0
KEPT = timedelta(days=7)
"""How long the queue remembers what was done."""

_FORGETTING = "jobs.forget"
_BATCH = 20
_RECONNECT_PAUSES_S = (0.1, 0.3, 1.0, 3.0)

_logger = structlog.get_logger(__name__)


class JobFailedError(Exception):
    """A job was given up; it stays in the queue as failed. The log has the reason."""


async def run_worker(
    kinds: Sequence[JobKind[Any]],  # Any: each kind has its own payload
    schedules: Sequence[Schedule] = (),
    *,
    clock: Clock,
    stop: asyncio.Event,
    patience_s: float = 20.0,
    abandoned_after_s: float = 30.0,
) -> None:
    """Do jobs of `kinds`, and ask for those of `schedules`, until `stop` is set.

    Then no job is begun any more; those running get `patience_s`, and what is not done by then goes
    back to the queue. A job of a worker that vanished is begun anew after `abandoned_after_s`.
    """
    known = (_forgetting(), *kinds)
    due = (Schedule("17 3 * * *", _FORGETTING), *schedules)
    unknown = {schedule.name for schedule in due} - {kind.name for kind in known}
    assert not unknown, f"nobody does the scheduled {unknown}"
    duty = _Duty(known, due, clock, patience_s, abandoned_after_s)
    failures = 0
    while not stop.is_set():
        began = clock.now()
        try:
            await _work(duty, stop)
        except Exception as error:
            if not (is_passing(error) or isinstance(error, FailingListenerError)):
                raise
            failures = 0 if clock.now() - began > timedelta(minutes=1) else failures + 1
            pause_s = _RECONNECT_PAUSES_S[min(failures, len(_RECONNECT_PAUSES_S)) - 1]
            _logger.warning("worker_lost_database", error=type(error).__name__, pause_s=pause_s)
            await is_set_within(stop, pause_s)


class _Duty(NamedTuple):
    kinds: Sequence[JobKind[Any]]
    schedules: Sequence[Schedule]
    clock: Clock
    patience_s: float
    abandoned_after_s: float


async def _work(duty: _Duty, stop: asyncio.Event) -> None:
    """Work over one connection until `stop`, or until the connection is lost."""
    connection = await bound_engine().get_new_connection()
    try:
        queuer = PgQueuer.from_asyncpg_connection(connection)
        for kind in duty.kinds:
            _register(queuer, kind, duty.clock)
        for schedule in duty.schedules:
            _register_schedule(queuer, schedule)
        running = asyncio.create_task(
            queuer.run(
                # A lost NOTIFY costs a second.
                dequeue_timeout=timedelta(seconds=1),
                batch_size=_BATCH,
                max_concurrent_tasks=2 * _BATCH,
                shutdown_on_listener_failure=True,
                heartbeat_timeout=timedelta(seconds=duty.abandoned_after_s),
            )
        )
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            queuer.shutdown.set()
            await asyncio.wait({running}, timeout=duty.patience_s)
        finally:
            stopping.cancel()
            running.cancel()
            await asyncio.wait({running})
        if not running.cancelled():
            running.result()
    finally:
        await connection.close(timeout=1)


def _register(queuer: PgQueuer, kind: JobKind[Any], clock: Clock) -> None:
    def executor(parameters: EntrypointExecutorParameters) -> AbstractEntrypointExecutor:
        return _Executor(parameters, kind, clock)

    async def unused(job: Job) -> None:
        raise NotImplementedError

    queuer.entrypoint(
        kind.name,
        concurrency_limit=1 if kind.one_at_a_time else 0,
        accepts_context=False,
        on_failure="hold",
        executor_factory=executor,
    )(unused)


def _register_schedule(queuer: PgQueuer, schedule: Schedule) -> None:
    async def ask(due: DueSchedule) -> None:
        del due
        async with transaction() as connection:
            request = JobRequest(schedule.name, dedupe_key=f"schedule:{schedule.name}")
            await enqueue(connection, [request])

    queuer.schedule(schedule.name, schedule.cron, accepts_context=False)(ask)


class _Executor(AbstractEntrypointExecutor):
    """Does one job; says with what is raised whether it is tried again."""

    def __init__(
        self, parameters: EntrypointExecutorParameters, kind: JobKind[Any], clock: Clock
    ) -> None:
        super().__init__(parameters)
        self._kind = kind
        self._clock = clock
        self._decode = msgspec.json.Decoder(kind.payload).decode

    async def execute(self, job: Job, context: Context) -> None:
        del context
        kind = self._kind
        try:
            await kind.handle(self._decode(job.payload or b"{}"), self._clock.now())
        except asyncio.CancelledError:
            # The worker stops. Left alone, pgqueuer would take the job for one that nobody wants.
            raise RetryRequested(reason="stopped") from None
        except Exception as error:
            tried = job.attempts + 1
            _logger.warning("job_failed", job=kind.name, id=job.id, tried=tried, exc_info=error)
            # pgqueuer stores what it is told, so it is told no more than the kind of the error.
            reason = type(error).__name__
            if tried >= kind.attempts:
                raise JobFailedError(reason) from None
            raise RetryRequested(_pause(kind, job.attempts), reason) from None


def _pause(kind: JobKind[Any], attempts: int) -> timedelta:
    pause_s = min(kind.first_pause_s * 2.0 ** min(attempts, 30), LONGEST_PAUSE_S)
    return timedelta(seconds=pause_s * random.uniform(0.75, 1.25))  # noqa: S311 - spreads retries


def _forgetting() -> JobKind[NoPayload]:
    async def forget(_: NoPayload, at: datetime) -> None:
        del at  # the queue goes by the database's clock
        async with transaction() as connection:
            await forget_finished(connection, KEPT)

    return JobKind(name=_FORGETTING, handle=forget)
