"""Signing keys are published before they sign, trusted until their tokens end, and sealed."""

import asyncio
from datetime import datetime, timedelta

import pytest

from coalition.access import freshness, signing_keys
from coalition.access.refusals import RotationUnderWay
from coalition.access.signing import SealBrokenError, new_signing_key, open_signing_key, thumbprint
from coalition.access.signing_keys import (
    LONGEST_SIGNED,
    PUBLISHED_AHEAD,
    ROTATED_EVERY,
    ensure_signing_key,
)
from coalition.kernel.database import Engine, transaction
from coalition.kernel.identity import InvalidToken
from tests.access.world import ACTOR, SETTINGS, World, logged_actions, new_world, part

MASTER = SETTINGS.master_key


async def published(world: World) -> list[str]:
    await freshness.refresh(world.verifier, world.clock.now())
    answer = await world.http.get("/.well-known/jwks.json")
    return [key["kid"] for key in answer.json()["keys"]]


async def signed_by(world: World) -> str:
    return str(part(await world.token(), 0)["kid"])


async def private_halves() -> dict[str, bytes | None]:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT kid, private_key FROM signing_key")
    return {row["kid"]: row["private_key"] for row in rows}


async def test_a_key_is_published_before_it_signs_and_kept_until_its_tokens_end(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    [old] = await published(world)

    rotated = await signing_keys.rotate_signing_key(master_key=MASTER, actor=ACTOR, at=at)

    assert rotated.signs_from == at + PUBLISHED_AHEAD
    assert await published(world) == [old, rotated.kid]
    assert await signed_by(world) == old

    world.clock.advance(PUBLISHED_AHEAD - timedelta(seconds=1))
    last_of_old = await world.token()
    assert part(last_of_old, 0)["kid"] == old
    world.clock.advance(timedelta(seconds=1))
    assert await signed_by(world) == rotated.kid

    end = world.clock.advance(timedelta(minutes=14, seconds=58))
    assert await published(world) == [old, rotated.kid]
    world.verifier.verify(last_of_old, end)
    # What tills check by themselves, entitlements, lives for some hours.
    world.clock.advance(LONGEST_SIGNED)
    assert await published(world) == [old, rotated.kid]
    world.clock.advance(timedelta(minutes=30))
    assert await published(world) == [rotated.kid]
    assert await signed_by(world) == rotated.kid


async def test_the_private_half_of_an_ended_key_is_wiped(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    [old] = await published(world)
    new = await signing_keys.rotate_signing_key(master_key=MASTER, actor=ACTOR, at=at)

    await ensure_signing_key(master_key=MASTER, at=at + PUBLISHED_AHEAD)
    assert (await private_halves())[old] is not None
    await ensure_signing_key(master_key=MASTER, at=at + timedelta(hours=5))

    halves = await private_halves()
    assert halves[old] is None
    assert halves[new.kid] is not None


async def test_a_second_rotation_waits_for_the_first(database: Engine, at: datetime) -> None:
    await new_world(at)
    first = await signing_keys.rotate_signing_key(master_key=MASTER, actor=ACTOR, at=at)

    with pytest.raises(RotationUnderWay) as refused:
        await signing_keys.rotate_signing_key(master_key=MASTER, actor=ACTOR, at=at)
    assert refused.value.facts == {"signs_from": first.signs_from}

    later = first.signs_from
    second = await signing_keys.rotate_signing_key(master_key=MASTER, actor=ACTOR, at=later)
    assert second.signs_from == later + PUBLISHED_AHEAD


async def test_a_compromised_key_is_replaced_at_once_and_its_tokens_are_void(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    [old] = await published(world)
    token = await world.token()
    await signing_keys.rotate_signing_key(master_key=MASTER, actor=ACTOR, at=at)

    replaced = await signing_keys.rotate_signing_key(
        master_key=MASTER, actor=ACTOR, at=at, is_compromised=True
    )

    assert replaced.signs_from == at
    assert await published(world) == [replaced.kid]
    assert await signed_by(world) == replaced.kid
    with pytest.raises(InvalidToken):
        world.verifier.verify(token, at)
    assert (await private_halves())[old] is None


async def test_a_key_that_has_signed_for_long_is_rotated_by_itself(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    world.clock.advance(ROTATED_EVERY - timedelta(seconds=1))
    await ensure_signing_key(master_key=MASTER, at=world.clock.now())
    assert len(await published(world)) == 1

    due = world.clock.advance(timedelta(seconds=1))
    await asyncio.gather(*(ensure_signing_key(master_key=MASTER, at=due) for _ in range(3)))

    assert len(await published(world)) == 2


async def test_processes_that_start_together_make_one_key(database: Engine, at: datetime) -> None:
    await asyncio.gather(*(ensure_signing_key(master_key=MASTER, at=at) for _ in range(5)))

    assert len(await private_halves()) == 1


async def test_another_master_key_is_noticed_at_the_start(database: Engine, at: datetime) -> None:
    await new_world(at)

    with pytest.raises(SealBrokenError, match="COALITION_MASTER_KEY"):
        await ensure_signing_key(master_key=bytes(32), at=at)


async def test_making_and_rotating_keys_is_in_the_audit_log(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    [first] = await published(world)
    second = await signing_keys.rotate_signing_key(master_key=MASTER, actor=ACTOR, at=at)
    third = await signing_keys.rotate_signing_key(
        master_key=MASTER, actor=ACTOR, at=at, is_compromised=True
    )

    logged = [row for row in await logged_actions() if row[1].startswith("signing_key")]

    assert logged == [
        ("system:access", "signing_key.published", f"signing_key:{first}"),
        (ACTOR, "signing_key.published", f"signing_key:{second.kid}"),
        (ACTOR, "signing_key.replaced", f"signing_key:{third.kid}"),
    ]


def test_a_sealed_key_opens_under_its_own_name_and_master_key_only() -> None:
    one, other = new_signing_key(MASTER), new_signing_key(MASTER)

    opened = open_signing_key(one.kid, one.private_key, master_key=MASTER)

    assert opened.private_key.public_key().public_bytes_raw() == one.public_key
    spoiled = one.private_key[:-1] + bytes([one.private_key[-1] ^ 1])
    for kid, sealed, master in (
        (one.kid, one.private_key, bytes(32)),
        (other.kid, one.private_key, MASTER),
        (one.kid, spoiled, MASTER),
        (one.kid, one.private_key[:20], MASTER),
    ):
        with pytest.raises(SealBrokenError):
            open_signing_key(kid, sealed, master_key=master)


def test_the_private_half_is_not_in_what_is_stored() -> None:
    new = new_signing_key(MASTER)
    raw = open_signing_key(new.kid, new.private_key, master_key=MASTER).private_key

    assert raw.private_bytes_raw() not in new.private_key


def test_the_name_of_a_key_is_its_thumbprint() -> None:
    # RFC 8037 appendix A.3 gives the thumbprint of the key of appendix A.2.
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
