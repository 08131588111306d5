"""Verifies access tokens: all claims the first time, then the same token at the cost of a look-up.

PyJWT checks the signature. It would accept a wrong `typ`, a ten-year `exp` and a list of audiences,
and it reads the clock itself; so all claims are checked here, at the instant that the caller names.
"""

import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from coalition.kernel.errors import Unauthenticated
from coalition.kernel.identity.caller import (
    MEMBER_SCOPE,
    MEMBERS,
    MEMBERS_CLIENT,
    OPERATOR,
    SCOPES,
    STAFF_SCOPES,
    Caller,
)
from coalition.kernel.identity.claims import (
    ACCESS_TOKEN_TYPE,
    ALGORITHM,
    LEEWAY_S,
    LIFETIME_MAX_S,
    AccessClaims,
    TokenHeader,
)

TOKEN_MAX_BYTES = 4096
"""Ours have some 700 bytes; what is much longer is refused before anything is decoded."""

REMEMBERED_MAX = 10_000
"""How many verified tokens are remembered; a client needs one in fifteen minutes."""

_BLANK = hashlib.blake2b(digest_size=32)  # to be copied, which costs less than making one
_decode_header = msgspec.json.Decoder(TokenHeader, strict=True).decode
_decode_claims = msgspec.json.Decoder(AccessClaims, strict=True).decode


class InvalidToken(Unauthenticated):
    """The access token is not valid here; get a new one at /oauth/token."""

    code = "invalid_token"
    title = "Invalid access token"


class _Verified(msgspec.Struct, frozen=True, gc=False):
    caller: Caller
    token_id: str
    password_no: int


class TokenVerifier:
    """Turns an access token into its `Caller`, for one issuer and one audience.

    The keys trusted and the tokens revoked live in memory; `coalition.access.freshness` keeps them
    up to date. One verifier serves one event loop; it is not for several threads.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: Mapping[str, Ed25519PublicKey] | None = None,
    ) -> None:
        """Verify tokens of `issuer` for `audience`, signed by one of `keys` (by `kid`)."""
        self.issuer = issuer
        self.audience = audience
        self._jws = jwt.PyJWS(algorithms=[ALGORITHM])
        self._keys = dict(keys or {})
        self._revoked_clients: dict[int, datetime] = {}
        self._revoked_tokens: dict[str, datetime] = {}
        self._passwords: dict[UUID, tuple[int, datetime]] = {}
        self._remembered: dict[bytes, _Verified] = {}

    @property
    def keys(self) -> Mapping[str, Ed25519PublicKey]:
        """The public keys that are trusted now, by `kid`."""
        return self._keys

    @property
    def remembered_count(self) -> int:
        """How many tokens would be known again at the cost of a look-up."""
        return len(self._remembered)

    def trust(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        """Trust `keys` and no others; what a dropped key has signed is worth nothing now."""
        if any(keys.get(kid) != key for kid, key in self._keys.items()):
            self._remembered.clear()
        self._keys = dict(keys)

    def revoke_client(self, client_no: int, *, until: datetime) -> None:
        """Accept no token of this client from now on; `until` is when the last of them ends."""
        self._revoked_clients[client_no] = until

    def revoke_token(self, token_id: str, *, until: datetime) -> None:
        """Accept the token with this `jti` no longer; `until` is when it ends anyway."""
        self._revoked_tokens[token_id] = until

    def expect_password(self, login_id: UUID, password_no: int, *, until: datetime) -> None:
        """Accept no token that an earlier password of a login gave; `until` the last of them ends.

        What is known of a later password stays.
        """
        known, _ = self._passwords.get(login_id, (0, until))
        self._passwords[login_id] = max(known, password_no), until

    def forget_ended(self, at: datetime) -> None:
        """Forget the revocations of tokens that have ended by themselves."""
        clients, tokens = self._revoked_clients, self._revoked_tokens
        self._revoked_clients = {no: until for no, until in clients.items() if until > at}
        self._revoked_tokens = {id_: until for id_, until in tokens.items() if until > at}
        self._passwords = {id_: one for id_, one in self._passwords.items() if one[1] > at}

    def verify(self, token: str | bytes, at: datetime) -> Caller:
        """Return who presents `token` at the instant `at`; raise `InvalidToken` if it is bad."""
        return self._verified(token, at).caller

    def token_id(self, token: str | bytes, at: datetime) -> str:
        """Return the `jti` of a good token, by which it is revoked; else raise `InvalidToken`."""
        return self._verified(token, at).token_id

    def _verified(self, token: str | bytes, at: datetime) -> _Verified:
        data = token if isinstance(token, bytes) else token.encode("utf-8", "replace")
        if len(data) > TOKEN_MAX_BYTES:
            raise InvalidToken(f"An access token has at most {TOKEN_MAX_BYTES} bytes")
        # The digest is what is kept: a dump of the memory then holds no token that opens a door.
        blank = _BLANK.copy()
        blank.update(data)
        digest = blank.digest()
        verified = self._remembered.get(digest)
        if verified is None:
            verified = self._check(data, at)
            self._remember(digest, verified, at)
        caller = verified.caller
        if at >= caller.expires_at:
            self._remembered.pop(digest, None)
            raise InvalidToken("The access token has expired; get a new one at /oauth/token")
        if caller.client_no in self._revoked_clients or verified.token_id in self._revoked_tokens:
            raise InvalidToken("The access token has been revoked")
        if caller.login_id is not None and caller.login_id in self._passwords:
            least, _ = self._passwords[caller.login_id]
            if verified.password_no < least:
                raise InvalidToken("The password has changed since; sign in again")
        return verified

    def _remember(self, digest: bytes, verified: _Verified, at: datetime) -> None:
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered = {
                known: entry
                for known, entry in self._remembered.items()
                if at < entry.caller.expires_at
            }
        while len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[digest] = verified

    def _check(self, data: bytes, at: datetime) -> _Verified:
        header = _header(data)
        key = self._keys.get(header.kid)
        if key is None:
            raise InvalidToken("The access token is not signed by a key that is trusted here")
        try:
            payload = self._jws.decode_complete(data, key, algorithms=[ALGORITHM])["payload"]
        except jwt.PyJWTError as error:
            raise InvalidToken("The signature of the access token is wrong") from error
        try:
            claims = _decode_claims(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidToken(
                "A claim of the access token is missing or of a wrong type"
            ) from error
        self._check_claims(claims, at)
        return _Verified(_caller(claims), claims.jti, claims.password_no)

    def _check_claims(self, claims: AccessClaims, at: datetime) -> None:
        if claims.iss != self.issuer:
            raise InvalidToken("The access token is of another issuer")
        if claims.aud != self.audience:
            raise InvalidToken("The access token is for another audience")
        subject = claims.client_id if claims.member_id is None else str(claims.member_id)
        if claims.sub != subject or not claims.jti:
            raise InvalidToken("The access token names no client or has no id")
        if not 0 < claims.exp - claims.iat <= LIFETIME_MAX_S:
            raise InvalidToken(f"An access token lives at most {LIFETIME_MAX_S} seconds")
        earliest = claims.iat if claims.nbf is None else max(claims.iat, claims.nbf)
        if earliest > at.timestamp() + LEEWAY_S:
            raise InvalidToken("The access token is not valid yet")
        if claims.exp <= at.timestamp():
            raise InvalidToken("The access token has expired; get a new one at /oauth/token")
        _check_side(claims)


def _check_side(claims: AccessClaims) -> None:
    """Refuse a token that is of two sides at once; none is ever issued so."""
    if claims.partner_no == MEMBERS or claims.member_id is not None:
        _check_member(claims)
        return
    if claims.auth_time is not None or claims.login_id is not None:
        raise InvalidToken("The access token says how a member signed in, but names none")
    is_operators = claims.partner_no == OPERATOR
    if is_operators != (claims.partner_id is None):
        raise InvalidToken("The access token names no partner, or one that is none")
    if is_operators and claims.store_no is not None:
        raise InvalidToken("The access token names a store of the operator, who has none")
    others = {MEMBER_SCOPE, *(SCOPES if is_operators else STAFF_SCOPES)}
    if not others.isdisjoint(claims.scope.split()):
        raise InvalidToken("The access token mixes scopes of partners, of staff and of members")


def _check_member(claims: AccessClaims) -> None:
    """Refuse a member's token that claims to be anybody else's as well."""
    is_nobody_else = (
        claims.partner_no == MEMBERS
        and (claims.client_no, claims.client_id) == (0, MEMBERS_CLIENT)
        and claims.partner_id is None
        and claims.store_no is None
    )
    if not is_nobody_else or claims.member_id is None:
        raise InvalidToken("The access token is a member's and somebody else's")
    if claims.scope != MEMBER_SCOPE:
        raise InvalidToken("The access token of a member has a scope that is none of members")
    if claims.auth_time is None or not 0 <= claims.auth_time <= claims.iat:
        raise InvalidToken("The access token does not say when the member signed in")


def _header(data: bytes) -> TokenHeader:
    """Return the header of a token that may be ours; the signature is not checked yet."""
    encoded, _, rest = data.partition(b".")
    try:
        header = _decode_header(urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise InvalidToken("This is not an access token of the coalition") from error
    if header.alg != ALGORITHM or header.typ != ACCESS_TOKEN_TYPE or rest.count(b".") != 1:
        raise InvalidToken(f"An access token is a JWT of type {ACCESS_TOKEN_TYPE} with {ALGORITHM}")
    return header


def _caller(claims: AccessClaims) -> Caller:
    return Caller(
        client_no=claims.client_no,
        client_id=claims.client_id,
        partner_no=claims.partner_no,
        partner_id=claims.partner_id,
        scopes=frozenset(claims.scope.split()),
        store_no=claims.store_no,
        expires_at=datetime.fromtimestamp(claims.exp, UTC),
        member_id=claims.member_id,
        authenticated_at=None
        if claims.auth_time is None
        else datetime.fromtimestamp(claims.auth_time, UTC),
        login_id=claims.login_id,
    )
