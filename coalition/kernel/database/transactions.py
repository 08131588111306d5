"""One use case, one transaction: its settings, its refusals by constraint name, bounded retries."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from coalition.kernel.database.engine import Connection, bound_engine
from coalition.kernel.errors import Unavailable, refusal_for_constraint

Result = TypeVar("Result")

TENANT_ROLE = "coalition_tenant"
"""The database role under which row-level security shows one partner's rows only."""

ATTEMPTS = 6
FIRST_PAUSE_S = 0.02

_RETRYABLE_STATES = frozenset(
    {
        "40001",  # serialization failure
        "40P01",  # deadlock
        "55P03",  # lock not available in time
        "57P01",  # the server is shutting down
        "57P02",  # the server crashed
        "57P03",  # the server is starting up
    }
)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@asynccontextmanager
async def transaction(
    settings: Mapping[str, str] | None = None,
    *,
    role: str | None = None,
    partner_no: int | None = None,
) -> AsyncIterator[Connection]:
    """Join the transaction of this task or open one; yield its asyncpg connection.

    `settings`, `role` and `partner_no` (the tenant whose rows are visible under `TENANT_ROLE`) hold
    until the transaction ends, and only for one that is opened here. A constraint that stops a
    statement comes out as the `Refused` class that names it; other database errors come out as
    they are.
    """
    local = dict(settings or {})
    if role is not None:
        local["role"] = role
    if partner_no is not None:
        local["coalition.partner_no"] = str(partner_no)
    preamble = "".join(f"SET LOCAL {name} = {_quoted(value)};" for name, value in local.items())
    try:
        async with bound_engine().begin(preamble) as opened:
            yield opened.connection
    except asyncpg.IntegrityConstraintViolationError as error:
        refusal = refusal_for_constraint(error.constraint_name)
        if refusal is None:
            raise
        raise refusal from error


def is_passing(error: BaseException) -> bool:
    """Tell whether `error` may be gone at the next attempt: a lost race or a lost connection."""
    if isinstance(error, asyncpg.PostgresError):
        return error.sqlstate in _RETRYABLE_STATES or isinstance(
            error, asyncpg.PostgresConnectionError
        )
    return isinstance(error, asyncpg.InterfaceError | OSError | TimeoutError)


async def retrying(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run `work`, at most `ATTEMPTS` times while it fails by a lost race or a lost connection.

    After a lost connection it is unknown whether the transaction committed, so `work` must be
    idempotent: it runs under the same claim each time. Raises `Unavailable` when all attempts
    failed.
    """
    pause_s = FIRST_PAUSE_S
    for _ in range(ATTEMPTS - 1):
        try:
            return await work()
        except Exception as error:
            if not is_passing(error):
                raise
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries
        pause_s *= 3
    try:
        return await work()
    except Exception as error:
        if not is_passing(error):
            raise
        raise Unavailable(
            "The database did not answer in time; send the same request with the same key again"
        ) from error
