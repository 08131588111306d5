"""Where members sign in, set their password by a code, and sign out."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from coalition.access import sign_in
from coalition.access.passwords import LONGEST, SHORTEST
from coalition.access.sign_in import SignedIn, SignIns
from coalition.kernel.errors import Forbidden
from coalition.kernel.identity import MEMBER_SCOPE
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

    @classmethod
    def of(cls, done: SignedIn) -> "SignedInAnswer":
        """Return what is told of a member that has signed in."""
        return cls(done.access_token, "Bearer", done.expires_in_s, MEMBER_SCOPE, done.member_id)


class PasswordBody(Body, frozen=True):
    """A one-time code of the operator's staff, and the password that is to hold from now on."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]
    password: Annotated[
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

    return [enter, set_password, leave]


def _signed_in(done: SignedIn) -> Response[SignedInAnswer]:
    return Response(SignedInAnswer.of(done), headers=_NOT_STORED)


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
    token = bearer_token(request.headers.get("authorization", "").encode("latin-1"))
    at, verifier = request.app.state.clock.now(), request.app.state.verifier
    if verifier.verify(token, at).member_id is None:
        raise Forbidden("Clients return their tokens at /oauth/revoke")
    await sign_in.sign_out(token, verifier=verifier, at=at)
