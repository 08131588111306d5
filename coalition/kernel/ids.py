"""Identifiers: time-ordered for postings, random for people, each carrying the bucket it lives in.

A bucket (0..1023) is the unit by which member-owned tables are spread over shards and servers. It
is the last ten bits of an id, so that any id alone says where its row is.
"""

import hashlib
import itertools
import os
import secrets
import struct
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NewType
from uuid import UUID

from asyncpg.pgproto import pgproto

MemberId = NewType("MemberId", UUID)
BatchId = NewType("BatchId", UUID)

BUCKETS = 1024
SHARDS = 16
BUCKETS_PER_SHARD = BUCKETS // SHARDS

_DatabaseUUID = pgproto.UUID  # asyncpg encodes it without conversion
_BUCKET_MASK = BUCKETS - 1
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62

# A step through this many values per process keeps ids of one millisecond in order and unlike those
# of other processes, whose sequences start elsewhere.
_SEQUENCE_BITS = 20
_sequence = itertools.count(secrets.randbits(_SEQUENCE_BITS))


_NUMBERS = struct.Struct(">32Q")
_END = struct.Struct(">HQ")
_NOISE_MASK = (1 << 62) - BUCKETS


class _Noise:
    """Random bytes of the system, asked for by the page: a call for each id costs a microsecond."""

    _PAGE_BYTES = 4096

    def __init__(self) -> None:
        self._page = b""
        self._used = 0
        os.register_at_fork(after_in_child=self._forget)

    def take(self, number: int) -> bytes:
        """Return `number` bytes (at most a page) that nobody was given before."""
        end = self._used + number
        if end > len(self._page):
            self._page, end = os.urandom(self._PAGE_BYTES), number
        self._used = end
        return self._page[end - number : end]

    def _forget(self) -> None:
        self._page = b""
        self._used = 0


_noise = _Noise()


def random_hex() -> str:
    """Return 128 random bits in hexadecimal: an id that need not be a UUID."""
    return _noise.take(16).hex()


def uuid7(at: datetime, bucket: int | None = None) -> UUID:
    """Return a UUIDv7 (RFC 9562 section 5.7) for the instant `at`, living in `bucket` if given.

    Ids rise with `at` to the millisecond. Nothing rests on their order within one.
    """
    milliseconds = int(at.timestamp() * 1000)
    noise = int.from_bytes(_noise.take(8), "big") >> 2
    if bucket is not None:
        noise = (noise & ~_BUCKET_MASK) | bucket
    step = next(_sequence) & 0xFFF
    value = (milliseconds << 80) | _VERSION_7 | (step << 64) | _VARIANT | noise
    return uuid_from_bytes(value.to_bytes(16, "big"))


def ids_of(at: datetime) -> Callable[[int], UUID]:
    """Return what makes ids as `uuid7` does, given their buckets; for many of one instant."""
    begin = int(at.timestamp() * 1000).to_bytes(6, "big")
    numbers: list[int] = []

    def make(bucket: int) -> UUID:
        if not numbers:
            numbers.extend(_NUMBERS.unpack(_noise.take(_NUMBERS.size)))
        step = 0x7000 | next(_sequence) & 0xFFF
        made: UUID = _DatabaseUUID(
            begin + _END.pack(step, _VARIANT | numbers.pop() & _NOISE_MASK | bucket)
        )
        return made

    return make


def time_of(identifier: UUID) -> datetime:
    """Return the instant, to the millisecond, that a UUIDv7 was made for."""
    assert identifier.version == 7, "only a UUIDv7 tells its time"
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


def random_id() -> UUID:
    """Return a random UUIDv4; used for members, so that an id tells nothing about its person."""
    value = int.from_bytes(_noise.take(16), "big")
    value = (value & ~(0xF << 76)) | (0x4 << 76)
    value = (value & ~(0b11 << 62)) | _VARIANT
    return uuid_from_bytes(value.to_bytes(16, "big"))


def bucket_of(identifier: UUID) -> int:
    """Return the bucket (0..1023) in which the row of `identifier` lives."""
    return identifier.int & _BUCKET_MASK


def buckets_of(identifiers: Iterable[UUID]) -> list[int]:
    """Return the bucket of each of `identifiers`."""
    return [identifier.int & _BUCKET_MASK for identifier in identifiers]


def in_lock_order(identifiers: Iterable[UUID]) -> tuple[list[int], list[UUID]]:
    """Return buckets and ids in (bucket, id) order, in which all sessions lock rows."""
    rows = sorted([(one.int & _BUCKET_MASK, one.bytes, one) for one in identifiers])
    return [row[0] for row in rows], [row[2] for row in rows]


def shard_of(bucket: int) -> int:
    """Return the settlement shard (0..15), a fixed range of buckets, to which `bucket` belongs."""
    return bucket // BUCKETS_PER_SHARD


def digest16(*parts: str | bytes | int) -> bytes:
    """Return a 16-byte BLAKE2b digest of `parts`, length-prefixed so that no two lists meet."""
    return digest_of(framed(*parts))


def framed(*parts: str | bytes | int) -> bytes:
    """Return `parts` in one, each with its length before it; what `digest16` is the digest of."""
    pieces: list[bytes] = []
    for part in parts:
        text = part if isinstance(part, bytes) else str(part).encode()
        pieces += (b"%d:" % len(text), text)
    return b"".join(pieces)


_BLANK = hashlib.blake2b(digest_size=16)  # to be copied, which costs less than making one


def digest_of(data: bytes) -> bytes:
    """Return the 16-byte BLAKE2b digest of `data`."""
    digest = _BLANK.copy()
    digest.update(data)
    return digest.digest()


def database_id(identifier: UUID) -> UUID:
    """Return the same id as the database driver has it: hashed, compared and sent in less time."""
    made: UUID = _DatabaseUUID(identifier.int.to_bytes(16, "big"))
    return made


def uuid_from_bytes(data: bytes) -> UUID:
    """Return `data` (16 bytes) as an id that the database driver takes without conversion."""
    made: UUID = _DatabaseUUID(data)
    return made
