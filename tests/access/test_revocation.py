"""A revoked client or token stops at once where it was revoked, and elsewhere at the next look."""

import asyncio
import contextlib
from datetime import datetime, timedelta

import httpx
import pytest
from structlog.testing import capture_logs

from coalition.access import freshness, service
from coalition.kernel.database import Engine, transaction
from coalition.kernel.identity import InvalidToken, TokenVerifier
from tests.access.world import ACTOR, World, basic, new_client, new_verifier, new_world, part


async def give_back(
    world: World, token: str | None, headers: dict[str, str] | None = None
) -> httpx.Response:
    form = {"token_type_hint": "access_token"} | ({} if token is None else {"token": token})
    return await world.http.post(
        "/oauth/revoke", data=form, headers=world.basic if headers is None else headers
    )


def is_good(verifier: TokenVerifier, token: str, at: datetime) -> bool:
    with contextlib.suppress(InvalidToken):
        verifier.verify(token, at)
        return True
    return False


async def test_a_revoked_client_stops_at_once_here_and_at_the_next_look_elsewhere(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    elsewhere = await new_verifier(at)
    token = await world.token()
    assert is_good(world.verifier, token, at)
    assert is_good(elsewhere, token, at)

    await service.revoke_client(world.client.client_id, actor=ACTOR, at=at, verifier=world.verifier)

    assert not is_good(world.verifier, token, at)
    assert is_good(elsewhere, token, at)
    await freshness.refresh(elsewhere, at)
    assert not is_good(elsewhere, token, at)


async def test_a_process_that_starts_later_knows_who_was_revoked(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    token = await world.token()
    await service.revoke_client(world.client.client_id, actor=ACTOR, at=at)

    later = at + timedelta(minutes=14)

    assert not is_good(await new_verifier(later), token, later)


async def test_a_refresh_that_began_before_a_revocation_does_not_undo_it(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    token = await world.token()
    world.verifier.revoke_client(world.client.client_no, until=at + timedelta(minutes=16))

    await freshness.refresh(world.verifier, at)

    assert not is_good(world.verifier, token, at)


async def test_a_token_given_back_stops_and_another_does_not(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    elsewhere = await new_verifier(at)
    given_back, kept = await world.token(), await world.token()

    answer = await give_back(world, given_back)

    assert (answer.status_code, answer.content) == (200, b"")
    assert not is_good(world.verifier, given_back, at)
    assert is_good(world.verifier, kept, at)
    await freshness.refresh(elsewhere, at)
    assert not is_good(elsewhere, given_back, at)
    assert is_good(elsewhere, kept, at)
    assert (await give_back(world, given_back)).status_code == 200


async def test_a_token_that_is_void_anyway_may_be_given_back(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    token = await world.token()
    world.clock.advance(timedelta(hours=1))

    for void in (token, "junk", "a.b.c", "x" * 8000):
        assert (await give_back(world, void)).status_code == 200


async def test_a_token_of_another_client_is_not_taken_back(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    token = await world.token()
    other = await new_client(at, partner_no=world.partner_no)

    answer = await give_back(world, token, basic(other.client_id, other.client_secret))

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert is_good(world.verifier, token, at)


async def test_who_gives_back_must_prove_itself_and_name_the_token(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    token = await world.token()

    stranger = await give_back(world, token, {})
    forgetful = await give_back(world, None)

    assert (stranger.status_code, stranger.json()["error"]) == (401, "invalid_client")
    assert (forgetful.status_code, forgetful.json()["error"]) == (400, "invalid_request")
    assert is_good(world.verifier, token, at)


async def test_revocations_of_ended_tokens_are_dropped(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    old = await world.token()
    await give_back(world, old)
    world.clock.advance(timedelta(minutes=20))
    new = await world.token()
    await give_back(world, new)

    async with transaction() as connection:
        kept = await connection.fetch("SELECT token_id FROM revocation")

    assert [row["token_id"] for row in kept] == [part(new, 1)["jti"]]


async def test_the_verifier_is_kept_fresh_until_the_task_is_cancelled(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    token = await world.token()
    elsewhere = await new_verifier(at)
    await service.revoke_client(world.client.client_id, actor=ACTOR, at=at)

    task = asyncio.create_task(freshness.keep_fresh(elsewhere, world.clock))
    async with asyncio.timeout(10):
        while is_good(elsewhere, token, at):
            async with transaction() as connection:
                await connection.execute("SELECT 1")
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_database_that_fails_does_not_end_the_refreshing(
    database: Engine, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await new_world(at)
    token = await world.token()
    await service.revoke_client(world.client.client_id, actor=ACTOR, at=at)
    monkeypatch.setattr(freshness, "REFRESH_S", 0)
    async with transaction() as connection:
        await connection.execute("ALTER TABLE revocation RENAME TO hidden")

    with capture_logs() as logged:
        task = asyncio.create_task(freshness.keep_fresh(world.verifier, world.clock))
        async with asyncio.timeout(10):
            while len(logged) < 2:
                async with transaction() as connection:
                    await connection.execute("SELECT 1")
    assert logged[0]["event"] == "tokens_not_refreshed"
    assert is_good(world.verifier, token, at)
    async with transaction() as connection:
        await connection.execute("ALTER TABLE hidden RENAME TO revocation")
    async with asyncio.timeout(10):
        while is_good(world.verifier, token, at):
            async with transaction() as connection:
                await connection.execute("SELECT 1")

    assert not task.done()
    task.cancel()
