"""Who is calling: access tokens verified, never issued; `coalition.access` issues them."""

from coalition.kernel.identity.caller import SCOPES, Caller
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
    "LEEWAY_S",
    "LIFETIME_MAX_S",
    "SCOPES",
    "AccessClaims",
    "Caller",
    "InvalidToken",
    "TokenVerifier",
    "audience_of",
]
