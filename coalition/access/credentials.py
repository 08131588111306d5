"""How a client proves who it is: a secret that it knows or an assertion that it signs, used once.

A secret has 256 random bits, so guessing does not get easier with a fast hash, and SHA-256 is
right: the slow hashes are for passwords that people choose. It is shown once and kept as its hash
alone.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime

import msgspec

from coalition.access import assertions, queries
from coalition.access.assertions import Proven
from coalition.access.queries import KnownClient
from coalition.access.refusals import InvalidClient
from coalition.kernel.database import Connection
from coalition.kernel.ids import digest16

SECRET_PREFIX = "coalition_"  # noqa: S105 - lets scanners find a leaked secret; it is none itself
SECRET_BYTES = 32


class SecretCredential(msgspec.Struct, frozen=True, tag=True):
    """A client_id with its secret (client_secret_basic and client_secret_post)."""

    client_id: str
    secret: str


class AssertionCredential(msgspec.Struct, frozen=True, tag=True):
    """A signed assertion (private_key_jwt), with the client_id if it was sent beside it."""

    assertion: str
    client_id: str | None = None


Credential = SecretCredential | AssertionCredential


def new_secret() -> str:
    """Return a secret with 256 random bits, marked by a prefix."""
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    """Return the SHA-256 by which a secret is known again."""
    return hashlib.sha256(secret.encode()).digest()


async def authenticate_client(
    connection: Connection, credential: Credential, *, audiences: Collection[str], at: datetime
) -> KnownClient:
    """Return the active client that `credential` proves; raise `InvalidClient`.

    An assertion is used up in the caller's transaction; `audiences` are the names that it may be
    for.
    """
    match credential:
        case SecretCredential():
            return await _by_secret(connection, credential, at)
        case AssertionCredential():
            return await _by_assertion(connection, credential, audiences, at)


async def _by_secret(
    connection: Connection, credential: SecretCredential, at: datetime
) -> KnownClient:
    client = await queries.client_by_id(connection, credential.client_id, at)
    presented = hash_of(credential.secret)
    # Every live hash is compared, and an unknown client costs a comparison too.
    live = client.secret_hashes if client is not None else [bytes(32)]
    matches = [hmac.compare_digest(presented, known) for known in live]
    if client is None or not any(matches) or client.state != "active":
        raise InvalidClient
    return client


async def _by_assertion(
    connection: Connection,
    credential: AssertionCredential,
    audiences: Collection[str],
    at: datetime,
) -> KnownClient:
    assertion = assertions.read(credential.assertion)
    if credential.client_id not in {None, assertion.client_id}:
        raise InvalidClient("The client_id is not the one of the client assertion")
    client = await queries.client_by_id(connection, assertion.client_id, at)
    keys = [] if client is None else await queries.live_keys_of(connection, client.no)
    proven = assertions.prove(assertion, keys, audiences=audiences, at=at)
    assert client is not None, "an assertion is not proven without keys"
    if client.state != "active":
        raise InvalidClient
    await _use_up(connection, client.no, proven, at)
    return client


async def _use_up(connection: Connection, client_no: int, proven: Proven, at: datetime) -> None:
    """Remember the assertion until it would have expired; refuse one that is remembered."""
    await connection.execute(
        "DELETE FROM client_assertion WHERE client_no = $1 AND expires_at <= $2", client_no, at
    )
    is_new = await connection.fetchval(
        """
        INSERT INTO client_assertion (client_no, digest, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        client_no,
        digest16(proven.token_id),
        proven.keep_until,
    )
    if not is_new:
        raise InvalidClient("The client assertion was used before; sign a new one with its own jti")
