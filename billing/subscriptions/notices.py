"""What members were told ahead, for staff: ends of trials, renewals and new prices."""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection

_LATEST = """
SELECT * FROM (
    (SELECT told.told_at, told.kind, membership.member_id, told.membership_id, told.about,
        told.text_version, NULL::bool AS wants_consent
    FROM membership_notice AS told
    JOIN membership ON membership.bucket = told.bucket AND membership.id = told.membership_id
    WHERE $2::text IS NULL OR told.kind = $2
    ORDER BY told.told_at DESC LIMIT $1)
    UNION ALL
    (SELECT told_at, 'price', member_id, membership_id, applies_at, text_version, wants_consent
    FROM price_change ORDER BY told_at DESC LIMIT $1)
) AS notices
WHERE $2::text IS NULL OR kind = $2
ORDER BY told_at DESC, membership_id LIMIT $1
"""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """That a member was told of `about`: the end of a trial, a renewal, or that of a new price.

    `text_version` is of the country's terms that held then; None where that was not kept yet.
    """

    told_at: datetime
    kind: str
    member_id: UUID
    membership_id: UUID
    about: datetime
    text_version: str | None
    wants_consent: bool | None = None


async def listed(connection: Connection, *, kind: str | None, most: int) -> list[Notice]:
    """Return notices, the latest first; of one kind (trial_ends, renews, price) if wanted."""
    rows = await connection.fetch(_LATEST, most, kind)
    return [msgspec.convert(dict(row), Notice) for row in rows]
