"""Statements that wait for each other: all rows come with the one statement, or none of them."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from coalition.kernel import outbox
from coalition.kernel.database import Connection, Engine, transaction
from coalition.kernel.database.later import Later, write_counted
from coalition.kernel.ids import uuid7

pytestmark = pytest.mark.usefixtures("database")

_TABLES = """
CREATE TEMP TABLE one (a int, b int) ON COMMIT DROP;
CREATE TEMP TABLE two (c text) ON COMMIT DROP
"""
_MANY = "CREATE TEMP TABLE many (a int8, b text, c uuid, d timestamptz, e numeric) ON COMMIT DROP"
_ONE = "INSERT INTO one SELECT $2, * FROM unnest($1::int[])"
_TWO = "INSERT INTO two SELECT $1 || $2 || $3 || $4 || $5 || $6 || $7 || $8 || $9 || $10"


async def test_statements_of_many_parameters_are_executed_as_one() -> None:
    async with transaction() as connection:
        await connection.execute(_TABLES)
        later = Later()
        for number in (1, 2):
            await later.execute(_ONE, [10, 20], number)
            await later.execute(_TWO, *[f"{number}{letter}" for letter in "abcdefghij"])
        assert await connection.fetch("SELECT * FROM one") == []
        asked: list[str] = []
        connection.add_query_logger(lambda record: asked.append(record.query))
        await later.write(connection)
        await asyncio.sleep(0)  # the logger is called after the statement
        assert len(asked) == 1
        rows = [tuple(row) for row in await connection.fetch("SELECT * FROM one ORDER BY a, b")]
        assert rows == [(1, 10), (1, 20), (2, 10), (2, 20)]
        texts = await connection.fetch("SELECT c FROM two ORDER BY c")
        assert [row[0] for row in texts] == ["1a1b1c1d1e1f1g1h1i1j", "2a2b2c2d2e2f2g2h2i2j"]


async def test_nothing_collected_asks_nothing() -> None:
    async with transaction() as connection:
        asked: list[str] = []
        connection.add_query_logger(lambda record: asked.append(record.query))
        await Later().write(connection)
        await asyncio.sleep(0)
        assert asked == []


async def test_an_insert_that_is_refused_refuses_all(at: datetime) -> None:
    kept = outbox.Event("points.posted", {"points": 1})

    async def write_too_much() -> None:
        async with transaction() as connection:
            await connection.execute("CREATE TEMP TABLE few (a int CHECK (a < 3)) ON COMMIT DROP")
            later = Later()
            await outbox.append(later, [kept], at)
            await later.execute("INSERT INTO few SELECT unnest($1::int[])", [1, 2, 3])
            await later.write(connection)

    with pytest.raises(asyncpg.CheckViolationError):
        await write_too_much()
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
        later = Later()
        [made] = await outbox.append(later, [kept], at)
        await later.write(connection)
        assert await connection.fetchval("SELECT id FROM outbox") == made


_COUNTED = "CREATE TEMP SEQUENCE turn; CREATE TEMP TABLE done (name text, turn int) ON COMMIT DROP"
_DONE = "INSERT INTO done SELECT $1, nextval('turn') FROM generate_series(1, $2) RETURNING true"


class TooFewError(Exception):
    """What the tests let be raised."""


@pytest.mark.parametrize("spreads", [False, True])
async def test_what_is_counted_is_executed_in_its_order(database: Engine, *, spreads: bool) -> None:
    database.spreads = spreads
    later = Later()
    for name, rows in (("c", 2), ("a", 1), ("b", 1)):
        await later.execute("INSERT INTO done SELECT $1", f"plain {name}")
        await write_counted(later, rows, TooFewError(), _DONE, name, rows)
    async with transaction() as connection:
        await connection.execute(_COUNTED)
        await later.write(connection)
        assert await turns(connection) == ["c", "c", "a", "b"]
        assert await connection.fetchval("SELECT count(*) FROM done WHERE turn IS NULL") == 3


async def turns(connection: Connection) -> list[str]:
    rows = await connection.fetch("SELECT name FROM done WHERE turn IS NOT NULL ORDER BY turn")
    return [row[0] for row in rows]


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("spreads", [False, True])
async def test_who_returns_too_few_rows_raises_what_was_given_for_it(
    database: Engine, *, spreads: bool, waits: bool
) -> None:
    database.spreads = spreads

    async def write() -> None:
        async with transaction() as connection:
            await connection.execute(_COUNTED)
            later = Later()
            by = later if waits else connection
            await write_counted(by, 2, AssertionError("it returns two"), _DONE, "a", 2)
            await write_counted(by, 2, TooFewError("it returns one"), _DONE, "b", 1)
            await later.write(connection)

    with pytest.raises(TooFewError):
        await write()


def test_who_waits_for_the_commit_hears_of_it_when_it_is_told() -> None:
    later, heard = Later(), list[str]()
    later.when_committed(lambda: heard.append("one"))
    later.when_committed(lambda: heard.append("two"))
    assert heard == []
    later.committed()
    assert heard == ["one", "two"]


async def test_a_part_is_sent_at_once_and_the_rest_at_the_end() -> None:
    later = Later()
    async with transaction() as connection, later.in_parts():
        await connection.execute(_COUNTED)
        await write_counted(later, 1, TooFewError(), _DONE, "a", 1)
        await later.begin(connection)
        await write_counted(later, 1, TooFewError(), _DONE, "b", 1)
        await later.begin(connection)
        await later.execute("INSERT INTO done SELECT 'c', nextval('turn')")
        await later.settle()
        assert await turns(connection) == ["a", "b"]
        await later.begin(connection)
        assert await turns(connection) == ["a", "b"], "whoever has settled sends no part"
        await later.write(connection)
        assert await turns(connection) == ["a", "b", "c"]


@pytest.mark.parametrize("end", ["begin", "settle", "write"])
async def test_what_comes_after_a_part_raises_what_it_raised(end: str) -> None:
    later = Later()

    async def write() -> None:
        async with transaction() as connection, later.in_parts():
            await connection.execute(_COUNTED)
            await write_counted(later, 2, TooFewError("it returns one"), _DONE, "a", 1)
            await later.begin(connection)
            if end == "settle":
                await later.settle()
            else:
                await getattr(later, end)(connection)

    with pytest.raises(TooFewError):
        await write()


async def test_whatever_fails_no_part_is_under_way_afterwards() -> None:
    later = Later()

    async def fail(connection: Connection) -> None:
        async with later.in_parts():
            await later.execute("DO 'BEGIN PERFORM pg_sleep(0.1); END'")
            await later.begin(connection)
            raise ZeroDivisionError

    async with transaction() as connection:
        with pytest.raises(ZeroDivisionError):
            await fail(connection)
        assert await connection.fetchval("SELECT 1") == 1, "the connection is free"


@pytest.mark.parametrize("spreads", [False, True])
async def test_parts_are_sent_only_where_they_may(database: Engine, *, spreads: bool) -> None:
    database.spreads = spreads
    later = Later()
    async with transaction() as connection:
        await connection.execute(_COUNTED)
        await later.execute("INSERT INTO done SELECT 'a', nextval('turn')")
        await later.begin(connection)
        assert await turns(connection) == []
        async with later.in_parts():
            assert later.may_begin is not spreads
        await later.write(connection)
        assert await turns(connection) == ["a"]


async def test_long_arrays_that_follow_a_part_arrive_as_they_were_given(at: datetime) -> None:
    later, rows = Later(), range(300)
    arrays = (
        [*rows],
        [f"text {no}" for no in rows],
        [None if no % 2 else uuid7(at) for no in rows],
        [at + timedelta(microseconds=no) for no in rows],
        [Decimal(no) / 8 for no in rows],
    )
    async with transaction() as connection, later.in_parts():
        await connection.execute(_MANY)
        await later.execute("INSERT INTO many (a) SELECT 1 WHERE false")
        await later.begin(connection)
        await later.execute(
            "INSERT INTO many SELECT * FROM unnest($1::int8[], $2::text[], $3::uuid[], "
            "$4::timestamptz[], $5::numeric[])",
            *arrays,
        )
        await later.write(connection)
        kept = await connection.fetch("SELECT * FROM many ORDER BY a")
        assert [*zip(*map(tuple, kept), strict=True)] == [*map(tuple, arrays)]


async def test_a_wrong_value_in_a_long_array_is_refused_as_one_in_a_short_one() -> None:
    async def write(texts: list[str]) -> None:
        later = Later()
        async with transaction() as connection, later.in_parts():
            await connection.execute(_MANY)
            await later.execute("INSERT INTO many (a) SELECT 1 WHERE false")
            await later.begin(connection)
            await later.execute("INSERT INTO many (b) SELECT unnest($1::text[])", texts)
            await later.write(connection)

    for count in (1, 300):
        with pytest.raises(asyncpg.DataError):
            await write(["\ud800"] * count)
