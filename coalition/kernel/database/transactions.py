"""One use case, one transaction: its settings, its refusals by constraint name, bounded retries."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import count
from typing import TypeVar

import asyncpg

from coalition.kernel.database.engine import Connection, Succession, bound_engine
from coalition.kernel.errors import Unavailable, refusal_for_constraint

Result = TypeVar("Result")

TENANT_ROLE = "coalition_tenant"
"""The database role under which row-level security shows one partner's rows only."""

ATTEMPTS = 6
FIRST_PAUSE_S = 0.02

LONGEST_S = 12.0
"""After so long no further attempt begins: whoever waits has given up, or soon will."""

_LOST_RACES = frozenset(
    {
        "40001",  # serialization failure
        "40P01",  # deadlock
        "55P03",  # lock not available in time
    }
)
_STARTING_OR_STOPPING = frozenset(
    {
        "57P01",  # the server is shutting down
        "57P02",  # the server crashed
        "57P03",  # the server is starting up
    }
)
# Out of memory, disk or connections; cancelled, by a time-out or an operator; disks that fail.
_OUTAGE_CLASSES = frozenset({"53", "57", "58"})
_READ_ONLY = "25006"  # a standby after a failover


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@lru_cache(maxsize=1024)
def _preamble(settings: tuple[tuple[str, str], ...]) -> str:
    return "".join(f"SET LOCAL {name} = {_quoted(value)};" for name, value in settings)


@asynccontextmanager
async def transaction(
    settings: Mapping[str, str] | None = None,
    *,
    role: str | None = None,
    partner_no: int | None = None,
    succession: Succession | None = None,
) -> AsyncIterator[Connection]:
    """Join the transaction of this task or open one; yield its asyncpg connection.

    `settings`, `role` and `partner_no` (the tenant whose rows are visible under `TENANT_ROLE`) hold
    until the transaction ends, and only for one that is opened here; all of one `succession` have
    the same. A constraint that stops a statement comes out as the `Refused` class that names it;
    other database errors come out as they are.
    """
    engine = bound_engine()
    local = engine.suited(settings or {})
    if role is not None:
        local["role"] = role
    if partner_no is not None:
        local["coalition.partner_no"] = str(partner_no)
    try:
        async with engine.begin(_preamble(tuple(local.items())), succession) as opened:
            yield opened.connection
    except asyncpg.IntegrityConstraintViolationError as error:
        refusal = refusal_for_constraint(error.constraint_name)
        if refusal is None:
            raise
        raise refusal from error


def is_passing(error: BaseException) -> bool:
    """Tell whether `error` may be gone at the next attempt: a lost race or a lost connection."""
    return _is_lost_connection(error) or _is_lost_race(error)


def is_lock_timeout(error: BaseException) -> bool:
    """Tell whether another session held what was needed for longer than `lock_timeout`."""
    return isinstance(error, asyncpg.LockNotAvailableError)


def is_outage(error: BaseException) -> bool:
    """Tell whether `error` is the database's state and not the request's: others meet it too."""
    state = getattr(error, "sqlstate", None) or ""
    return (
        isinstance(error, Unavailable)
        or _is_lost_connection(error)
        or state[:2] in _OUTAGE_CLASSES
        or state == _READ_ONLY
    )


def _is_lost_race(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) in _LOST_RACES


def _is_lost_connection(error: BaseException) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return (
            isinstance(error, asyncpg.PostgresConnectionError)
            or error.sqlstate in _STARTING_OR_STOPPING
        )
    # An InternalClientError: asyncpg has read the session's end but not understood it yet.
    return isinstance(
        error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError | TimeoutError
    )


async def retrying(
    work: Callable[[], Awaitable[Result]],
    *,
    unless: tuple[type[Exception], ...] = (),
    is_idempotent: bool = True,
) -> Result:
    """Run `work`, at most `ATTEMPTS` times while it fails by a lost race or a lost connection.

    After a lost connection it is unknown whether the transaction committed: only work that is
    idempotent, by the same claim each time, runs again then. Raises `Unavailable` when all attempts
    failed or `LONGEST_S` are over, and a failure of the kinds `unless` at once.
    """
    clock = asyncio.get_running_loop()
    deadline = clock.time() + LONGEST_S
    for attempt in count(1):
        try:
            return await work()
        except unless:
            raise
        except Exception as error:
            may_pass = is_passing if is_idempotent else _is_lost_race
            if not may_pass(error):
                raise
            if attempt == ATTEMPTS or clock.time() > deadline:
                raise Unavailable(_ASK_AGAIN, retry_after_s=1) from error
        pause_s = FIRST_PAUSE_S * 3 ** (attempt - 1)
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries
    raise AssertionError("the last attempt returns or raises")


async def retrying_own(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run `work`, which need not be idempotent, anew after each lost race, as `retrying` does.

    As part of the caller's transaction it runs once: with a lost race all of that is undone, and
    only the caller can begin it anew.
    """
    if bound_engine().transaction_exists():
        return await work()
    return await retrying(work, is_idempotent=False)


_ASK_AGAIN = "The database did not answer in time; send the same request with the same key again"
