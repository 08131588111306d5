"""Where members sign in, set their password by a code, and sign out."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, post, put
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from coalition.access import sign_in
from coalition.access.passwords import LONGEST, SHORTEST
from coalition.access.sign_in import SignedIn, SignIns
from coalition.kernel.errors import Forbidden
from coalition.kernel.identity import MEMBER_SCOPE, Caller
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import bearer_token
from coalition.kernel.web.problem import MEDIA_TYPE, Problem

SIGN_IN_PATH = "/v1/sign-in"

_NOT_STORED = {"cache-control": "no-store", "pragma": "no-cache"}

AnyRequest = Request[Any, Any, State]  # Any: there is neither user nor session here


class SignInBody(Body, frozen=True):
    """Who wants to sign in."""

    email: Annotated[str, Meta(min_length=3, max_length=254, examples=["asa@exempel.example"])]
    password: Annotated[str, Meta(min_length=1, max_length=LONGEST)]


class SignedInAnswer(msgspec.Struct, frozen=True):
    """An access token of a member; `expires_in` is its life in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    member_id: UUID


class PasswordBody(Body, frozen=True):
    """A one-time code of the operator's staff, and the password that is to hold from now on."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]
    password: Annotated[
        str, Meta(min_length=SHORTEST, max_length=LONGEST, examples=["three words of mine"])
    ]


class ChangeBody(Body, frozen=True):
    """The password that holds, and the one that is to hold from now on."""

    old_password: Annotated[str, Meta(min_length=1, max_length=LONGEST)]
    new_password: Annotated[
        str, Meta(min_length=SHORTEST, max_length=LONGEST, examples=["three words of mine"])
    ]


class PasswordAnswer(msgspec.Struct, frozen=True):
    """Whose password was set."""

    member_id: UUID


def routes(sign_ins: SignIns) -> Sequence[ControllerRouterHandler]:
    """Return the handlers of signing in and out."""

    @post(
        SIGN_IN_PATH,
        status_code=200,
        tags=["sign-in"],
        summary="Sign in as a member",
        responses=_refusals(
            {
                401: "`sign_in_failed`: address and password do not belong together",
                403: "`membership_ended`: who was a member signs in no more",
                422: "`invalid`: a field is not valid; `invalid_email`: this is no address",
                429: "`too_many_attempts`: try again after `retry_after_s` seconds",
            }
        ),
    )
    async def enter(data: JSONBody[SignInBody], request: AnyRequest) -> Response[SignedInAnswer]:
        """Give a member an access token for fifteen minutes.

        An address that nobody has is answered as a wrong password is. It needs no Idempotency-Key:
        sent again it signs in again.
        """
        at = request.app.state.clock.now()
        return _signed_in(await sign_ins.sign_in(data.email, data.password, at))

    @post(
        f"{SIGN_IN_PATH}/password",
        status_code=200,
        tags=["sign-in"],
        summary="Set a password by a one-time code",
        responses=_refusals(
            {
                401: "`unusable_code`: the code is unknown, used or over",
                422: "`invalid`: a field is not valid; `weak_password`: others try it first",
            }
        ),
    )
    async def set_password(
        data: JSONBody[PasswordBody], request: AnyRequest
    ) -> Response[PasswordAnswer]:
        """Set the password of the member to whom staff gave the code, which is used up."""
        at = request.app.state.clock.now()
        member = await sign_ins.set_password(data.code, data.password, at)
        return Response(PasswordAnswer(member), headers=_NOT_STORED)

    @put(
        "/v1/me/password",
        status_code=200,
        tags=["sign-in"],
        summary="Change your password",
        security=[{"member": []}],
        responses=_refusals(
            {
                401: "`unauthenticated`, `invalid_token`: there is no valid token",
                403: "`wrong_password`: the old one does not hold; `member_frozen`, "
                "`membership_ended`: nothing may be changed; `forbidden`: clients have none",
                409: "`member_merged`: sign in again",
                422: "`invalid`: a field is not valid; `weak_password`: others try it first",
                429: "`too_many_attempts`: try again after `retry_after_s` seconds",
            }
        ),
    )
    async def change_password(
        data: JSONBody[ChangeBody], request: AnyRequest
    ) -> Response[SignedInAnswer]:
        """Set another password by the old one; every token given before opens nothing any more.

        The answer has a new token for who asks. It needs no Idempotency-Key: sent again, the old
        password is the wrong one.
        """
        at, verifier = request.app.state.clock.now(), request.app.state.verifier
        caller = _member(request, "Clients change their secrets by `coalition client`")
        done = await sign_ins.change_password(
            caller, data.old_password, data.new_password, at, verifier=verifier
        )
        return _signed_in(done)

    return [enter, set_password, change_password, leave]


def _signed_in(done: SignedIn) -> Response[SignedInAnswer]:
    answer = SignedInAnswer(
        done.access_token, "Bearer", done.expires_in_s, MEMBER_SCOPE, done.member_id
    )
    return Response(answer, headers=_NOT_STORED)


def _member(request: AnyRequest, otherwise: str) -> Caller:
    """Return the member who asks; tell a client what to do `otherwise`."""
    at, verifier = request.app.state.clock.now(), request.app.state.verifier
    caller: Caller = verifier.verify(_token(request), at)
    if caller.member_id is None:
        raise Forbidden(otherwise)
    return caller


def _token(request: AnyRequest) -> str:
    return bearer_token(request.headers.get("authorization", "").encode("latin-1"))


def _refusals(meanings: dict[int, str]) -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(
            Problem,
            description=meaning,
            generate_examples=False,
            media_type=MEDIA_TYPE,
        )
        for status, meaning in meanings.items()
    }


@post(
    "/v1/sign-out",
    status_code=204,
    tags=["sign-in"],
    summary="Sign out",
    security=[{"member": []}],
    responses=_refusals(
        {
            401: "`unauthenticated`, `invalid_token`: there is no valid token to take back",
            403: "`forbidden`: a client returns its token at /oauth/revoke",
        }
    ),
)
async def leave(request: AnyRequest) -> None:
    """Take the token of this request back; it opens nothing from now on."""
    at, verifier = request.app.state.clock.now(), request.app.state.verifier
    _member(request, "Clients return their tokens at /oauth/revoke")
    await sign_in.sign_out(_token(request), verifier=verifier, at=at)
