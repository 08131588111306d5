"""Partitions of postings and legs: one a month by the time in the posting's id, made on demand."""

from datetime import datetime
from uuid import UUID

from coalition.kernel.database import Engine, bound_engine

_TABLES = ("posting", "leg")

_made: set[tuple[str, int, int]] = set()


def _lower_bound(year: int, month: int, at: datetime) -> UUID:
    start = at.replace(year=year, month=month, day=1, hour=0, minute=0, second=0, microsecond=0)
    return UUID(int=int(start.timestamp() * 1000) << 80)


def _key(engine: Engine, at: datetime) -> tuple[str, int, int]:
    return str(engine.config["dsn"]), at.year, at.month


async def ensure_partition(at: datetime) -> None:
    """Make the partitions for postings made at `at` (UTC), unless this process knows of them.

    It uses a transaction of its own, so it is called before the one that posts. Two processes may
    do it at once.
    """
    engine = bound_engine()
    if _key(engine, at) in _made:
        return
    following = (at.year + at.month // 12, at.month % 12 + 1)
    low, high = _lower_bound(at.year, at.month, at), _lower_bound(*following, at)
    connection = await engine.get_new_connection()
    try:
        for table in _TABLES:
            # Creating takes a lock on the parent, so look first; the parent's lock makes two
            # processes that both saw nothing go one after the other, and the second finds it made.
            name = f"{table}_{at.year}_{at.month:02d}"
            if await connection.fetchval("SELECT to_regclass($1)", name) is None:
                async with connection.transaction():
                    await connection.execute(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE")
                    await connection.execute(
                        f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} "
                        f"FOR VALUES FROM ('{low}') TO ('{high}')"
                    )
    finally:
        await connection.close()
    _made.add(_key(engine, at))
