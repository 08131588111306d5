"""Gives access tokens to clients that prove who they are, and takes them back."""

from datetime import datetime, timedelta

import msgspec

from coalition.access import signing_keys
from coalition.access.credentials import Credential, authenticate_client
from coalition.access.queries import KnownClient
from coalition.access.refusals import (
    InvalidGrant,
    InvalidScope,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from coalition.access.signing import base64url
from coalition.kernel.database import retrying, transaction
from coalition.kernel.identity import (
    LEEWAY_S,
    LIFETIME_MAX_S,
    AccessClaims,
    InvalidToken,
    TokenVerifier,
    audience_of,
)
from coalition.kernel.ids import random_id
from coalition.kernel.settings import Settings

CLIENT_CREDENTIALS = "client_credentials"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - an address, not a secret
REVOCATION_PATH = "/oauth/revoke"
TOKEN_LIFETIME_S = LIFETIME_MAX_S


class IssuedToken(msgspec.Struct, frozen=True):
    """An access token, its life in seconds and the scopes that it holds."""

    access_token: str
    expires_in_s: int
    scopes: tuple[str, ...]


async def issue_token(
    credential: Credential,
    *,
    grant_type: str,
    scope: str | None,
    settings: Settings,
    at: datetime,
) -> IssuedToken:
    """Return an access token for the client that `credential` proves.

    `scope` (words with spaces between) narrows the token; none asked for is all the client holds.
    Raises a `TokenRefused`, or `Unavailable` when the database does not answer.
    """

    async def work() -> IssuedToken:
        async with transaction() as connection:
            client = await authenticate_client(
                connection, credential, audiences=_our_names(settings.issuer), at=at
            )
            if grant_type != CLIENT_CREDENTIALS:
                raise UnsupportedGrantType
            if client.partner_state != "active":
                raise UnauthorizedClient
            scopes = _granted(client, scope)
            key = await signing_keys.active_signing_key(
                connection, master_key=settings.master_key, at=at
            )
        token = key.sign(_claims(client, scopes, issuer=settings.issuer, at=at))
        return IssuedToken(token, TOKEN_LIFETIME_S, scopes)

    return await retrying(work)


async def revoke_token(
    credential: Credential,
    token: str,
    *,
    verifier: TokenVerifier,
    settings: Settings,
    at: datetime,
) -> None:
    """Take `token` back, at once in this process and in others when they next look (RFC 7009).

    A token that is not valid anyway needs nothing. Raises `InvalidClient`, `InvalidGrant` for a
    token of another client, or `Unavailable`.
    """

    async def work() -> None:
        async with transaction() as connection:
            client = await authenticate_client(
                connection, credential, audiences=_our_names(settings.issuer), at=at
            )
            try:
                caller, token_id = verifier.verify(token, at), verifier.token_id(token, at)
            except InvalidToken:
                return
            if caller.client_no != client.no:
                raise InvalidGrant
            until = caller.expires_at + timedelta(seconds=LEEWAY_S)
            await connection.execute("DELETE FROM revocation WHERE expires_at <= $1", at)
            await connection.execute(
                """
                INSERT INTO revocation (token_id, client_no, created_at, expires_at)
                VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
                """,
                token_id,
                client.no,
                at,
                until,
            )
        verifier.revoke_token(token_id, until=until)

    await retrying(work)


def _our_names(issuer: str) -> tuple[str, ...]:
    return (issuer, issuer + TOKEN_PATH, issuer + REVOCATION_PATH)


def _granted(client: KnownClient, scope: str | None) -> tuple[str, ...]:
    asked = client.scopes if scope is None else scope.split()
    if not asked or not set(asked) <= set(client.scopes):
        raise InvalidScope
    return tuple(held for held in client.scopes if held in asked)


def _claims(
    client: KnownClient, scopes: tuple[str, ...], *, issuer: str, at: datetime
) -> AccessClaims:
    issued_s = int(at.timestamp())
    return AccessClaims(
        iss=issuer,
        sub=client.client_id,
        client_id=client.client_id,
        aud=audience_of(issuer),
        iat=issued_s,
        exp=issued_s + TOKEN_LIFETIME_S,
        jti=base64url(random_id().bytes),
        scope=" ".join(scopes),
        client_no=client.no,
        partner_no=client.partner_no,
        partner_id=client.partner_id,
        store_no=client.store_no,
    )
