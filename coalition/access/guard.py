"""Who may come in: the caller of a request from its Authorization header, and the scope it needs.

A typed handler says what it demands, and gets its caller:

    @get("/v1/things", guards=[demands("members:read")], dependencies=CALLER)
    async def things(caller: NamedDependency[Caller]) -> Things: ...

Guards run before the body is read, so a stranger learns nothing about what would be right in it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from coalition.kernel.errors import Forbidden, Malformed, Unauthenticated
from coalition.kernel.identity import SCOPES, Caller, TokenVerifier

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]

_CALLER = "coalition.caller"


def authenticate(
    headers: Iterable[tuple[bytes, bytes]], *, verifier: TokenVerifier, at: datetime
) -> Caller:
    """Return the caller by the bearer token in the raw `headers` of an ASGI scope (RFC 6750).

    Raises `Unauthenticated` (its kind `InvalidToken` for a token that is bad), or `Malformed` for
    two.
    """
    given = [value for name, value in headers if name.lower() == b"authorization"]
    if len(given) > 1:
        raise Malformed("The header Authorization is given twice")
    scheme, _, token = (given[0] if given else b"").partition(b" ")
    if scheme.lower() != b"bearer":
        raise Unauthenticated
    return verifier.verify(token.strip(), at)


def require(caller: Caller, scope: str) -> None:
    """Refuse a caller whose token lacks `scope`, and say which one is needed."""
    if scope not in caller.scopes:
        raise Forbidden(f"The token lacks the scope {scope}", scope=scope)


def demands(scope: str | None = None) -> Guard:
    """Return a guard that lets in callers with a good token that holds `scope`, if one is named."""
    assert scope is None or scope in SCOPES, f"there is no scope {scope}"

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        state = connection.app.state
        caller = authenticate(
            connection.scope["headers"], verifier=state.verifier, at=state.clock.now()
        )
        if scope is not None:
            require(caller, scope)
        connection.scope["state"][_CALLER] = caller

    return guard


def _caller(scope: Scope) -> Caller:
    caller = scope["state"].get(_CALLER)
    assert isinstance(caller, Caller), "a handler that asks for its caller has a guard"
    return caller


CALLER = {"caller": Provide(_caller, sync_to_thread=False)}
"""The dependency that hands a guarded handler its caller."""
