"""Health for whoever routes traffic: alive, ready, draining.

Alive means the process answers. Ready means that it can do its work: every check passes and nobody
has asked it to stop. When asked to, readiness goes first, so that no new traffic comes while the
requests in flight finish.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from litestar import get
from litestar.handlers import HTTPRouteHandler
from piccolo.conf.apps import AppConfig

from coalition.kernel.database import bound_engine, pending_migrations
from coalition.kernel.errors import Unavailable
from coalition.kernel.web.metrics import Metrics

Check = Callable[[], Awaitable[bool]]

_CHECK_TIMEOUT_S = 3

_logger = structlog.get_logger(__name__)


class NotReady(Unavailable):
    """The service does not take requests now; `failing` says why."""

    code, title = "not_ready", "Not ready"


class Readiness:
    """Whether this process should get traffic."""

    def __init__(self, checks: dict[str, Check]) -> None:
        """Ask each of `checks`, by its name, whenever somebody wants to know."""
        self._checks = checks
        self.draining = False

    async def failing(self) -> list[str]:
        """Return the names of the checks that fail; empty when ready."""
        if self.draining:
            return ["draining"]
        return [name for name, check in self._checks.items() if not await _passes(name, check)]

    async def drain(self, metrics: Metrics, *, notice_s: float, patience_s: float) -> None:
        """Become unready, let routers notice for `notice_s`, then wait for requests in flight.

        Returns when none is left or after `patience_s` more.
        """
        self.draining = True
        _logger.info("draining", in_flight=metrics.in_flight)
        await asyncio.sleep(notice_s)
        try:
            async with asyncio.timeout(patience_s):
                await metrics.idle.wait()
        except TimeoutError:
            _logger.warning("drained_impatiently", in_flight=metrics.in_flight)


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            return await check()
    except Exception as error:  # noqa: BLE001 - a check that fails in any way has failed
        _logger.warning("check_failed", check=name, error=type(error).__name__)
        return False


def database_checks(apps: Sequence[AppConfig]) -> dict[str, Check]:
    """Return the checks that the bound database answers and has had every migration of `apps`."""
    migrated = False

    async def answers() -> bool:
        pool = bound_engine().pool
        return pool is not None and await pool.fetchval("SELECT 1") == 1

    async def is_migrated() -> bool:
        # Migrations only go forward: once done, done.
        nonlocal migrated
        migrated = migrated or not await pending_migrations(apps)
        return migrated

    return {"database": answers, "migrations": is_migrated}


def health_routes(readiness: Readiness) -> list[HTTPRouteHandler]:
    """Return the handlers of /health/live and /health/ready."""

    @get("/health/live", summary="Is the process alive?", tags=["operations"])
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @get("/health/ready", summary="Does it take requests?", tags=["operations"])
    async def ready() -> dict[str, str]:
        failing = await readiness.failing()
        if failing:
            raise NotReady(failing=failing, retry_after_s=1)
        return {"status": "ready"}

    return [live, ready]
