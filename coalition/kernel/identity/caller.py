"""The caller of one request, as its access token says, and the scopes that a token may hold."""

from datetime import datetime
from uuid import UUID

import msgspec

SCOPES = (
    "points:issue",
    "points:redeem",
    "members:read",
    "members:write",
    "statements:read",
    "batches:write",
    "webhooks:manage",
)
"""Every scope there is, in the order in which they are shown."""


class Caller(msgspec.Struct, frozen=True):
    """A partner's client, known by a verified access token.

    `store_no` is set for a till key that issues, redeems and holds at one store only; captures,
    voids and reversals go across the stores of the partner. `expires_at` (UTC) is when the token
    ends.
    """

    client_no: int
    client_id: str
    partner_no: int
    partner_id: UUID
    scopes: frozenset[str]
    store_no: int | None
    expires_at: datetime
