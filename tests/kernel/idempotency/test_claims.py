"""Idempotency keys: one effect, one answer; a refusal leaves the key free."""

import asyncio
from contextvars import Context
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from coalition.kernel import idempotency
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Conflict
from coalition.kernel.idempotency import Answer, Claim, ClaimTakenError, KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress, find, once, replay, store
from coalition.kernel.ids import bucket_of, digest16

pytestmark = pytest.mark.usefixtures("database")

CREATED = Answer(201, "text/plain", b"made")


class OnlyOne(Conflict):
    """There can be only one."""

    code = "only_one"


def claim(key: str = "k", body: bytes = b"body", client_no: int = 1) -> Claim:
    return Claim.of(client_no, key, "/things", body)


async def make_the_table() -> None:
    async with transaction() as connection:
        await connection.execute("CREATE TABLE thing (no int UNIQUE)")


async def things() -> int:
    async with transaction() as connection:
        found = await connection.fetchval("SELECT count(*) FROM thing")
    assert isinstance(found, int)
    return found


async def make_any(connection: Connection) -> Answer:
    await connection.execute("INSERT INTO thing VALUES (NULL)")
    return CREATED


async def make_the_only_one(connection: Connection) -> Answer:
    done = await connection.execute("INSERT INTO thing VALUES (1) ON CONFLICT DO NOTHING")
    if done == "INSERT 0 0":
        raise OnlyOne
    return CREATED


@pytest.mark.parametrize("text", ["k-17", "Åre/2", ""])
async def test_a_claim_keeps_the_digests_that_are_stored(text: str) -> None:
    laid = Claim.of(7, text, text, b"body")
    assert (laid.digest.bytes, laid.body_hash.bytes) == (digest16(7, text), digest16(text, b"body"))


async def test_the_second_time_gets_the_first_answer_byte_for_byte(at: datetime) -> None:
    await make_the_table()
    assert await once(claim(), at, make_any) == CREATED
    assert await once(claim(), at, make_any) == replace(CREATED, replayed=True)
    assert await things() == 1


async def test_a_key_belongs_to_its_client_address_and_body(at: datetime) -> None:
    await make_the_table()
    await once(claim(), at, make_any)
    with pytest.raises(KeyReused):
        await once(claim(body=b"other"), at, make_any)
    with pytest.raises(KeyReused):
        await once(Claim.of(1, "k", "/others", b"body"), at, make_any)
    assert not (await once(claim(client_no=2), at, make_any)).replayed
    assert not (await once(claim("k2"), at, make_any)).replayed
    assert await things() == 3


async def test_a_refusal_and_a_crash_leave_neither_claim_nor_effect(at: datetime) -> None:
    await make_the_table()

    async def refuse(connection: Connection) -> Answer:
        await make_any(connection)
        raise OnlyOne

    async def crash(connection: Connection) -> Answer:
        await make_any(connection)
        raise ZeroDivisionError

    with pytest.raises(OnlyOne):
        await once(claim(), at, refuse)
    with pytest.raises(ZeroDivisionError):
        await once(claim(), at, crash)
    assert await things() == 0
    assert not (await once(claim(), at, make_any)).replayed


async def test_one_key_sent_many_times_at_once_has_one_effect(at: datetime) -> None:
    await make_the_table()
    answers = await asyncio.gather(*(once(claim(), at, make_any) for _ in range(20)))
    assert {replace(answer, replayed=False) for answer in answers} == {CREATED}
    assert sum(not answer.replayed for answer in answers) == 1
    assert await things() == 1


async def test_who_is_refused_for_the_effect_of_its_own_key_gets_its_answer(at: datetime) -> None:
    await make_the_table()
    answers = await asyncio.gather(*(once(claim(), at, make_the_only_one) for _ in range(20)))
    assert {replace(answer, replayed=False) for answer in answers} == {CREATED}
    with pytest.raises(OnlyOne):
        await once(claim("another key"), at, make_the_only_one)


async def test_a_body_that_lost_the_race_for_its_key_is_told_so(at: datetime) -> None:
    await make_the_table()
    bodies = [b"%d" % number for number in range(10)]
    answers = await asyncio.gather(
        *(once(claim(body=body), at, make_the_only_one) for body in bodies), return_exceptions=True
    )
    assert sum(answer == CREATED for answer in answers) == 1
    assert sum(isinstance(answer, KeyReused) for answer in answers) == 9


async def test_a_key_that_stays_held_is_in_progress(at: datetime, database_url: str) -> None:
    await make_the_table()
    async with transaction() as connection:
        await store(connection, [(claim(), CREATED)], at)
        waiting = asyncio.create_task(_once_in_its_own_connection(at))
        with pytest.raises(RequestInProgress):
            await waiting


async def _once_in_its_own_connection(at: datetime) -> Answer:
    # A task inherits the transaction it is made in; this one is somebody else's request.
    return await asyncio.create_task(once(claim(), at, make_any, patience_ms=50), context=Context())


async def test_a_set_of_answers_is_stored_whole_or_not_at_all(at: datetime) -> None:
    first, second, third = claim("1"), claim("2"), claim("3")
    async with transaction() as connection:
        await store(connection, [(first, CREATED)], at)
        await store(connection, [], at)
    with pytest.raises(ClaimTakenError):
        async with transaction() as connection:
            await store(connection, [(second, CREATED), (first, CREATED)], at)
    async with transaction() as connection:
        found = await find(connection, [first, second, third])
    assert found.keys() == {first.digest}
    assert replay(second, found) is None
    assert replay(first, found) == replace(CREATED, replayed=True)
    assert isinstance(replay(replace(first, body_hash=second.digest), found), KeyReused)


async def test_answers_are_forgotten_by_age(at: datetime) -> None:
    await make_the_table()
    await once(claim("old"), at, make_any)
    await once(claim("new"), at + timedelta(hours=1), make_any)
    assert await idempotency.forget_before(at + timedelta(minutes=1)) == 1
    assert not (await once(claim("old"), at, make_any)).replayed
    assert (await once(claim("new"), at, make_any)).replayed


async def test_answers_of_all_buckets_are_forgotten(at: datetime) -> None:
    await make_the_table()
    claims = [claim(f"key {number}") for number in range(300)]
    async with transaction() as connection:
        await store(connection, [(one, CREATED) for one in claims], at)
    assert len({bucket_of(one.digest) // 32 for one in claims}) == 32, "in every range"
    assert await idempotency.forget_before(at) == 0
    assert await idempotency.forget_before(at + timedelta(seconds=1)) == 300
