"""Client assertions: a JWT by which a client proves itself with its key (private_key_jwt).

RFC 7523 section 3 and OpenID Connect Core section 9 say what it holds; that it is used once, lives
five minutes at most and is for us alone is checked here, since PyJWT checks none of it.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import jwt
import msgspec

from coalition.access.client_keys import (
    ASSERTION_ALGORITHMS,
    ClientPublicKey,
    load_public_key,
)
from coalition.access.refusals import InvalidClient
from coalition.kernel.identity import LEEWAY_S

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_MAX_CHARACTERS = 8192
ASSERTION_LIFETIME_MAX_S = 5 * 60
TOKEN_ID_MAX = 200

_TYPES = frozenset({None, "jwt", "client-authentication+jwt"})


class _Header(msgspec.Struct, frozen=True):
    alg: str
    typ: str | None = None
    kid: str | None = None
    crit: object = None
    b64: object = None


class _Claims(msgspec.Struct, frozen=True):
    """Times may have fractions (NumericDate, RFC 7519 section 2)."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: int | float
    jti: str
    iat: int | float | None = None
    nbf: int | float | None = None


class Assertion(msgspec.Struct, frozen=True):
    """A client assertion as it claims to be; nothing in it is proven yet."""

    text: str
    header: _Header
    claims: _Claims

    @property
    def client_id(self) -> str:
        """The client that it claims to come from."""
        return self.claims.sub


class Proven(msgspec.Struct, frozen=True):
    """What is left of a good assertion: its id, to be used up, and until when that must be kept."""

    token_id: str
    keep_until: datetime


def read(text: str) -> Assertion:
    """Return what the assertion claims; raise `InvalidClient` when it is none."""
    if len(text) > ASSERTION_MAX_CHARACTERS or not text.isascii():
        raise InvalidClient(f"A client assertion has at most {ASSERTION_MAX_CHARACTERS} characters")
    try:
        unproven = jwt.PyJWS(algorithms=list(ASSERTION_ALGORITHMS)).decode_complete(
            text, options={"verify_signature": False}
        )
        header = msgspec.convert(unproven["header"], _Header)
        claims = msgspec.json.decode(unproven["payload"], type=_Claims)
    except (jwt.PyJWTError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidClient(
            "The client assertion is no JWT with iss, sub, aud, exp and jti"
        ) from error
    # What is no client_id is refused here: the database takes no NUL in a text.
    if not claims.sub.isascii() or not claims.sub.isprintable():
        raise InvalidClient
    return Assertion(text, header, claims)


def prove(
    assertion: Assertion,
    keys: Sequence[ClientPublicKey],
    *,
    audiences: Collection[str],
    at: datetime,
) -> Proven:
    """Return the id of a good assertion of the client that has `keys`; raise `InvalidClient`.

    `audiences` are the names by which we may be meant: the issuer or the token endpoint.
    """
    _check_header(assertion.header)
    _check_signature(assertion, keys)
    _check_claims(assertion.claims, audiences, at)
    expires_at = datetime.fromtimestamp(assertion.claims.exp, UTC)
    return Proven(assertion.claims.jti, keep_until=expires_at + timedelta(seconds=LEEWAY_S + 1))


def _check_header(header: _Header) -> None:
    if header.alg not in ASSERTION_ALGORITHMS:
        raise InvalidClient(f"A client assertion is signed by {', '.join(ASSERTION_ALGORITHMS)}")
    if header.crit is not None or header.b64 is not None:
        raise InvalidClient("The client assertion has header members that are not understood here")
    if (header.typ and header.typ.lower()) not in _TYPES:
        raise InvalidClient("The typ of a client assertion is JWT or client-authentication+jwt")


def _check_signature(assertion: Assertion, keys: Sequence[ClientPublicKey]) -> None:
    header = assertion.header
    for key in keys:
        if key.algorithm == header.alg and header.kid in {None, key.kid}:
            try:
                jwt.PyJWS(algorithms=[key.algorithm]).decode_complete(
                    assertion.text, load_public_key(key.der), algorithms=[key.algorithm]
                )
            except jwt.PyJWTError:
                continue
            return
    raise InvalidClient("The client assertion is not signed by a key of the client")


def _check_claims(claims: _Claims, audiences: Collection[str], at: datetime) -> None:
    if claims.iss != claims.sub:
        raise InvalidClient("The iss and sub of a client assertion are both the client_id")
    # More than one audience would let another server that we do not know use the assertion here.
    meant = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if len(meant) != 1 or meant[0] not in audiences:
        raise InvalidClient(
            "The aud of a client assertion is the issuer or the token endpoint alone"
        )
    if not 1 <= len(claims.jti) <= TOKEN_ID_MAX:
        raise InvalidClient(f"The jti of a client assertion has 1 to {TOKEN_ID_MAX} characters")
    _check_times(claims, at.timestamp())


def _check_times(claims: _Claims, now_s: float) -> None:
    if claims.exp <= now_s - LEEWAY_S:
        raise InvalidClient("The client assertion has expired")
    if any(begin is not None and begin > now_s + LEEWAY_S for begin in (claims.iat, claims.nbf)):
        raise InvalidClient("The client assertion is not valid yet")
    latest_s = now_s + LEEWAY_S if claims.iat is None else claims.iat
    if claims.exp > latest_s + ASSERTION_LIFETIME_MAX_S:
        raise InvalidClient(f"A client assertion lives at most {ASSERTION_LIFETIME_MAX_S} seconds")
