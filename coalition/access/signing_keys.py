"""The life of our signing keys: published, then signing, then trusted until its tokens have ended.

All three follow from times in the row, so nothing has to be switched at the right second:

    created_at ... signs_from        next: published in the key set, signs nothing yet
    signs_from ... the next one's    active
    after that ... trusted_until     retired: verifies what it has signed
"""

from datetime import datetime, timedelta

import msgspec

from coalition.access import queries
from coalition.access.refusals import RotationUnderWay
from coalition.access.signing import SigningKey, new_signing_key, open_signing_key
from coalition.access.tables import SigningKey as SigningKeyRow
from coalition.kernel.database import Connection, transaction
from coalition.kernel.identity import LEEWAY_S, LIFETIME_MAX_S
from coalition.oversight import audit_log

PUBLISHED_AHEAD = timedelta(minutes=15)
"""How long a key is published before it signs; three times as long as the key set may be cached."""

TRUSTED_AFTER = timedelta(seconds=LIFETIME_MAX_S + 2 * LEEWAY_S)
"""How long an access token may be good after it was signed: its life, and clocks that differ."""

LONGEST_SIGNED = timedelta(hours=4)
"""The longest life of anything that a key signs: an entitlement that tills check by themselves."""

KEY_TRUSTED_AFTER = max(TRUSTED_AFTER, LONGEST_SIGNED + timedelta(minutes=30))
"""How long a key is published after its last signature, clocks and caches that differ included."""

ROTATED_EVERY = timedelta(days=90)


class Rotated(msgspec.Struct, frozen=True):
    """The key that takes over, and when."""

    kid: str
    signs_from: datetime


async def ensure_signing_key(*, master_key: bytes, at: datetime) -> None:
    """Let there be a key that signs at `at`, rotate one that has signed for `ROTATED_EVERY`.

    Run when a service starts and once a day; several at once make one key. Raises `SealBrokenError`
    when the present key does not open under `master_key`.
    """
    async with transaction() as connection:
        await _lock(connection)
        await _wipe_ended(connection, at)
        active = await queries.signing_key_at(connection, at)
        if active is None:
            await _publish(connection, master_key=master_key, signs_from=at, at=at)
            return
        open_signing_key(active.kid, active.private_key, master_key=master_key)
        is_due = at >= active.signs_from + ROTATED_EVERY
        if is_due and await queries.next_signing_from(connection, at) is None:
            await _rotate(connection, master_key=master_key, actor="system:access", at=at)


async def rotate_signing_key(
    *, master_key: bytes, actor: str, at: datetime, is_compromised: bool = False
) -> Rotated:
    """Publish the key that signs from `at` + `PUBLISHED_AHEAD`, when the present one retires.

    If the present key `is_compromised`, the new one signs at once and all others are trusted no
    longer: every token given so far is void. Raises `RotationUnderWay` when a next key is published
    already.
    """
    async with transaction() as connection:
        await _lock(connection)
        if is_compromised:
            return await _replace(connection, master_key=master_key, actor=actor, at=at)
        begins = await queries.next_signing_from(connection, at)
        if begins is not None:
            raise RotationUnderWay(signs_from=begins)
        return await _rotate(connection, master_key=master_key, actor=actor, at=at)


async def active_signing_key(
    connection: Connection, *, master_key: bytes, at: datetime
) -> SigningKey:
    """Return the key that signs at `at`. Raises `SealBrokenError`."""
    active = await queries.signing_key_at(connection, at)
    assert active is not None, "ensure_signing_key comes first"
    return open_signing_key(active.kid, active.private_key, master_key=master_key)


async def _rotate(
    connection: Connection, *, master_key: bytes, actor: str, at: datetime
) -> Rotated:
    signs_from = at + PUBLISHED_AHEAD
    await connection.execute(
        "UPDATE signing_key SET trusted_until = $1 WHERE trusted_until IS NULL",
        signs_from + KEY_TRUSTED_AFTER,
    )
    return await _publish(
        connection, master_key=master_key, signs_from=signs_from, at=at, actor=actor
    )


async def _replace(
    connection: Connection, *, master_key: bytes, actor: str, at: datetime
) -> Rotated:
    await connection.execute(
        """
        UPDATE signing_key SET trusted_until = $1, private_key = NULL
        WHERE trusted_until IS NULL OR trusted_until > $1
        """,
        at,
    )
    return await _publish(
        connection,
        master_key=master_key,
        signs_from=at,
        at=at,
        actor=actor,
        action="signing_key.replaced",
    )


async def _publish(
    connection: Connection,
    *,
    master_key: bytes,
    signs_from: datetime,
    at: datetime,
    actor: str = "system:access",
    action: str = "signing_key.published",
) -> Rotated:
    new = new_signing_key(master_key)
    await SigningKeyRow.insert(
        SigningKeyRow(
            kid=new.kid,
            public_key=new.public_key,
            private_key=new.private_key,
            created_at=at,
            signs_from=signs_from,
        )
    )
    await audit_log.record(
        connection,
        actor=actor,
        action=action,
        subject=f"signing_key:{new.kid}",
        facts={"signs_from": signs_from},
        at=at,
    )
    return Rotated(new.kid, signs_from)


async def _lock(connection: Connection) -> None:
    """Let one process at a time decide about keys; who reads or signs does not wait."""
    await connection.execute("LOCK TABLE signing_key IN SHARE ROW EXCLUSIVE MODE")


async def _wipe_ended(connection: Connection, at: datetime) -> None:
    """Drop the private half of keys whose last token has ended: nobody may ever sign with them."""
    await connection.execute(
        """
        UPDATE signing_key SET private_key = NULL
        WHERE trusted_until <= $1 AND private_key IS NOT NULL
        """,
        at,
    )
