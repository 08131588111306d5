"""Entitlement tokens: what a till may check without asking, by our published keys, for some hours.

A token names the member by an id that says nothing, its plan and the codes of its benefits at one
partner, and no person. Where it was asked for with a card it bears that card's mark, by which a
till knows whose it is without a look-up; the mark is of one partner, and does not tell the card. It
ends with the entitlement at the latest, and says how often a benefit may still be had. It is no
access token: those are of another type and for another audience, and neither passes for the other.
"""

import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import UNSET

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

    `aud` is `partner:` and the partner's id, `sub` the member's, `jti` the same for the same token.
    `remaining` is how often those benefits may be had, at `iat`, that are limited. `card` is the
    mark of the card that it was asked for with (see `mark_of`), empty where there was none.
    """

    iss: str
    aud: str
    sub: UUID
    iat: int
    exp: int
    plan: str
    flags: tuple[str, ...]
    benefits: tuple[str, ...]
    remaining: dict[str, int] = {}
    card: str = ""
    jti: str = ""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    typ: str
    kid: str


def audience_of(partner_id: UUID) -> str:
    """Return the `aud` of tokens for a partner."""
    return f"partner:{partner_id}"


def mark_of(card: str, partner_id: UUID) -> str:
    """Return the mark of a card, written without spaces and in capitals, at one partner."""
    return hashlib.sha256(f"{audience_of(partner_id)} {card}".encode()).hexdigest()[:32]


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
        self,
        connection: Connection,
        held: HeldNow,
        *,
        partner_id: UUID,
        card: str | None = None,
        at: datetime,
    ) -> str | None:
        """Return the token for what a member holds now; None for who holds nothing.

        `card` is one that the caller has seen to be the member's, in its normal form.
        """
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
            remaining={
                one.code: one.remaining for one in held.benefits if one.remaining is not UNSET
            },
            card="" if card is None else mark_of(card, partner_id),
            jti="",
        )
        name = hashlib.sha256(msgspec.json.encode(claims)).hexdigest()[:32]
        payload = msgspec.json.encode(msgspec.structs.replace(claims, jti=name))
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

    Raises `InvalidEntitlement`. A till needs no more than this; docs/guides/till.md has it in
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
