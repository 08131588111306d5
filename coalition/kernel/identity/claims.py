"""The shape of an access token (RFC 9068): what the issuer writes and the verifier demands."""

from uuid import UUID

import msgspec

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - the media type of RFC 9068 section 2.1, not a secret
ALGORITHM = "EdDSA"

LIFETIME_MAX_S = 15 * 60
"""The longest that a token may live; a longer one is refused even when its signature is good."""

LEEWAY_S = 30
"""How far ahead `iat` and `nbf` may lie: clocks of two machines differ. `exp` has no leeway."""


def audience_of(issuer: str) -> str:
    """Return the `aud` of tokens for the API of `issuer`: its base address."""
    return issuer + "/v1"


class AccessClaims(msgspec.Struct, frozen=True, omit_defaults=True):
    """The claims of an access token: those of RFC 9068 section 2.2, then the coalition's own.

    Times are whole seconds since 1970. `aud` is one string; `scope` is words with spaces between.
    A client of the operator has partner number 0 and no `partner_id`. A member's token has its
    `member_id` as `sub`, and says in `auth_time` when the member gave its password, and which: that
    of the login `login_id`, set there as the `password_no`-th.
    """

    iss: str
    sub: str
    client_id: str
    aud: str
    iat: int
    exp: int
    jti: str
    scope: str
    client_no: int
    partner_no: int
    partner_id: UUID | None = None
    store_no: int | None = None
    nbf: int | None = None
    member_id: UUID | None = None
    auth_time: int | None = None
    login_id: UUID | None = None
    password_no: int = 0


class TokenHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The header of an access token; any other member (`crit`, `jwk`, `jku` ...) refuses it."""

    alg: str
    typ: str
    kid: str
