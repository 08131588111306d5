"""The audit log keeps what was recorded, and says where it was touched."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from decimal import Decimal

import asyncpg
import msgspec
import pytest

from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import random_id
from coalition.oversight import audit_log
from coalition.oversight.audit_log import Breach, BreachKind, Head


async def record(at: datetime, *, number: int = 0) -> int:
    async with transaction() as connection:
        return await audit_log.record(
            connection,
            actor="staff:anna",
            action="partner.suspended",
            subject=f"partner:{number}",
            facts={"reason": 'unpaid "since" öre', "number": number},
            at=at + timedelta(microseconds=number),
        )


async def record_five(at: datetime) -> None:
    for number in range(5):
        await record(at, number=number)


async def breaches(anchor: Head | None = None) -> list[Breach]:
    async with transaction() as connection:
        return await audit_log.verify(connection, anchor=anchor)


async def execute(statement: str) -> None:
    async with transaction() as connection:
        await connection.execute(statement)


async def test_an_empty_log_is_whole(database: Engine) -> None:
    assert await breaches() == []


async def test_what_was_recorded_is_whole(database: Engine, at: datetime) -> None:
    await record_five(at)
    assert await breaches() == []


@pytest.mark.parametrize(
    "change",
    [
        "at = at + interval '1 microsecond'",
        "actor = 'staff:bo'",
        "action = 'partner.reactivated'",
        "subject = 'partner:9'",
        "facts = '{}'",
        "actor = actor || action, action = ' '",
    ],
)
async def test_a_changed_row_is_found(database: Engine, at: datetime, change: str) -> None:
    await record_five(at)
    await execute(f"UPDATE audit_log SET {change} WHERE no = 3")
    assert await breaches() == [Breach(3, BreachKind.ALTERED)]


async def test_a_row_changed_together_with_its_hash_is_found(
    database: Engine, at: datetime
) -> None:
    await record_five(at)
    await execute("UPDATE audit_log SET hash = sha256('other') WHERE no = 3")
    assert await breaches() == [Breach(3, BreachKind.ALTERED), Breach(4, BreachKind.UNLINKED)]


async def test_a_removed_row_is_found(database: Engine, at: datetime) -> None:
    await record_five(at)
    await execute("DELETE FROM audit_log WHERE no = 3")
    assert await breaches() == [Breach(4, BreachKind.UNLINKED)]


async def test_the_first_row_removed_is_found(database: Engine, at: datetime) -> None:
    await record_five(at)
    await execute("DELETE FROM audit_log WHERE no = 1")
    assert await breaches() == [Breach(2, BreachKind.UNLINKED)]


@pytest.mark.parametrize("first_gone", [1, 5])
async def test_rows_removed_at_the_end_are_found(
    database: Engine, at: datetime, first_gone: int
) -> None:
    await record_five(at)
    await execute(f"DELETE FROM audit_log WHERE no >= {first_gone}")
    assert await breaches() == [Breach(5, BreachKind.HEAD_DIFFERS)]


async def test_a_row_added_past_the_head_is_found(database: Engine, at: datetime) -> None:
    await record_five(at)
    await execute(
        "INSERT INTO audit_log SELECT 6, at, actor, action, subject, facts, hash, sha256('new')"
        " FROM audit_log WHERE no = 5"
    )
    assert await breaches() == [Breach(5, BreachKind.HEAD_DIFFERS), Breach(6, BreachKind.ALTERED)]


async def test_a_lost_head_is_found(database: Engine, at: datetime) -> None:
    await record_five(at)
    await execute("DELETE FROM audit_log_head")
    assert await breaches() == [Breach(5, BreachKind.HEAD_DIFFERS)]
    with pytest.raises(AssertionError, match="lost its head"):
        await record(at)


async def test_a_chain_rewritten_as_a_whole_is_found_by_a_head_kept_elsewhere(
    database: Engine, at: datetime
) -> None:
    await record_five(at)
    async with transaction() as connection:
        kept = await audit_log.head(connection)
    assert await breaches(anchor=kept) == []
    await execute("DELETE FROM audit_log")
    await execute(
        "UPDATE audit_log_head SET last_no = 0, last_hash = decode(repeat('00', 32), 'hex')"
    )
    for number in range(6):
        await record(at, number=number + 1)
    assert await breaches() == []
    assert await breaches(anchor=kept) == [Breach(5, BreachKind.ANCHOR_DIFFERS)]


async def test_the_anchor_of_an_empty_log_proves_nothing_and_harms_nothing(
    database: Engine, at: datetime
) -> None:
    async with transaction() as connection:
        kept = await audit_log.head(connection)
    await record_five(at)
    assert await breaches(anchor=kept) == []


async def test_an_act_that_is_rolled_back_leaves_no_row(database: Engine, at: datetime) -> None:
    await record(at)

    async def act_and_fail() -> None:
        async with transaction():
            await record(at)
            raise LookupError

    with pytest.raises(LookupError):
        await act_and_fail()
    assert await record(at) == 2
    assert await breaches() == []


async def test_acts_at_the_same_time_make_one_chain(database: Engine, at: datetime) -> None:
    numbers = await asyncio.gather(*(record(at, number=number) for number in range(24)))
    assert sorted(numbers) == list(range(1, 25))
    assert await breaches() == []


async def test_a_row_outside_a_transaction_is_a_mistake_of_ours(
    database: Engine, at: datetime
) -> None:
    connection = await database.get_new_connection()
    try:
        with pytest.raises(AssertionError, match="lives and dies"):
            await audit_log.record(connection, actor="a", action="b", subject="c", facts={}, at=at)
    finally:
        await connection.close()


async def execute_as(role_setup: str, statement: str) -> None:
    async with transaction() as connection:
        await connection.execute(role_setup)
        await connection.execute("SET LOCAL ROLE coalition_tenant")
        await connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"],
)
@pytest.mark.parametrize(
    "role_setup",
    [
        "SELECT 1",
        "GRANT SELECT, INSERT ON audit_log TO coalition_tenant",
        "ALTER TABLE audit_log OWNER TO coalition_tenant",
    ],
    ids=["a tenant", "a reader and writer", "the owner"],
)
async def test_nobody_may_change_or_remove_a_row(
    database: Engine, at: datetime, role_setup: str, statement: str
) -> None:
    await record_five(at)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute_as(role_setup, statement)
    assert await breaches() == []


async def test_no_role_but_the_owner_has_any_right(database: Engine) -> None:
    async with transaction() as connection:
        rights = await connection.fetch(
            """
            SELECT table_name, grantee, privilege_type FROM information_schema.role_table_grants
            WHERE table_name IN ('audit_log', 'audit_log_head', 'approval')
              AND grantee <> (SELECT tableowner FROM pg_tables WHERE tablename = table_name)
            """
        )
    assert rights == []


async def test_an_exported_log_can_be_verified_from_its_lines_alone(
    database: Engine, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "_EXPORT_ROWS", 2)
    await record_five(at)
    async with transaction() as connection:
        lines = [line async for line in audit_log.export(connection)]
        later = [line async for line in audit_log.export(connection, after_no=3)]
    assert later == lines[3:]
    previous = audit_log.FIRST_HASH
    for no, line in enumerate(lines, start=1):
        assert line.endswith(b"\n")
        row = msgspec.json.decode(line)
        assert (row["no"], bytes.fromhex(row["previous_hash"])) == (no, previous)
        previous = audit_log.row_hash(
            no=row["no"],
            at=datetime.fromisoformat(row["at"]),
            actor=row["actor"],
            action=row["action"],
            subject=row["subject"],
            facts=row["facts"],
            previous_hash=previous,
        )
        assert row["hash"] == previous.hex()


def test_facts_have_one_text() -> None:
    identifier = random_id()
    facts = {"b": Decimal("1.50"), "a": [identifier, None, True], "ö": "öre"}
    text = f'{{"a":["{identifier}",null,true],"b":"1.50","ö":"öre"}}'
    assert audit_log.canonical_json(facts) == text
    assert audit_log.canonical_json(dict(reversed(facts.items()))) == text


@pytest.mark.parametrize("facts", [{"a": 1.5}, {"a": [{"b": (1.5,)}]}, {"a": {1.5}}])
def test_a_float_is_no_fact(facts: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match="Decimal"):
        audit_log.canonical_json(facts)


def test_the_hash_of_a_row_is_sha_256_over_its_framed_content(at: datetime) -> None:
    microseconds = int(at.timestamp()) * 1_000_000
    expected = hashlib.sha256(
        bytes(32)
        + (7).to_bytes(8, "big")
        + microseconds.to_bytes(8, "big")
        + b"\0\0\0\1a\0\0\0\2bb\0\0\0\3ccc\0\0\0\2{}"
    ).digest()
    found = audit_log.row_hash(
        no=7, at=at, actor="a", action="bb", subject="ccc", facts="{}", previous_hash=bytes(32)
    )
    assert found == expected
