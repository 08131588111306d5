"""Logins of members: rows that hold no address, and how often somebody tried to get in.

An address is known by its digest alone. Attempts are counted before the password is looked at, so
that many guesses at once count as many, and alike for addresses that nobody has.
"""

import hashlib
import math
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from coalition.access.refusals import TooManyAttempts, UnusableCode
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import random_id
from coalition.oversight import audit_log

CODE_LIVES = timedelta(days=7)
CODE_BYTES = 20
FREE_ATTEMPTS = 5
"""How many wrong passwords one after the other cost no waiting."""
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)

_READ = """
SELECT id, member_id, password_hash, password_no, email_digest FROM login WHERE email_digest = $1
"""
_READ_ONE = """
SELECT id, member_id, password_hash, password_no, email_digest FROM login
WHERE CASE WHEN $1::uuid IS NULL THEN member_id = $2 ELSE id = $1 END
"""

_COUNT = """
INSERT INTO sign_in_attempt AS kept (email_digest, failures, last_at, blocked_until)
VALUES ($1, 1, $2, $2)
ON CONFLICT (email_digest) DO UPDATE
SET failures = CASE WHEN kept.last_at < $3 THEN 1 ELSE kept.failures + 1 END,
    last_at = $2,
    blocked_until = CASE
        WHEN kept.last_at < $3 OR kept.failures + 1 < $4 THEN $2
        ELSE $2 + least($5::interval, interval '30 seconds' * 2 ^ least(kept.failures + 1 - $4, 10))
    END
WHERE kept.blocked_until <= $2
RETURNING true
"""

_FORGIVE_ONLY = "DELETE FROM sign_in_attempt WHERE email_digest = $1 AND failures = 1"
_FORGIVE = """
UPDATE sign_in_attempt SET failures = failures - 1, blocked_until = last_at
WHERE email_digest = $1 AND failures > 1
"""

_BLOCKED = "SELECT blocked_until FROM sign_in_attempt WHERE email_digest = $1"

_SWEEP = """
DELETE FROM sign_in_attempt WHERE email_digest IN (
    SELECT email_digest FROM sign_in_attempt WHERE last_at < $1 LIMIT 20 FOR UPDATE SKIP LOCKED)
"""

_INVITE = """
INSERT INTO login AS kept (id, email_digest, member_id, code_digest, code_ends_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (member_id) DO UPDATE
SET email_digest = excluded.email_digest, code_digest = excluded.code_digest,
    code_ends_at = excluded.code_ends_at
"""

_USE_CODE = """
UPDATE login SET password_hash = $2, password_set_at = $3, password_no = password_no + 1,
    code_digest = NULL, code_ends_at = NULL
WHERE code_digest = $1 AND code_ends_at > $3
RETURNING member_id, email_digest
"""

# A code that was given and not used yet would open the login again: it ends too.
_CHANGE = """
UPDATE login SET password_hash = $3, password_set_at = $4, password_no = password_no + 1,
    code_digest = NULL, code_ends_at = NULL
WHERE id = $1 AND password_no = $2
RETURNING id, member_id, password_hash, password_no, email_digest
"""


class Login(msgspec.Struct, frozen=True):
    """A login as it is checked; without a hash its code was never used."""

    id: UUID
    member_id: UUID
    password_hash: str | None
    password_no: int
    """As the how many-th the password was set; tokens of earlier ones are worth nothing."""
    email_digest: bytes


class Code(msgspec.Struct, frozen=True):
    """A one-time code, shown this once, by which a member sets its password."""

    code: str
    ends_at: datetime


class KeptLogin(msgspec.Struct, frozen=True):
    """What a member is told of its login; never the hash."""

    created_at: datetime
    password_set_at: datetime | None


async def read(connection: Connection, email_digest: bytes) -> Login | None:
    """Return the login of an address."""
    row = await connection.fetchrow(_READ, email_digest)
    return None if row is None else Login(**row)


async def read_one(connection: Connection, login_id: UUID | None, member_id: UUID) -> Login | None:
    """Return a login by its id, else that of a member."""
    row = await connection.fetchrow(_READ_ONE, login_id, member_id)
    return None if row is None else Login(**row)


async def change(login: Login, password_hash: str, at: datetime) -> Login | None:
    """Set another password; None where it was set by somebody else meanwhile."""
    async with transaction() as connection:
        row = await connection.fetchrow(_CHANGE, login.id, login.password_no, password_hash, at)
        if row is not None:
            await connection.execute(
                "DELETE FROM sign_in_attempt WHERE email_digest = $1", login.email_digest
            )
    return None if row is None else Login(**row)


async def count_attempt(email_digest: bytes, at: datetime) -> None:
    """Count a try to sign in under an address before its password is looked at.

    Raises `TooManyAttempts` with `retry_after_s` while the address has to wait; such a try does
    not count.
    """
    async with transaction() as connection:
        await connection.execute(_SWEEP, at - FORGOTTEN_AFTER)
        counted = await connection.fetchval(
            _COUNT, email_digest, at, at - FORGOTTEN_AFTER, FREE_ATTEMPTS, LONGEST_WAIT
        )
        if counted:
            return
        until = await connection.fetchval(_BLOCKED, email_digest)
    raise _wait(at if until is None else until, at)


async def forgive_attempt(email_digest: bytes) -> None:
    """Take the last try back, since it was right; what was counted before it stays."""
    async with transaction() as connection:
        await connection.execute(_FORGIVE_ONLY, email_digest)
        await connection.execute(_FORGIVE, email_digest)


async def forget_attempts(email_digest: bytes) -> None:
    """Forget the tries under an address, since one of them was right."""
    async with transaction() as connection:
        await connection.execute(
            "DELETE FROM sign_in_attempt WHERE email_digest = $1", email_digest
        )


async def give_code(member_id: UUID, email_digest: bytes, *, actor: str, at: datetime) -> Code:
    """Give a one-time code by which a member sets its password; an earlier code is void.

    The password that there may be stays until the code is used. Raises `LoginTaken` for an address
    that is another member's login.
    """
    code = secrets.token_urlsafe(CODE_BYTES)
    ends_at = at + CODE_LIVES
    async with transaction() as connection:
        await connection.execute(
            _INVITE, random_id(), email_digest, member_id, code_digest(code), ends_at, at
        )
        await audit_log.record(
            connection,
            actor=actor,
            action="login.code_given",
            subject=f"member:{member_id}",
            facts={"ends_at": ends_at},
            at=at,
        )
    return Code(code, ends_at)


async def check_code(code: str, at: datetime) -> None:
    """Refuse a code that opens nothing, before a password is hashed. Raises `UnusableCode`."""
    async with transaction() as connection:
        ends_at = await connection.fetchval(
            "SELECT code_ends_at FROM login WHERE code_digest = $1", code_digest(code)
        )
    if ends_at is None or ends_at <= at:
        raise UnusableCode


async def use_code(code: str, password_hash: str, at: datetime) -> UUID:
    """Set the password by a code, which is used up; return whose login it is.

    Raises `UnusableCode`.
    """
    async with transaction() as connection:
        row = await connection.fetchrow(_USE_CODE, code_digest(code), password_hash, at)
        if row is None:
            raise UnusableCode
        await connection.execute(
            "DELETE FROM sign_in_attempt WHERE email_digest = $1", row["email_digest"]
        )
    member: UUID = row["member_id"]
    return member


async def kept_of(connection: Connection, member_id: UUID) -> KeptLogin | None:
    """Return what is kept of a member's login, without anything that opens it."""
    row = await connection.fetchrow(
        "SELECT created_at, password_set_at FROM login WHERE member_id = $1", member_id
    )
    return None if row is None else KeptLogin(**row)


async def forget(connection: Connection, member_id: UUID) -> None:
    """Remove a member's login with its sessions, and what was counted of it."""
    await connection.execute(
        "DELETE FROM page_session USING login WHERE login.member_id = $1"
        " AND page_session.login_id = login.id",
        member_id,
    )
    await connection.execute(
        "DELETE FROM sign_in_attempt USING login WHERE login.member_id = $1"
        " AND sign_in_attempt.email_digest = login.email_digest",
        member_id,
    )
    await connection.execute("DELETE FROM login WHERE member_id = $1", member_id)


def code_digest(code: str) -> bytes:
    """Return the SHA-256 by which a code, which is random, is known again."""
    return hashlib.sha256(code.encode()).digest()


def _wait(until: datetime, at: datetime) -> TooManyAttempts:
    return TooManyAttempts(retry_after_s=max(1, math.ceil((until - at).total_seconds())))
