"""The caller of one request, as its access token says, and the scopes that a token may hold.

There are three sides: partners, the operator's staff, and members. No token holds scopes of two.
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
    "families:read",
    "families:decide",
    "memberships:read",
    "memberships:prepare",
    "memberships:approve",
)
"""Every scope that a client of the operator may hold, likewise."""

EVERY_SCOPE = (*SCOPES, *STAFF_SCOPES)
"""Every scope that a client may hold; members are no clients."""

MEMBER_SCOPE = "member"
"""The one scope of a member who has signed in: its own affairs."""

OPERATOR = 0
"""The operator's number where a partner's would stand."""

MEMBERS = -1
"""The number that stands there for members: no partner has it, and no row of a tenant."""

MEMBERS_CLIENT = "member"
"""The `client_id` of all members' tokens; it names nobody in a log."""


def scopes_of_side(partner_no: int) -> tuple[str, ...]:
    """Return the scopes that a client of this partner, or of the operator, may hold."""
    return STAFF_SCOPES if partner_no == OPERATOR else SCOPES


class Caller(msgspec.Struct, frozen=True):
    """A client of a partner or of the operator, or a member, known by a verified access token.

    `partner_no` is `OPERATOR` and `partner_id` None for one of the operator. A member's token names
    the member, when it last gave its password and by which login, and `MEMBERS` as `partner_no`.
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
    member_id: UUID | None = None
    authenticated_at: datetime | None = None
    login_id: UUID | None = None

    @property
    def actor(self) -> str:
        """The name under which the audit log and approvals know the client, or the member."""
        if self.member_id is not None:
            return f"member:{self.member_id}"
        return f"client:{self.client_id}"
