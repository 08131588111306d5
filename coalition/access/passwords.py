"""Passwords of members: argon2id, a few at a time and away from the event loop.

Parameters are those of the OWASP password storage cheat sheet: 19 MiB, two passes, one lane, some
25 ms. Four at once at most, so that a crowd at the door takes no more memory than that.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from coalition.access.refusals import WeakPassword
from coalition.kernel.errors import Unavailable

Result = TypeVar("Result")

SHORTEST = 12
LONGEST = 200
_DIFFERENT_LEAST = 5
_AT_ONCE = 4
_WAITING_MOST = 200

_COMMON = ("password", "lösenord", "losenord", "passord", "qwerty", "123456789", "welcome1")
"""What passwords are made of that are tried first; one may hold them, but not be one of them."""

_HASHER = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)


def checked(password: str) -> str:
    """Return a new password as it is hashed. Raises `WeakPassword`."""
    text = _normal(password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise WeakPassword(f"A password has {SHORTEST} to {LONGEST} characters")
    rest = text.casefold()
    for word in _COMMON:
        rest = rest.replace(word, "")
    if len(set(text)) < _DIFFERENT_LEAST or len(rest) < _DIFFERENT_LEAST:
        raise WeakPassword("This is among the first that others try; choose another password")
    return text


class Passwords:
    """Hashes and compares passwords for one event loop."""

    def __init__(self) -> None:
        """Prepare; the hash of nothing is made when it is first needed."""
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Return the argon2id hash of a password that was checked."""
        return await self._in_turn(_HASHER.hash, password)

    async def matches(self, kept: str | None, password: str) -> bool:
        """Tell whether `password` is the one that was kept; where none was it takes as long."""
        if self._nobodys is None:
            self._nobodys = await self._in_turn(_HASHER.hash, "nobody's password")
        is_right = await self._in_turn(_is_right, kept or self._nobodys, _normal(password))
        return is_right and kept is not None

    async def _in_turn(self, work: Callable[..., Result], *texts: str) -> Result:
        if self._waiting >= _WAITING_MOST:
            raise Unavailable("Too many sign in at once; try again", retry_after_s=2)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *texts)
        finally:
            self._waiting -= 1


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _is_right(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False
