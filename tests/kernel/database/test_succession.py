"""Transactions that follow each other on one connection: the next begins as one commits."""

import asyncio

import asyncpg
import pytest

from coalition.kernel.database import retrying, transaction
from coalition.kernel.database.engine import Succession, bound_engine

pytestmark = pytest.mark.usefixtures("database")

_SETTINGS = {"lock_timeout": "1234ms"}


async def _table() -> None:
    async with transaction() as connection:
        await connection.execute("CREATE TABLE number (no int CHECK (no < 10))")


class _Following:
    """A succession with as many transactions to come as `left` says."""

    def __init__(self) -> None:
        self.left = 0
        self.succession = Succession(lambda: self.left > 0)

    async def add(self, no: int) -> int:
        """Add `no` in a transaction of its own; return the process that served it."""
        async with transaction(_SETTINGS, succession=self.succession) as connection:
            await connection.execute("INSERT INTO number VALUES ($1)", no)
            assert await connection.fetchval("SHOW lock_timeout") == "1234ms"
            served_by: int = await connection.fetchval("SELECT pg_backend_pid()")
        return served_by


@pytest.fixture
def following() -> _Following:
    return _Following()


async def _numbers() -> list[int]:
    async with transaction() as connection:
        return [row[0] for row in await connection.fetch("SELECT no FROM number ORDER BY no")]


def _idle() -> int:
    pool = bound_engine().pool
    assert pool is not None
    idle: int = pool.get_idle_size()
    return idle


async def test_the_next_one_begins_with_the_commit(following: _Following) -> None:
    await _table()
    said: list[str] = []

    def listen(record: asyncpg.connection.LoggedQuery) -> None:
        said.append(record.query)

    async with transaction(_SETTINGS, succession=following.succession) as connection:
        connection.add_query_logger(listen)
        await connection.execute("INSERT INTO number VALUES (1)")
        following.left = 1
    assert await _numbers() == [1]
    following.left = 0
    await following.add(2)
    await asyncio.sleep(0)  # the logger is called after the statement
    ends = [query for query in said if "COMMIT" in query or "BEGIN" in query]
    assert [end[:13] for end in ends] == ["COMMIT;BEGIN ", "COMMIT"]
    assert await _numbers() == [1, 2]


async def test_one_that_fails_leaves_nothing_and_the_next_begins_anew(
    following: _Following,
) -> None:
    await _table()
    following.left = 2
    await following.add(1)
    with pytest.raises(asyncpg.CheckViolationError):
        await following.add(10)
    following.left = 0
    await following.add(3)
    assert await _numbers() == [1, 3]


async def test_a_lost_connection_is_not_taken_for_the_next_one(
    following: _Following,
) -> None:
    await _table()
    following.left = 1
    served_by = await following.add(1)
    async with transaction() as connection:
        assert connection.get_server_pid() != served_by
        await connection.execute("SELECT pg_terminate_backend($1, 5000)", served_by)
    following.left = 0
    # The end of the session may be told to who uses it next, and then it is tried again.
    assert await retrying(lambda: following.add(2)) != served_by
    assert await _numbers() == [1, 2]


async def test_what_has_begun_is_given_up_at_the_end(following: _Following) -> None:
    await _table()
    following.left = 1
    await following.add(1)
    before = _idle()
    await following.succession.end()
    await following.succession.end()
    assert _idle() == before + 1
    async with transaction() as connection:
        assert (
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                " AND datname = current_database() AND pid <> pg_backend_pid()"
            )
            == 0
        )
