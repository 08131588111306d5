"""Sessions of the pages: a random word in a cookie, of which only the hash is kept.

A session ends when nobody used it for half an hour, after twelve hours at the latest, with its
password, and when its member leaves. (OWASP ASVS 5.0, V7.3: idle and absolute limits.)
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from coalition.access.logins import Login
from coalition.access.refusals import MembershipEnded
from coalition.access.sign_in import SignIns, standing_member
from coalition.kernel.database import retrying, transaction
from coalition.kernel.ids import MemberId

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
_NOTED_EACH = timedelta(minutes=1)

_OPEN = """
INSERT INTO page_session (digest, login_id, password_no, member_id, created_at, seen_at, ends_at)
VALUES ($1, $2, $3, $4, $5, $5, $6)
"""

_READ = """
SELECT session.member_id, session.seen_at, session.ends_at
FROM page_session AS session
JOIN login ON login.id = session.login_id AND login.password_no = session.password_no
WHERE session.digest = $1 AND session.ends_at > $2 AND session.seen_at > $3
"""


class Session(msgspec.Struct, frozen=True):
    """Whose session it is, and until when at most; `form_key` is what its own forms must send."""

    member_id: MemberId
    ends_at: datetime
    form_key: str


class Sessions:
    """Opens, reads and ends the sessions of the pages; one for each service."""

    def __init__(self, sign_ins: SignIns) -> None:
        """Prepare, with what knows passwords."""
        self._sign_ins = sign_ins

    async def open(self, email: str, password: str, at: datetime) -> str:
        """Return the word of a new session. Raises as `SignIns.sign_in` does."""
        login = await self._sign_ins.prove(email, password, at)
        word = secrets.token_urlsafe(32)
        await retrying(lambda: _open(login, word, at))
        return word

    async def read(self, word: str, at: datetime) -> Session | None:
        """Return the session that `word` opens at `at`; None where it is over or there was none.

        Who was a member and is no more has none.
        """
        digest = _digest(word)

        async def work() -> Session | None:
            async with transaction() as connection:
                row = await connection.fetchrow(_READ, digest, at, at - IDLE)
                if row is None:
                    return None
                if row["seen_at"] <= at - _NOTED_EACH:
                    await connection.execute(
                        "UPDATE page_session SET seen_at = $2 WHERE digest = $1", digest, at
                    )
                member = await standing_member(connection, row["member_id"])
                return Session(MemberId(member), row["ends_at"], form_key(word))

        try:
            return await retrying(work)
        except MembershipEnded:
            return None

    async def end(self, word: str) -> None:
        """End a session; one that is over already stays so."""
        digest = _digest(word)

        async def work() -> None:
            async with transaction() as connection:
                await connection.execute("DELETE FROM page_session WHERE digest = $1", digest)

        await retrying(work)


def form_key(word: str) -> str:
    """Return what forms of the session carry against forgery: nobody else can derive it."""
    return hashlib.sha256(b"form:" + word.encode()).hexdigest()


async def _open(login: Login, word: str, at: datetime) -> None:
    async with transaction() as connection:
        member: UUID = await standing_member(connection, login.member_id)
        await connection.execute("DELETE FROM page_session WHERE ends_at <= $1", at)
        await connection.execute(
            _OPEN, _digest(word), login.id, login.password_no, member, at, at + LONGEST
        )


def _digest(word: str) -> bytes:
    return hashlib.sha256(word.encode()).digest()
