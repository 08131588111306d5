"""That a trial is had once: by a member, an e-mail address, a household and a card."""

from datetime import datetime
from uuid import UUID

from coalition.families.kin import places
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, digest16
from coalition.members import queries
from coalition.members.blind_index import contact_digest
from coalition.members.contacts import ContactKind, bucket_of_digest
from coalition.members.personal import PersonalData
from coalition.members.sealing import MemberKeys

_TAKEN = """
SELECT taken.order_id FROM unnest($1::int2[], $2::bytea[]) AS wanted (bucket, digest)
JOIN trial_taken AS taken ON taken.bucket = wanted.bucket AND taken.digest = wanted.digest
"""
# Sorted by key, so that two orders never wait for each other in a circle.
_TAKE = """
INSERT INTO trial_taken (bucket, digest, kind, order_id, taken_at)
SELECT bucket, digest, kind, $4, $5
FROM unnest($1::int2[], $2::bytea[], $3::text[]) AS given (bucket, digest, kind)
ORDER BY bucket, digest
ON CONFLICT (bucket, digest) DO NOTHING
"""

_KINDS = {b"m": "member", b"e": "email", b"h": "household", b"c": "card"}


async def digests_of(
    connection: Connection, member: MemberId, person: PersonalData, keys: MemberKeys
) -> tuple[bytes, ...]:
    """Return what a member's trial is known by, before its card is."""
    groups = (await places.groups_of(connection, [member])).get(member, [])
    emails = [
        contact_digest(keys.blind_index_key, ContactKind.EMAIL, email)
        for email in (person.email, *person.other_emails)
        if email is not None
    ]
    merged = await queries.merged_into(connection, member)
    return (
        *(b"m" + digest16("trial", one.bytes) for one in (member, *merged)),
        *(b"e" + digest16("trial", email) for email in emails),
        *(b"h" + digest16("trial", group.bytes) for group in groups),
    )


def digest_of_card(fingerprint: str) -> bytes:
    """Return what a trial is known by once its card is."""
    return b"c" + digest16("trial", fingerprint)


async def is_taken(
    connection: Connection, digests: tuple[bytes, ...], *, by_other_than: UUID | None = None
) -> bool:
    """Tell whether any of `digests` had a trial, by another order."""
    rows = await connection.fetch(_TAKEN, [bucket_of_digest(one) for one in digests], list(digests))
    return any(row["order_id"] != by_other_than for row in rows)


async def take(
    connection: Connection, digests: tuple[bytes, ...], *, order_id: UUID, at: datetime
) -> bool:
    """Let the order have the trial of all `digests`; return False where another had one of them."""
    await connection.execute(
        _TAKE,
        [bucket_of_digest(one) for one in digests],
        list(digests),
        [_KINDS[one[:1]] for one in digests],
        order_id,
        at,
    )
    return not await is_taken(connection, digests, by_other_than=order_id)
