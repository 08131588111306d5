"""Partners that are founded while their clients are made."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg

from coalition.access import service
from coalition.kernel.database import Engine, transaction
from coalition.kernel.identity import SCOPES
from server import founding
from tests.support.http import ACTOR, TERMS

PATIENCE_S = 30


async def found(name: str, at: datetime) -> founding.Founded:
    return await founding.found_partner(name=name, terms=TERMS, earns=None, actor=ACTOR, at=at)


async def test_who_founds_a_partner_does_not_hold_the_log_while_waiting_to_make_its_client(
    database: Engine, at: datetime
) -> None:
    await founding.set_up_coalition(actor=ACTOR, at=at)
    first = await found("Handlarn", at)
    is_held = asyncio.Event()

    async def found_then() -> founding.Founded:
        await is_held.wait()
        return await found("Macken", at)

    second = asyncio.create_task(found_then())  # out here: a task begins in its maker's transaction
    watching = await database.get_new_connection()
    try:
        async with transaction() as connection:
            await service.hold_numbers(connection)
            is_held.set()
            await until(lambda: somebody_waits(watching))
            # The other order ended in a deadlock here.
            await service.create_client(
                partner_no=first.partner_no, name="till", scopes=SCOPES, actor=ACTOR, at=at
            )
        assert (await second).partner_no == first.partner_no + 1
    finally:
        await watching.close()


async def somebody_waits(connection: asyncpg.Connection) -> bool:
    return bool(
        await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    )


async def until(happens: Callable[[], Awaitable[bool]]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    while not await happens():
        assert loop.time() < deadline, "nobody waits for the lock"
        await asyncio.sleep(0.01)
