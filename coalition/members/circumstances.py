"""What rules of families ask of people: born when, living where, called what.

Addresses and names leave this package as keyed digests only: two can be compared, none be read.
"""

import hmac
from collections.abc import Collection
from datetime import date, datetime

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members import rules
from coalition.members.queries import StoredMember
from coalition.members.sealing import MemberKeys, Sealed
from coalition.members.service import opened
from coalition.members.states import MemberState

# OFFSET 0 keeps the planner from turning the look-ups round while the tables are small.
_PLAIN = """
SELECT kept.*
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT id, enrolled_at, state FROM member
    WHERE member.bucket = wanted.bucket AND member.id = wanted.id
    OFFSET 0) AS kept
"""

_SEALED = """
SELECT wanted.id, kept.version, kept.nonce, kept.ciphertext, kept.wrapped_key
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT data.version, data.nonce, data.ciphertext, key.wrapped_key
    FROM personal_data AS data
    JOIN member_key AS key ON key.bucket = data.bucket AND key.member_id = data.member_id
    WHERE data.bucket = wanted.bucket AND data.member_id = wanted.id
    OFFSET 0) AS kept
"""


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """A member as rules of families know it."""

    member: MemberId
    joined: datetime
    state: MemberState
    born: date | None = None
    country: str | None = None
    address: bytes | None = None
    address_registered: bool = False
    name: bytes | None = None


async def read(
    connection: Connection, members: Collection[MemberId], *, keys: MemberKeys | None
) -> dict[MemberId, Circumstances]:
    """Return each of `members` that exists; without `keys` only since when it is a member."""
    ordered = sorted(set(members), key=lambda member: (bucket_of(member), member.bytes))
    buckets = [bucket_of(member) for member in ordered]
    found = {
        MemberId(row[0]): Circumstances(
            member=MemberId(row[0]), joined=row[1], state=MemberState(row[2])
        )
        for row in await connection.fetch(_PLAIN, buckets, ordered)
    }
    if keys is None:
        return found
    for row in await connection.fetch(_SEALED, buckets, ordered):
        member = MemberId(row[0])
        stored = StoredMember(found[member].state, row[4], Sealed(row[1], row[2], row[3]), None)
        found[member] = _opened(found[member], stored, keys)
    return found


def name_digest(keys: MemberKeys, first_name: str, last_name: str) -> bytes:
    """Return what a full name is compared by: 16 bytes of HMAC-SHA-256 of the folded name."""
    return _digest(keys, b"name", f"{first_name} {last_name}")


def _opened(plain: Circumstances, stored: StoredMember, keys: MemberKeys) -> Circumstances:
    data, _ = opened(stored, member_id=plain.member, keys=keys)
    has_name = data.first_name is not None and data.last_name is not None
    return msgspec.structs.replace(
        plain,
        born=data.born,
        country=data.country,
        address=None if data.address is None else _digest(keys, b"address", data.address),
        address_registered=data.address_registered,
        name=name_digest(keys, data.first_name or "", data.last_name or "") if has_name else None,
    )


def _digest(keys: MemberKeys, kind: bytes, text: str) -> bytes:
    message = kind + b"\0" + rules.folded(text).encode()
    return hmac.digest(keys.blind_index_key, message, "sha256")[:16]
