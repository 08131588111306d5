"""What access reads: clients with their live credentials, and keys that sign or are trusted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from coalition.access.client_keys import ClientPublicKey
from coalition.kernel.database import Connection


class KnownClient(msgspec.Struct, frozen=True):
    """A client as the token endpoint needs it; `secret_hashes` are those of its live secrets.

    One of the operator has no `partner_id`; its side is never suspended.
    """

    no: int
    client_id: str
    partner_no: int
    partner_id: UUID | None
    scopes: list[str]
    store_no: int | None
    state: Literal["active", "revoked"]
    partner_state: Literal["active", "suspended"]
    secret_hashes: list[bytes]


class SealedKey(msgspec.Struct, frozen=True):
    """A signing key whose private half is sealed, and since when it signs."""

    kid: str
    private_key: bytes
    signs_from: datetime


async def client_by_id(connection: Connection, client_id: str, at: datetime) -> KnownClient | None:
    """Return the client named `client_id`, revoked or not, with its secrets live at `at`."""
    row = await connection.fetchrow(
        """
        SELECT client.no, client.client_id, client.partner_no, partner.id AS partner_id,
               client.scopes, client.store_no, client.state,
               CASE client.partner_no WHEN 0 THEN 'active' ELSE partner.state END AS partner_state,
               ARRAY(
                   SELECT hash FROM client_secret
                   WHERE client_secret.client_no = client.no AND client_secret.revoked_at IS NULL
                     AND (expires_at IS NULL OR expires_at > $2)
               ) AS secret_hashes
        FROM client LEFT JOIN partner ON partner.no = client.partner_no
        WHERE client.client_id = $1
        """,
        client_id,
        at,
    )
    return None if row is None else KnownClient(**row)


async def is_revoked(connection: Connection, client_no: int) -> bool:
    """Tell whether the client is revoked."""
    state = await connection.fetchval("SELECT state FROM client WHERE no = $1", client_no)
    return bool(state == "revoked")


async def live_keys_of(connection: Connection, client_no: int) -> list[ClientPublicKey]:
    """Return the public keys by which the client may sign its assertions."""
    rows = await connection.fetch(
        "SELECT kid, algorithm, public_key FROM client_key"
        " WHERE client_no = $1 AND revoked_at IS NULL ORDER BY created_at, kid",
        client_no,
    )
    return [ClientPublicKey(row["kid"], row["algorithm"], row["public_key"]) for row in rows]


async def signing_key_at(connection: Connection, at: datetime) -> SealedKey | None:
    """Return the key that signs at `at`: the trusted one that began last."""
    row = await connection.fetchrow(
        """
        SELECT kid, private_key, signs_from FROM signing_key
        WHERE signs_from <= $1 AND (trusted_until IS NULL OR trusted_until > $1)
        ORDER BY signs_from DESC, kid LIMIT 1
        """,
        at,
    )
    return None if row is None else SealedKey(**row)


async def next_signing_from(connection: Connection, at: datetime) -> datetime | None:
    """Return when the next key begins to sign, if one is published already."""
    begins: datetime | None = await connection.fetchval(
        "SELECT min(signs_from) FROM signing_key WHERE signs_from > $1 AND trusted_until IS NULL",
        at,
    )
    return begins


async def trusted_keys(connection: Connection, at: datetime) -> Mapping[str, bytes]:
    """Return the public keys (32 bytes) by `kid` that are next, active, or not ended yet."""
    rows = await connection.fetch(
        """
        SELECT kid, public_key FROM signing_key
        WHERE trusted_until IS NULL OR trusted_until > $1 ORDER BY signs_from, kid
        """,
        at,
    )
    return {row["kid"]: row["public_key"] for row in rows}


async def clients_revoked_since(connection: Connection, since: datetime) -> Mapping[int, datetime]:
    """Return the clients revoked after `since`, with the time of it."""
    rows = await connection.fetch("SELECT no, revoked_at FROM client WHERE revoked_at > $1", since)
    return {row["no"]: row["revoked_at"] for row in rows}


async def passwords_set_since(
    connection: Connection, since: datetime
) -> Sequence[tuple[UUID, int, datetime]]:
    """Return the logins whose password was set after `since`, as how many-th, and when."""
    rows = await connection.fetch(
        "SELECT id, password_no, password_set_at FROM login WHERE password_set_at > $1", since
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def tokens_revoked(connection: Connection, at: datetime) -> Mapping[str, datetime]:
    """Return the revoked tokens (`jti`) that have not ended by themselves, with the end of each."""
    rows = await connection.fetch(
        "SELECT token_id, expires_at FROM revocation WHERE expires_at > $1", at
    )
    return {row["token_id"]: row["expires_at"] for row in rows}
