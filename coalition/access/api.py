"""Where clients get and return tokens, and learn how: RFC 6749, 7009, 7517, 8414."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ControllerRouterHandler

from coalition.access import tokens
from coalition.access.client_keys import ASSERTION_ALGORITHMS
from coalition.access.credentials import Credential
from coalition.access.form import FORM_MAX_BYTES, credential_of, read_form
from coalition.access.form_description import RevocationOperation, TokenOperation
from coalition.access.refusals import InvalidClient, InvalidRequest, TokenRefused
from coalition.access.signing import base64url
from coalition.kernel.identity import EVERY_SCOPE
from coalition.kernel.web.decoding import BodyTruncated, read_body

JWKS_PATH = "/.well-known/jwks.json"
METADATA_PATH = "/.well-known/oauth-authorization-server"
KEY_SET_CACHED_S = 300

_NOT_STORED = {"cache-control": "no-store", "pragma": "no-cache"}
_CACHED = {"cache-control": f"public, max-age={KEY_SET_CACHED_S}"}
_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")

AnyRequest = Request[Any, Any, State]  # Any: there is neither user nor session here


class TokenAnswer(msgspec.Struct, frozen=True):
    """An access token (RFC 6749 section 5.1)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class TokenError(msgspec.Struct, frozen=True):
    """Why there is no token (RFC 6749 section 5.2)."""

    error: str
    error_description: str


class VerificationKey(msgspec.Struct, frozen=True):
    """A public key by which access tokens are verified (RFC 7517, RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class KeySet(msgspec.Struct, frozen=True):
    """The keys that are trusted now: one signs, one may be next, one may be retired."""

    keys: list[VerificationKey]


class Metadata(msgspec.Struct, frozen=True):
    """What this authorization server can (RFC 8414 section 2)."""

    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    jwks_uri: str
    scopes_supported: tuple[str, ...]
    response_types_supported: tuple[str, ...]
    grant_types_supported: tuple[str, ...]
    token_endpoint_auth_methods_supported: tuple[str, ...]
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...]
    revocation_endpoint_auth_methods_supported: tuple[str, ...]
    revocation_endpoint_auth_signing_alg_values_supported: tuple[str, ...]


_REFUSALS = {
    400: ResponseSpec(TokenError, description="The request is not good", generate_examples=False),
    401: ResponseSpec(TokenError, description="The client is not known", generate_examples=False),
}


@post(
    tokens.TOKEN_PATH,
    status_code=200,
    operation_class=TokenOperation,
    responses=_REFUSALS,
    tags=["access"],
    summary="Get an access token",
)
async def issue(request: AnyRequest) -> Response[TokenAnswer]:
    """Give the client an access token for fifteen minutes (RFC 6749 section 4.4)."""
    state = request.app.state
    try:
        form, credential, at = await _asked(request)
        if "grant_type" not in form:
            raise InvalidRequest("grant_type is missing")
        issued = await tokens.issue_token(
            credential,
            grant_type=form["grant_type"],
            scope=form.get("scope"),
            settings=state.settings,
            at=at,
        )
    except TokenRefused as refused:
        return _refusal(refused)
    answer = TokenAnswer(
        issued.access_token, "Bearer", issued.expires_in_s, " ".join(issued.scopes)
    )
    return Response(answer, headers=_NOT_STORED)


@post(
    tokens.REVOCATION_PATH,
    status_code=200,
    operation_class=RevocationOperation,
    responses=_REFUSALS,
    media_type=MediaType.TEXT,
    tags=["access"],
    summary="Return an access token",
)
async def revoke(request: AnyRequest) -> Response[str]:
    """Take a token back before its time; one that is void already is fine (RFC 7009)."""
    state = request.app.state
    try:
        form, credential, at = await _asked(request)
        if "token" not in form:
            raise InvalidRequest("token is missing")
        await tokens.revoke_token(
            credential, form["token"], verifier=state.verifier, settings=state.settings, at=at
        )
    except TokenRefused as refused:
        return _refusal(refused)
    return Response("", headers=_NOT_STORED)


@get(JWKS_PATH, tags=["access"], summary="The keys that verify access tokens")
async def key_set(request: AnyRequest) -> Response[KeySet]:
    """Tell the public keys (RFC 7517); the next key is here before it signs."""
    keys = [
        VerificationKey(
            kty="OKP",
            crv="Ed25519",
            x=base64url(key.public_bytes_raw()),
            kid=kid,
            use="sig",
            alg="EdDSA",
        )
        for kid, key in request.app.state.verifier.keys.items()
    ]
    return Response(KeySet(keys), headers=_CACHED)


@get(METADATA_PATH, tags=["access"], summary="How to get an access token")
async def metadata(request: AnyRequest) -> Response[Metadata]:
    """Tell the addresses and methods of this authorization server (RFC 8414)."""
    issuer = request.app.state.settings.issuer
    return Response(
        Metadata(
            issuer=issuer,
            token_endpoint=issuer + tokens.TOKEN_PATH,
            revocation_endpoint=issuer + tokens.REVOCATION_PATH,
            jwks_uri=issuer + JWKS_PATH,
            scopes_supported=EVERY_SCOPE,
            response_types_supported=(),
            grant_types_supported=(tokens.CLIENT_CREDENTIALS,),
            token_endpoint_auth_methods_supported=_METHODS,
            token_endpoint_auth_signing_alg_values_supported=ASSERTION_ALGORITHMS,
            revocation_endpoint_auth_methods_supported=_METHODS,
            revocation_endpoint_auth_signing_alg_values_supported=ASSERTION_ALGORITHMS,
        ),
        headers=_CACHED,
    )


ROUTES: list[ControllerRouterHandler] = [issue, revoke, key_set, metadata]


async def _asked(request: AnyRequest) -> tuple[dict[str, str], Credential, datetime]:
    """Return the parameters, who sends them, and when."""
    declared = request.headers.get("content-length", "").encode("latin-1")
    try:
        body = await read_body(request.receive, limit_bytes=FORM_MAX_BYTES, declared=declared)
    except BodyTruncated as error:
        raise InvalidRequest("The body ends before it is whole") from error
    form = dict(read_form(body, request.headers.get("content-type", "")))
    credential = credential_of(form, request.headers.getall("authorization", []))
    return form, credential, request.app.state.clock.now()


def _refusal(refused: TokenRefused) -> Response[Any]:
    """Return the error answer; one to an unknown client says how to prove itself."""
    headers = dict(_NOT_STORED)
    if isinstance(refused, InvalidClient):
        headers["www-authenticate"] = 'Basic realm="coalition"'
    return Response(
        TokenError(refused.code, refused.detail),
        status_code=refused.status,
        media_type=MediaType.JSON,
        headers=headers,
    )
