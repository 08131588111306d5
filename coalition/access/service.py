"""Creates and revokes clients, their secrets and their keys; each change is in the audit log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from coalition.access.client_keys import read_public_key
from coalition.access.credentials import hash_of, new_secret
from coalition.access.refusals import (
    ClientNotFound,
    ClientRevoked,
    CredentialNotFound,
    InvalidClientName,
    TooManyCredentials,
    UnknownScope,
    WrongSide,
)
from coalition.access.signing_keys import TRUSTED_AFTER
from coalition.access.tables import Client, ClientKey, ClientSecret
from coalition.federation.refusals import UnknownPartner, UnknownStore
from coalition.kernel.database import Connection, transaction
from coalition.kernel.identity import EVERY_SCOPE, OPERATOR, TokenVerifier, scopes_of_side
from coalition.kernel.ids import random_id
from coalition.oversight import audit_log

LIVE_CREDENTIALS_MAX = 5
"""How many live secrets a client may have, and how many keys: enough to change them."""


class NewClient(msgspec.Struct, frozen=True):
    """A client as it was made; `client_secret` is shown this once."""

    client_no: int
    client_id: str
    client_secret: str
    secret_id: UUID


class NewSecret(msgspec.Struct, frozen=True):
    """A further secret of a client; `client_secret` is shown this once."""

    id: UUID
    client_secret: str


class KnownSecret(msgspec.Struct, frozen=True):
    """A live secret of a client, by the id under which it can be revoked."""

    id: UUID
    created_at: datetime
    expires_at: datetime | None


class KnownKey(msgspec.Struct, frozen=True):
    """A live public key of a client, by the name under which it can be revoked."""

    kid: str
    algorithm: str
    created_at: datetime


class _Found(msgspec.Struct, frozen=True):
    no: int
    partner_no: int
    state: str


async def create_client(
    *,
    partner_no: int,
    name: str,
    scopes: Sequence[str],
    actor: str,
    at: datetime,
    store_no: int | None = None,
) -> NewClient:
    """Create a client of a partner with its first secret; bound to `store_no` if one is given.

    Number `OPERATOR` makes a client of the operator, which holds scopes of staff and no others.
    Raises `InvalidClientName`, `UnknownScope`, `WrongSide`, `UnknownPartner` or `UnknownStore`.
    """
    known = scopes_of_side(partner_no)
    trimmed, held = name.strip(), [scope for scope in EVERY_SCOPE if scope in scopes]
    if not 1 <= len(trimmed) <= 200 or not trimmed.isprintable():
        raise InvalidClientName
    if not held or not set(scopes) <= set(held):
        raise UnknownScope(known=known)
    if not set(held) <= set(known):
        raise WrongSide(known=known)
    async with transaction() as connection:
        await _check_place(connection, partner_no, store_no)
        await hold_numbers(connection)
        no: int = await connection.fetchval("SELECT coalesce(max(no), 0) + 1 FROM client")
        client_id = f"client_{random_id().hex}"
        await Client.insert(
            Client(
                no=no,
                client_id=client_id,
                partner_no=partner_no,
                name=trimmed,
                scopes=held,
                store_no=store_no,
                state="active",
                created_at=at,
            )
        )
        secret = await _insert_secret(no, partner_no, expires_at=None, at=at)
        facts = {"partner_no": partner_no, "name": trimmed, "scopes": held, "store_no": store_no}
        await _record(connection, "client.created", no, facts, actor=actor, at=at)
    return NewClient(no, client_id, secret.client_secret, secret.id)


async def hold_numbers(connection: Connection) -> None:
    """Let nobody else create a client until the transaction ends.

    For who records in the audit log before it creates a client: whoever creates one holds this and
    then waits for the log's head, so nobody may want them the other way round.
    """
    await connection.execute("LOCK TABLE client IN SHARE ROW EXCLUSIVE MODE")


async def add_secret(
    client_id: str, *, actor: str, at: datetime, expires_at: datetime | None = None
) -> NewSecret:
    """Give the client a further secret; the others stay live until they expire or are revoked."""
    async with transaction() as connection:
        client = await _active(connection, client_id)
        _check_room(len(await live_secrets(client_id, at=at)))
        secret = await _insert_secret(client.no, client.partner_no, expires_at=expires_at, at=at)
        facts = {"secret": secret.id, "expires_at": expires_at}
        await _record(connection, "client_secret.added", client.no, facts, actor=actor, at=at)
    return secret


async def live_secrets(client_id: str, *, at: datetime) -> list[KnownSecret]:
    """Return the secrets that open something at `at`, oldest first; never what they are."""
    async with transaction() as connection:
        client = await _found(connection, client_id)
        rows = await connection.fetch(
            """
            SELECT id, created_at, expires_at FROM client_secret
            WHERE client_no = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
            ORDER BY created_at, id
            """,
            client.no,
            at,
        )
    return [KnownSecret(**row) for row in rows]


async def revoke_secret(client_id: str, secret_id: UUID, *, actor: str, at: datetime) -> None:
    """Let the secret open nothing from now on; tokens got with it live on until they end."""
    async with transaction() as connection:
        client = await _found(connection, client_id)
        was_live = await connection.fetchval(
            """
            UPDATE client_secret SET revoked_at = $3
            WHERE id = $1 AND client_no = $2 AND revoked_at IS NULL RETURNING true
            """,
            secret_id,
            client.no,
            at,
        )
        if not was_live:
            raise CredentialNotFound
        facts = {"secret": secret_id}
        await _record(connection, "client_secret.revoked", client.no, facts, actor=actor, at=at)


async def add_key(client_id: str, public_key: str, *, actor: str, at: datetime) -> str:
    """Give the client a public key (PEM or JWK) for private_key_jwt; return its `kid`.

    Raises `UnusableKey`, `DuplicateKey` or `TooManyCredentials`.
    """
    key = read_public_key(public_key)
    async with transaction() as connection:
        client = await _active(connection, client_id)
        _check_room(len(await live_keys(client_id)))
        await ClientKey.insert(
            ClientKey(
                id=random_id(),
                client_no=client.no,
                partner_no=client.partner_no,
                kid=key.kid,
                algorithm=key.algorithm,
                public_key=key.der,
                created_at=at,
            )
        )
        facts = {"kid": key.kid, "algorithm": key.algorithm}
        await _record(connection, "client_key.added", client.no, facts, actor=actor, at=at)
    return key.kid


async def live_keys(client_id: str) -> list[KnownKey]:
    """Return the public keys that the client may sign its assertions with, oldest first."""
    async with transaction() as connection:
        client = await _found(connection, client_id)
        rows = await connection.fetch(
            """
            SELECT kid, algorithm, created_at FROM client_key
            WHERE client_no = $1 AND revoked_at IS NULL ORDER BY created_at, id
            """,
            client.no,
        )
    return [KnownKey(**row) for row in rows]


async def revoke_key(client_id: str, kid: str, *, actor: str, at: datetime) -> None:
    """Take no more assertions signed by the key; tokens got with it live on until they end."""
    async with transaction() as connection:
        client = await _found(connection, client_id)
        was_live = await connection.fetchval(
            """
            UPDATE client_key SET revoked_at = $3
            WHERE kid = $1 AND client_no = $2 AND revoked_at IS NULL RETURNING true
            """,
            kid,
            client.no,
            at,
        )
        if not was_live:
            raise CredentialNotFound
        facts = {"kid": kid}
        await _record(connection, "client_key.revoked", client.no, facts, actor=actor, at=at)


async def revoke_client(
    client_id: str, *, actor: str, at: datetime, verifier: TokenVerifier | None = None
) -> None:
    """Revoke the client for good; done again it changes nothing.

    Its tokens stop at once in the process of `verifier`, and in others when they next look, within
    `freshness.REFRESH_S` seconds.
    """
    async with transaction() as connection:
        client = await _found(connection, client_id)
        if client.state == "active":
            await connection.execute(
                "UPDATE client SET state = 'revoked', revoked_at = $2 WHERE no = $1", client.no, at
            )
            await _record(connection, "client.revoked", client.no, {}, actor=actor, at=at)
    if verifier is not None:
        verifier.revoke_client(client.no, until=at + TRUSTED_AFTER)


async def _check_place(connection: Connection, partner_no: int, store_no: int | None) -> None:
    if partner_no == OPERATOR:
        if store_no is not None:
            raise UnknownStore("The operator has no stores")
        return
    if not await connection.fetchval("SELECT true FROM partner WHERE no = $1", partner_no):
        raise UnknownPartner
    if store_no is not None and not await connection.fetchval(
        "SELECT true FROM store WHERE no = $1 AND partner_no = $2", store_no, partner_no
    ):
        raise UnknownStore("The partner has no store with this number")


async def _found(connection: Connection, client_id: str) -> _Found:
    """Return the client, locked, so that its credentials change one after the other."""
    row = await connection.fetchrow(
        "SELECT no, partner_no, state FROM client WHERE client_id = $1 FOR UPDATE", client_id
    )
    if row is None:
        raise ClientNotFound
    return _Found(**row)


async def _active(connection: Connection, client_id: str) -> _Found:
    client = await _found(connection, client_id)
    if client.state != "active":
        raise ClientRevoked
    return client


def _check_room(live: int) -> None:
    if live >= LIVE_CREDENTIALS_MAX:
        raise TooManyCredentials(limit=LIVE_CREDENTIALS_MAX)


async def _insert_secret(
    client_no: int, partner_no: int, *, expires_at: datetime | None, at: datetime
) -> NewSecret:
    secret = NewSecret(random_id(), new_secret())
    await ClientSecret.insert(
        ClientSecret(
            id=secret.id,
            client_no=client_no,
            partner_no=partner_no,
            hash=hash_of(secret.client_secret),
            created_at=at,
            expires_at=expires_at,
        )
    )
    return secret


async def _record(
    connection: Connection,
    action: str,
    client_no: int,
    facts: Mapping[str, object],
    *,
    actor: str,
    at: datetime,
) -> None:
    await audit_log.record(
        connection,
        actor=actor,
        action=action,
        subject=f"client:{client_no}",
        facts=facts,
        at=at,
    )
