"""The database engine: Piccolo's on asyncpg, surviving a failed COMMIT and naming its isolation."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import asyncpg
from piccolo.conf.apps import AppConfig
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from coalition.kernel.database import piccolo_conf, spread
from coalition.kernel.database.arrays import use_fast_arrays

OLDEST_SERVER_VERSION = 150000

CONNECT_TIMEOUT_S = 5.0
"""How long the server may take to take a connection."""

STATEMENT_TIMEOUT_S = 600.0
"""How long a statement may take where nobody waits for it: proofs, migrations, nightly jobs."""

_CLOSE_TIMEOUT_S = 10.0

os.environ.setdefault("PICCOLO_CONF", piccolo_conf.__name__)


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A pooled connection that needs no reset between users.

    Session state is set by SET LOCAL only, so there is nothing to undo; asyncpg's reset would cost
    a round trip on every release.
    """

    def get_reset_query(self) -> str:
        """Return no statement: nothing outlives a transaction here."""
        return ""


class _ToNodes(Connection):
    """The same to a server that spreads its tables; its errors come as those of one server."""

    async def _execute(self, *arguments: Any, **named: Any) -> Any:  # Any: asyncpg's
        try:
            return await super()._execute(*arguments, **named)
        except asyncpg.PostgresError as error:
            raise spread.as_on_one_server(error) from error


# The last one: asyncpg has read that the server ended the session, and not understood it yet.
_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    asyncpg.InternalClientError,
)
_NO_MORE_OF_USE = (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError)


_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED;"


class Succession:
    """Transactions that follow each other: where another one waits, it begins as one commits.

    That saves a round trip, and the database is asked the next thing at once. All of them begin
    alike, and one at a time.
    """

    def __init__(self, has_next: Callable[[], bool]) -> None:
        """Begin none; `has_next` tells, as one commits, whether the next one is about to begin."""
        self._has_next = has_next
        self._begun: Any = None  # Any: asyncpg's pooled connection

    def wants(self) -> bool:
        """Tell whether the next transaction shall begin with the commit of this one."""
        return self._begun is None and self._has_next()

    def keep(self, connection: Any) -> None:  # Any: see above
        """Keep a connection on which the next transaction has begun."""
        self._begun = connection

    async def take(self, engine: "Engine") -> Any:  # Any: see above
        """Return the connection on which the next transaction has begun; None if there is none."""
        begun, self._begun = self._begun, None
        if begun is not None and begun.is_closed():
            await engine.release(begun)
            return None
        return begun

    async def end(self) -> None:
        """Give up what has begun, when nothing follows any more."""
        if self._begun is None:
            return
        engine = bound_engine()
        begun = await self.take(engine)
        if begun is not None:
            try:
                with contextlib.suppress(*_FAILURES):
                    await begun.execute("ROLLBACK")
            finally:
                await engine.release(begun)


class Transaction(PostgresTransaction):
    """Piccolo's transaction, except that the connection always goes back to the pool.

    Piccolo 1.38 leaks the connection when COMMIT or ROLLBACK itself fails: three failures empty a
    pool of three. Here the release stands in a `finally`, and BEGIN names the isolation level and
    carries the transaction's settings, in one round trip.

    A connection on which a statement was given up (timed out, cancelled) is thrown away: asyncpg
    would wait for the server to confirm the cancellation, on a dead wire for ever.
    """

    def __init__(
        self, engine: "Engine", preamble: str = "", succession: Succession | None = None
    ) -> None:
        """Prepare to join the outer transaction, or to begin one with `preamble` (SET LOCALs).

        Those of one `succession` have the same preamble.
        """
        super().__init__(engine)
        self._owner = engine
        self.connection: Any = None  # Any: asyncpg's pooled connection
        self.preamble = preamble
        self._succession = succession
        self._is_kept = False

    async def __aenter__(self) -> Self:
        """Join the outer transaction or begin one."""
        if self._parent is not None:
            return self._parent  # type: ignore[return-value]  # only this class begins transactions
        if self._succession is not None:
            self.connection = await self._succession.take(self._owner)
        if self.connection is None:
            await self._begin_anew()
        self.context = self.engine.current_transaction.set(self)
        return self

    async def _begin_anew(self) -> None:
        self.connection = await self.get_connection()  # type: ignore[no-untyped-call]  # Piccolo's
        try:
            await self.connection.execute(_BEGIN + self.preamble)
        except BaseException as error:
            await self._throw_away_if_given_up(error)
            await self._release()
            raise

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Commit, or roll back when an exception passes; release the connection in any case."""
        if self._parent is not None:
            return False
        try:
            await self._end(exception)
        except BaseException as error:
            await self._throw_away_if_given_up(error)
            # A failed COMMIT is the caller's to know. A failed ROLLBACK adds nothing to the
            # exception that is already on its way, and the server rolls back a lost session itself.
            if exception is None or not isinstance(error, _FAILURES):
                raise
        finally:
            self.engine.current_transaction.reset(self.context)
            if not self._is_kept:
                await self._release()
        return False

    async def _end(self, exception: BaseException | None) -> None:
        if exception is None:
            await self._commit()
            return
        await self._throw_away_if_given_up(exception)
        if not self.connection.is_closed():
            await self.connection.execute("ROLLBACK")

    async def _commit(self) -> None:
        if self._succession is None or not self._succession.wants():
            await self.connection.execute("COMMIT")
            return
        await self.connection.execute("COMMIT;" + _BEGIN + self.preamble)
        self._succession.keep(self.connection)
        self._is_kept = True

    async def _throw_away_if_given_up(self, error: BaseException) -> None:
        if not isinstance(error, _NO_MORE_OF_USE):
            return
        if not self.connection.is_closed():
            self.connection.terminate()
        if isinstance(error, TimeoutError) and self.engine.pool is not None:
            # The wire may be dead for the others too: each makes place for a new one.
            await self.engine.pool.expire_connections()

    async def _release(self) -> None:
        await self._owner.release(self.connection)


class Engine(PostgresEngine):
    """One database and its pool of connections."""

    def __init__(self, config: dict[str, Any]) -> None:  # Any: asyncpg's connect arguments
        """Describe the database by asyncpg's connect arguments; `open_database` connects."""
        super().__init__(config=config)
        self.spreads = False

    def suited(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return the SET LOCALs `settings` as this server can do with them."""
        return spread.suited(settings) if self.spreads else dict(settings)

    async def check_version(self) -> None:
        """Do nothing: Piccolo would connect inside the constructor; `open_database` checks."""

    async def prep_database(self) -> None:
        """Do nothing: no extensions are asked for."""

    def begin(self, preamble: str = "", succession: Succession | None = None) -> Transaction:
        """Return a transaction that runs the SET LOCAL statements of `preamble` as it begins."""
        return Transaction(self, preamble, succession)

    async def release(self, connection: Any) -> None:  # Any: asyncpg's pooled connection
        """Give a connection back to the pool, or close it where there is none."""
        if self.pool is not None:
            # asyncpg shields it: a task that is cancelled gives its connection back all the same.
            await self.pool.release(connection)
        else:
            await connection.close()

    def transaction(self, allow_nested: bool = True) -> Transaction:  # noqa: FBT001, FBT002 - Piccolo's
        """Return a transaction; Piccolo's own code (migrations, `atomic`) comes this way."""
        assert allow_nested, "inner transactions join the outer one"
        return Transaction(self)

    async def close(self) -> None:
        """Close the pool; in-flight work is waited for, but not for ever."""
        if self.pool is not None:
            with contextlib.suppress(TimeoutError):  # the pool has ended its connections then
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self.pool.close()
            self.pool = None
        if piccolo_conf.DB is self:
            piccolo_conf.DB = None


async def _prepare(connection: asyncpg.Connection) -> None:
    use_fast_arrays(connection)


async def _prepare_to_nodes(connection: asyncpg.Connection) -> None:
    await _prepare(connection)
    # asyncpg asks what an array is of when it first meets one. Among the settings of a posting that
    # takes Citus seconds, within a transaction that others wait for.
    await connection.fetchval(spread.ARRAYS)


class UnsupportedServerError(Exception):
    """The PostgreSQL server is older than what the product's SQL needs."""


async def open_database(
    url: str,
    *,
    apps: Sequence[AppConfig] = (),
    pool_size: int = 8,
    statement_cache_size: int = 256,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> Engine:
    """Connect to `url`, start the pool and bind the engine to the tables of `apps`.

    `statement_cache_size` 0 switches prepared statements off, for PgBouncer. A statement without an
    answer for `statement_timeout_s`, be it for a dead wire, fails with `TimeoutError`. Raises
    `UnsupportedServerError` for a server before PostgreSQL 15, and asyncpg's or the operating
    system's error when the server cannot be reached.
    """
    config = {
        "dsn": url,
        "statement_cache_size": statement_cache_size,
        "timeout": min(CONNECT_TIMEOUT_S, statement_timeout_s),
        "command_timeout": statement_timeout_s,
    }
    engine = Engine(config)
    await engine.start_connection_pool(
        min_size=1, max_size=pool_size, connection_class=Connection, init=_prepare
    )
    assert engine.pool is not None
    version = int(await engine.pool.fetchval("SHOW server_version_num"))
    if version < OLDEST_SERVER_VERSION:
        await engine.close()
        message = f"PostgreSQL {version // 10000} is too old; version 15 or later is needed"
        raise UnsupportedServerError(message)
    if await engine.pool.fetchval(spread.INSTALLED):
        await engine.pool.close()
        engine.pool, engine.spreads = None, True
        await engine.start_connection_pool(
            min_size=1, max_size=pool_size, connection_class=_ToNodes, init=_prepare_to_nodes
        )
    piccolo_conf.DB = engine
    for app in apps:
        for table in app.table_classes:
            table._meta.db = engine  # noqa: SLF001 - Piccolo's own way to set a table's engine
    return engine


def bound_engine() -> Engine:
    """Return the engine that `open_database` opened last in this process."""
    engine = piccolo_conf.DB
    assert isinstance(engine, Engine), "open_database comes first"
    return engine
