"""Arrays of parameters arrive as they were given, by the codecs that write them by the column."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import asyncpg
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import uuid_from_bytes

pytestmark = pytest.mark.usefixtures("database")

_ONE = UUID("96391800-67dd-4187-bbc6-a4b4ec06880c")
_OTHER = uuid_from_bytes(bytes(range(16)))


@pytest.mark.parametrize(
    ("kind", "values", "text"),
    [
        ("int2", [1, -2, 32767], "{1,-2,32767}"),
        ("int2", [None, 7], "{NULL,7}"),
        ("int4", (2**31 - 1, -(2**31)), "{2147483647,-2147483648}"),
        ("int8", [2**63 - 1, -(2**63), 0], "{9223372036854775807,-9223372036854775808,0}"),
        ("int8", [None, None], "{NULL,NULL}"),
        ("uuid", [_ONE, _OTHER], f"{{{_ONE},{_OTHER}}}"),
        ("uuid", [str(_ONE), None], f"{{{_ONE},NULL}}"),
        ("text", ["", "Å", "x" * 300, None], '{"",Å,' + "x" * 300 + ",NULL}"),
        ("text", [], "{}"),
        ("bytea", [b"\x01" * 300, bytearray(b"\x02")], '{"\\\\x' + "01" * 300 + '","\\\\x02"}'),
    ],
)
async def test_an_array_is_written_and_read_as_it_is(
    kind: str, values: list[object], text: str
) -> None:
    async with transaction() as connection:
        written = await connection.fetchval(f"SELECT ($1::{kind}[])::text", values)
        read = await connection.fetchval(f"SELECT $1::{kind}[]", values)
    assert written == text
    given = [bytes(one) if isinstance(one, bytearray) else one for one in values]
    assert [str(one) for one in read] == [str(one) for one in given]


async def test_instants_are_written_and_read_in_whatever_zone() -> None:
    summer = timezone(timedelta(hours=2))
    given = [
        datetime(2026, 7, 1, 12, 30, 0, 123456, tzinfo=summer),
        None,
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ]
    async with transaction() as connection:
        read = await connection.fetchval("SELECT $1::timestamptz[]", given)
        each = await connection.fetch("SELECT * FROM unnest($1::timestamptz[])", given)
        with pytest.raises(asyncpg.DataError):
            await connection.execute("SELECT $1::timestamptz[]", ["2026-07-01"])
    assert read == given == [row[0] for row in each]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int2", [70_000]),
        ("int4", ["1"]),
        ("int4", [[1, 2], [3, 4]]),
        ("int4", 7),
        ("uuid", ["no id"]),
        ("text", [1]),
        ("text", "one text"),
        ("text", ["\ud800"]),
        ("bytea", [5]),
    ],
)
async def test_what_is_no_such_array_is_refused_before_it_is_sent(
    kind: str, values: object
) -> None:
    async with transaction() as connection:
        with pytest.raises(asyncpg.DataError):
            await connection.fetchval(f"SELECT $1::{kind}[]", values)
        assert await connection.fetchval("SELECT 1") == 1, "the connection is as it was"


async def test_ids_may_come_as_their_bytes() -> None:
    async with transaction() as connection:
        assert await connection.fetchval("SELECT $1::uuid[]", [_ONE.bytes]) == [_ONE]
        assert await connection.fetchval("SELECT $1::uuid[]", [None, _ONE.bytes]) == [None, _ONE]


async def test_nested_arrays_are_not_read() -> None:
    async with transaction() as connection:
        with pytest.raises(ValueError, match="one dimension"):
            await connection.fetchval("SELECT '{{1,2},{3,4}}'::int4[]")
