"""Where a member changes its password by the old one."""

from typing import Annotated

from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.access.passwords import LONGEST, SHORTEST
from coalition.access.refusals import (
    MemberFrozen,
    MembershipEnded,
    TooManyAttempts,
    WeakPassword,
    WrongPassword,
)
from coalition.access.sign_in import SignIns
from coalition.access.sign_in_api import SignedInAnswer
from coalition.kernel.identity import MEMBER_SCOPE, TokenVerifier
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import HolderMerged

_NOT_STORED = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


class ChangeBody(Body, frozen=True):
    """The password that holds, and the one that is to hold from now on."""

    old_password: Annotated[str, Meta(min_length=1, max_length=LONGEST)]
    new_password: Annotated[
        str, Meta(min_length=SHORTEST, max_length=LONGEST, examples=["three words of mine"])
    ]


def routes(door: Door, sign_ins: SignIns, verifier: TokenVerifier) -> list[ASGIRouteHandler]:
    """Return the handler of changing one's password."""

    async def change(call: Call) -> Answer:
        body: ChangeBody = call.body
        done = await sign_ins.change_password(
            call.caller, body.old_password, body.new_password, call.at, verifier=verifier
        )
        return Answer(200, SignedInAnswer.of(done), _NOT_STORED)

    endpoint = HotEndpoint(
        method="PUT",
        summary="Change your password",
        description=(
            "By the old one. Every token given before opens nothing any more, here at once and in "
            "other processes within two seconds; the answer has a new one for who asks. It needs "
            "no Idempotency-Key: sent again, the old password is the wrong one."
        ),
        handle=change,
        body=ChangeBody,
        answers={200: SignedInAnswer},
        scope=MEMBER_SCOPE,
        refusals=(
            *(WrongPassword, WeakPassword, TooManyAttempts),
            *(MemberFrozen, MembershipEnded, HolderMerged),
        ),
        tags=("sign-in",),
    )
    return [hot_route(door, "/v1/me/password", endpoint)]
