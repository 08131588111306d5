"""Clients, their secrets and keys are made, limited, revoked and logged."""

import asyncio
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from coalition.access import service
from coalition.access.credentials import hash_of
from coalition.access.refusals import (
    ClientNotFound,
    ClientRevoked,
    CredentialNotFound,
    DuplicateKey,
    InvalidClientName,
    InvalidSecretExpiry,
    TooManyCredentials,
    UnknownScope,
)
from coalition.federation import stores
from coalition.federation.refusals import UnknownPartner, UnknownStore
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import random_id
from tests.access.world import ACTOR, logged_actions, new_client, new_partner_no, new_world


def public_pem(number: int) -> str:
    key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def test_a_secret_is_long_random_and_kept_as_its_hash_alone(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    secret = world.client.client_secret

    async with transaction() as connection:
        hashes = await connection.fetch("SELECT hash FROM client_secret")
        kept = str(
            await connection.fetch("SELECT client, client_secret FROM client, client_secret")
        )
        log = str(await connection.fetch("SELECT facts FROM audit_log"))

    assert [row["hash"] for row in hashes] == [hash_of(secret)]
    assert secret.startswith("coalition_")
    assert len(secret) == len("coalition_") + 43
    assert secret not in kept + log


async def test_clients_made_at_once_get_numbers_of_their_own(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)

    made = await asyncio.gather(*(new_client(at, partner_no=world.partner_no) for _ in range(8)))

    assert sorted(client.client_no for client in made) == list(range(2, 10))
    assert len({client.client_id for client in made}) == 8


async def test_a_client_without_a_good_name_or_scope_is_refused(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)

    for name in ("", "  ", "x" * 201, "a\x00b", "a\nb"):
        with pytest.raises(InvalidClientName):
            await new_client(at, partner_no=world.partner_no, name=name)
    for scopes in ([], ["everything"], ["members:read", "admin"], "members:read"):
        with pytest.raises(UnknownScope):
            await new_client(at, partner_no=world.partner_no, scopes=scopes)

    assert len(await logged_actions()) == 2


async def test_a_client_belongs_to_a_partner_and_a_store_of_it(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    other_no = await new_partner_no(at, "Apoteket")
    store = await stores.create_store(
        partner_no=other_no, code="A1", name="Torget", actor=ACTOR, at=at
    )

    with pytest.raises(UnknownPartner):
        await new_client(at, partner_no=99)
    with pytest.raises(UnknownStore):
        await new_client(at, partner_no=world.partner_no, store_no=store.no)
    with pytest.raises(UnknownStore):
        await new_client(at, partner_no=world.partner_no, store_no=99)
    await new_client(at, partner_no=other_no, store_no=store.no)


async def test_live_secrets_are_limited_and_dead_ones_do_not_count(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    client_id = world.client.client_id
    soon = at + timedelta(hours=1)
    further = [
        await service.add_secret(client_id, actor=ACTOR, at=at, expires_at=soon)
        for _ in range(service.LIVE_CREDENTIALS_MAX - 1)
    ]

    with pytest.raises(TooManyCredentials) as refused:
        await service.add_secret(client_id, actor=ACTOR, at=at)
    assert refused.value.facts == {"limit": service.LIVE_CREDENTIALS_MAX}

    await service.revoke_secret(client_id, further[0].id, actor=ACTOR, at=at)
    await service.add_secret(client_id, actor=ACTOR, at=at)
    await service.add_secret(client_id, actor=ACTOR, at=soon)


async def test_only_live_secrets_are_listed_with_the_id_that_revokes_them(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    client_id = world.client.client_id
    later = at + timedelta(hours=1)
    await service.add_secret(client_id, actor=ACTOR, at=at, expires_at=later)
    new = await service.add_secret(client_id, actor=ACTOR, at=later)

    listed = await service.live_secrets(client_id, at=later)
    assert [secret.id for secret in listed] == [world.client.secret_id, new.id]

    await service.revoke_secret(client_id, world.client.secret_id, actor=ACTOR, at=later)
    assert [secret.id for secret in await service.live_secrets(client_id, at=later)] == [new.id]


async def test_the_limit_holds_when_many_ask_at_once(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    client_id = world.client.client_id

    results = await asyncio.gather(
        *(service.add_secret(client_id, actor=ACTOR, at=at) for _ in range(8)),
        return_exceptions=True,
    )

    refused = [result for result in results if isinstance(result, TooManyCredentials)]
    assert len(refused) == 8 - (service.LIVE_CREDENTIALS_MAX - 1)


async def test_a_secret_that_expires_before_it_is_made_is_refused(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)

    with pytest.raises(InvalidSecretExpiry):
        await service.add_secret(world.client.client_id, actor=ACTOR, at=at, expires_at=at)


async def test_live_keys_are_limited_and_each_is_named_once(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    client_id = world.client.client_id
    kids = [
        await service.add_key(client_id, public_pem(number), actor=ACTOR, at=at)
        for number in range(1, service.LIVE_CREDENTIALS_MAX + 1)
    ]

    with pytest.raises(TooManyCredentials):
        await service.add_key(client_id, public_pem(99), actor=ACTOR, at=at)
    await service.revoke_key(client_id, kids[-1], actor=ACTOR, at=at)
    for number in (1, service.LIVE_CREDENTIALS_MAX):
        with pytest.raises(DuplicateKey):
            await service.add_key(client_id, public_pem(number), actor=ACTOR, at=at)
    await service.add_key(client_id, public_pem(99), actor=ACTOR, at=at)


async def test_what_is_not_there_or_not_ones_own_is_not_found(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    other = await new_client(at, partner_no=world.partner_no)
    secret = await service.add_secret(other.client_id, actor=ACTOR, at=at)
    kid = await service.add_key(other.client_id, public_pem(1), actor=ACTOR, at=at)

    with pytest.raises(ClientNotFound):
        await service.add_secret("client_nobody", actor=ACTOR, at=at)
    with pytest.raises(ClientNotFound):
        await service.revoke_client("client_nobody", actor=ACTOR, at=at)
    for secret_id in (secret.id, random_id()):
        with pytest.raises(CredentialNotFound):
            await service.revoke_secret(world.client.client_id, secret_id, actor=ACTOR, at=at)
    with pytest.raises(CredentialNotFound):
        await service.revoke_key(world.client.client_id, kid, actor=ACTOR, at=at)
    await service.revoke_key(other.client_id, kid, actor=ACTOR, at=at)
    with pytest.raises(CredentialNotFound):
        await service.revoke_key(other.client_id, kid, actor=ACTOR, at=at)


async def test_a_revoked_client_gets_no_new_credentials(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    client_id = world.client.client_id
    await service.revoke_client(client_id, actor=ACTOR, at=at)

    with pytest.raises(ClientRevoked):
        await service.add_secret(client_id, actor=ACTOR, at=at)
    with pytest.raises(ClientRevoked):
        await service.add_key(client_id, public_pem(1), actor=ACTOR, at=at)


async def test_every_change_is_in_the_audit_log_once(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    client_id = world.client.client_id
    secret = await service.add_secret(client_id, actor=ACTOR, at=at)
    await service.revoke_secret(client_id, secret.id, actor=ACTOR, at=at)
    kid = await service.add_key(client_id, public_pem(1), actor=ACTOR, at=at)
    await service.revoke_key(client_id, kid, actor=ACTOR, at=at)
    for _ in range(2):
        await service.revoke_client(client_id, actor=ACTOR, at=at)

    logged = [row for row in await logged_actions() if row[2].startswith("client:")]

    assert logged == [
        (ACTOR, action, f"client:{world.client.client_no}")
        for action in (
            "client.created",
            "client_secret.added",
            "client_secret.revoked",
            "client_key.added",
            "client_key.revoked",
            "client.revoked",
        )
    ]


async def test_a_partner_sees_its_own_clients_and_never_a_hash_or_a_signing_key(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    await service.add_key(world.client.client_id, public_pem(1), actor=ACTOR, at=at)
    other_no = await new_partner_no(at, "Apoteket")
    theirs = await new_client(at, partner_no=other_no)

    async with transaction(role="coalition_tenant", partner_no=other_no) as connection:
        for table in ("client", "client_secret", "client_key"):
            seen = await connection.fetch(f"SELECT partner_no FROM {table}")
            assert {row["partner_no"] for row in seen} <= {other_no}, table
        assert await connection.fetchval("SELECT client_id FROM client") == theirs.client_id

    for forbidden in (
        "SELECT hash FROM client_secret",
        "SELECT * FROM signing_key",
        "SELECT * FROM client_assertion",
        "SELECT * FROM revocation",
        "UPDATE client SET scopes = '{points:issue}'",
        "DELETE FROM client_secret",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await run_as_tenant(forbidden, other_no)


async def run_as_tenant(statement: str, partner_no: int) -> None:
    async with transaction(role="coalition_tenant", partner_no=partner_no) as connection:
        await connection.execute(statement)
