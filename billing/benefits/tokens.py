"""Entitlement tokens: what a till may check without asking, by our published keys, for some hours.

A token names the member by an id that says nothing, its plan and the codes of its benefits at one
partner, and no person. It ends with the entitlement at the latest. It is no access token: those are
of another type and for another audience, and neither passes for the other.
"""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from billing.benefits.held_now import HeldNow
from coalition.access.signing import SigningKey
from coalition.access.signing_keys import LONGEST_SIGNED, active_signing_key
from coalition.kernel.database import Connection
from coalition.kernel.errors import Unauthenticated

TYPE = "entitlement+jwt"
"""The `typ` of these tokens."""
ALGORITHM = "EdDSA"
QUARTER = timedelta(minutes=15)
"""How long the same token is given again."""
REMEMBERED_MOST = 20_000

_jws = jwt.PyJWS(algorithms=[ALGORITHM])


class InvalidEntitlement(Unauthenticated):
    """The token is no entitlement for this partner now; ask for a new one."""

    code, title = "invalid_entitlement", "Invalid entitlement"


class EntitlementClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What an entitlement token says; times are whole seconds since 1970.

    `aud` is `partner:` and the partner's id, `sub` the member's.
    """

    iss: str
    aud: str
    sub: UUID
    iat: int
    exp: int
    plan: str
    flags: tuple[str, ...]
    benefits: tuple[str, ...]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    typ: str
    kid: str


def audience_of(partner_id: UUID) -> str:
    """Return the `aud` of tokens for a partner."""
    return f"partner:{partner_id}"


class Signer:
    """Signs entitlements of one service; the same within a quarter of an hour is signed once."""

    def __init__(self, *, issuer: str, master_key: bytes) -> None:
        """Sign as `issuer`, by its active signing key."""
        self._issuer = issuer
        self._master_key = master_key
        self._quarter: datetime | None = None
        self._key: SigningKey | None = None
        self._signed: dict[bytes, str] = {}

    async def sign(
        self, connection: Connection, held: HeldNow, *, partner_id: UUID, at: datetime
    ) -> str | None:
        """Return the token for what a member holds now; None for who holds nothing."""
        if held.plan is None or held.until is None:
            return None
        begins = _quarter_of(at)
        claims = EntitlementClaims(
            iss=self._issuer,
            aud=audience_of(partner_id),
            sub=held.member_id,
            iat=int(begins.timestamp()),
            exp=int(min(held.until, begins + LONGEST_SIGNED).timestamp()),
            plan=held.plan,
            flags=held.flags,
            benefits=tuple(one.code for one in held.benefits),
        )
        payload = msgspec.json.encode(claims)
        if self._quarter != begins or self._key is None:
            self._signed.clear()
            master_key = self._master_key
            self._key = await active_signing_key(connection, master_key=master_key, at=at)
            self._quarter = begins
        known = self._signed.get(payload)
        if known is None:
            if len(self._signed) >= REMEMBERED_MOST:
                self._signed.clear()
            known = self._signed[payload] = self._key.sign_as(TYPE, payload)
        return known


def verify(
    token: str,
    keys: Mapping[str, Ed25519PublicKey],
    *,
    issuer: str,
    partner_id: UUID,
    at: datetime,
) -> EntitlementClaims:
    """Return what a token says that is good at `at`, by published `keys` (by `kid`), offline.

    Raises `InvalidEntitlement`. A till needs no more than this; docs/guides/partner.md has it in
    other words.
    """
    try:
        encoded = token.split(".", maxsplit=1)[0]
        padded = encoded + "=" * (-len(encoded) % 4)
        header = msgspec.json.decode(urlsafe_b64decode(padded), type=_Header)
        if header.alg != ALGORITHM or header.typ != TYPE or header.kid not in keys:
            raise InvalidEntitlement("The token is of another type, or signed by another key")
        payload = _jws.decode_complete(token, keys[header.kid], algorithms=[ALGORITHM])["payload"]
        claims = msgspec.json.decode(payload, type=EntitlementClaims)
    except (ValueError, msgspec.DecodeError, jwt.PyJWTError) as error:
        raise InvalidEntitlement("The token is not one of ours") from error
    if (claims.iss, claims.aud) != (issuer, audience_of(partner_id)):
        raise InvalidEntitlement("The token is of another issuer, or for another partner")
    if not claims.iat <= at.timestamp() < claims.exp:
        raise InvalidEntitlement("The token has expired, or is not valid yet")
    return claims


def _quarter_of(at: datetime) -> datetime:
    local = at.astimezone(UTC)
    return local.replace(minute=local.minute - local.minute % 15, second=0, microsecond=0)
