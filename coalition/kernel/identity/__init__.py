"""Who is calling: access tokens verified, never issued; `coalition.access` issues them."""

from coalition.kernel.identity.caller import (
    EVERY_SCOPE,
    MEMBER_SCOPE,
    MEMBERS,
    MEMBERS_CLIENT,
    OPERATOR,
    SCOPES,
    STAFF_SCOPES,
    Caller,
    scopes_of_side,
)
from coalition.kernel.identity.claims import (
    ACCESS_TOKEN_TYPE,
    LEEWAY_S,
    LIFETIME_MAX_S,
    AccessClaims,
    audience_of,
)
from coalition.kernel.identity.verifier import InvalidToken, TokenVerifier

__all__ = [
    "ACCESS_TOKEN_TYPE",
    "EVERY_SCOPE",
    "LEEWAY_S",
    "LIFETIME_MAX_S",
    "MEMBERS",
    "MEMBERS_CLIENT",
    "MEMBER_SCOPE",
    "OPERATOR",
    "SCOPES",
    "STAFF_SCOPES",
    "AccessClaims",
    "Caller",
    "InvalidToken",
    "TokenVerifier",
    "audience_of",
    "scopes_of_side",
]
