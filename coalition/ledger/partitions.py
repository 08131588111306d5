"""Partitions of postings and legs: one a month by the time in the posting's id, made on demand."""

from datetime import UTC, datetime
from uuid import UUID

from coalition.kernel.database import Connection, Engine, bound_engine

_TABLES = ("posting", "leg")

_made: set[tuple[str, int, int]] = set()


def _lower_bound(year: int, month: int, at: datetime) -> UUID:
    start = at.replace(year=year, month=month, day=1, hour=0, minute=0, second=0, microsecond=0)
    return UUID(int=int(start.timestamp() * 1000) << 80)


def _key(engine: Engine, at: datetime) -> tuple[str, int, int]:
    return str(engine.config["dsn"]), at.year, at.month


async def ensure_partition(at: datetime) -> None:
    """Make the partitions for postings made at `at`, unless this process knows of them.

    It uses a transaction of its own, so it is called before the one that posts. Two processes may
    do it at once.
    """
    engine = bound_engine()
    at = at.astimezone(UTC)  # the time in an id is UTC, so the month is that of UTC too
    if _key(engine, at) in _made:
        return
    following = (at.year + at.month // 12, at.month % 12 + 1)
    low, high = _lower_bound(at.year, at.month, at), _lower_bound(*following, at)
    connection = await engine.get_new_connection()
    try:
        for table in _TABLES:
            name = f"{table}_{at.year}_{at.month:02d}"
            async with connection.transaction():
                await _make(connection, table, name, f"FROM ('{low}') TO ('{high}')")
    finally:
        await connection.close()
    _made.add(_key(engine, at))


async def _make(connection: Connection, table: str, name: str, values: str) -> None:
    """Make a partition of `table` unless it is there.

    Made apart and attached, it does not wait for those who read the table (an audit may take
    minutes), nor does anybody who posts wait behind it. The lock makes two processes that both saw
    nothing go one after the other; the second then finds it made.
    """
    if await connection.fetchval("SELECT to_regclass($1)", name) is not None:
        return
    await connection.execute(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE")
    if await connection.fetchval("SELECT to_regclass($1)", name) is None:
        # Two statements: Citus repeats the text of one on every node.
        await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        await connection.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {values}")
