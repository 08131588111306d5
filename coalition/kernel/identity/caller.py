"""The caller of one request, as its access token says, and the scopes that a token may hold.

There are two sides: partners, and the operator's staff. No token holds scopes of both.
"""

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
"""Every scope that a partner's client may hold, in the order in which they are shown."""

STAFF_SCOPES = (
    "settlement:read",
    "settlement:prepare",
    "settlement:approve",
    "audit:read",
    "rules:read",
    "rules:prepare",
    "rules:approve",
)
"""Every scope that a client of the operator may hold, likewise."""

EVERY_SCOPE = (*SCOPES, *STAFF_SCOPES)

OPERATOR = 0
"""The operator's number where a partner's would stand."""


def scopes_of_side(partner_no: int) -> tuple[str, ...]:
    """Return the scopes that a client of this partner, or of the operator, may hold."""
    return STAFF_SCOPES if partner_no == OPERATOR else SCOPES


class Caller(msgspec.Struct, frozen=True):
    """A client of a partner or of the operator, known by a verified access token.

    `partner_no` is `OPERATOR` and `partner_id` None for one of the operator.
    `store_no` is set for a till key that issues, redeems and holds at one store only; captures,
    voids and reversals go across the stores of the partner. `expires_at` (UTC) is when the token
    ends.
    """

    client_no: int
    client_id: str
    partner_no: int
    partner_id: UUID | None
    scopes: frozenset[str]
    store_no: int | None
    expires_at: datetime

    @property
    def actor(self) -> str:
        """The name under which the audit log and approvals know the client."""
        return f"client:{self.client_id}"
