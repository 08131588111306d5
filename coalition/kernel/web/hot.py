"""Hot endpoints: raw ASGI handlers inside Litestar, without the cost of its typed ones.

They do what a typed handler does: one method each, authentication, scope, idempotency key, a body
bounded and strictly decoded, problem details; and they describe themselves for the API pages.

    door = Door(clock=clock, authenticate=authenticate)
    issue = HotEndpoint(method="POST", handle=..., body=IssueBody, answers={201: IssueAnswer}, ...)
    handlers = [hot_route(door, "/v1/points/issue", issue)]
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, NoReturn

import msgspec
from litestar import Litestar
from litestar.handlers import ASGIRouteHandler, asgi
from litestar.types import Receive, Scope, Send

from coalition.kernel.clock import Clock
from coalition.kernel.errors import Forbidden, Malformed, NotAllowed, Refused, Unauthenticated
from coalition.kernel.identity import Caller
from coalition.kernel.ids import digest_of
from coalition.kernel.web.decoding import (
    BodyDecoder,
    Media,
    QueryDecoder,
    encode,
    media_of_answer,
    media_of_body,
    read_body,
)
from coalition.kernel.web.observation import CLIENT_ID
from coalition.kernel.web.problem import (
    REQUEST_ID,
    Headers,
    UnsupportedMedia,
    problem_response,
)

OPERATIONS = "hot_endpoints"
"""The key of a route's `opt` under which the API's description finds its endpoints."""
MAX_BODY_BYTES = 1_000_000
HEADER_MOST = 200
"""How many characters a header may have that an endpoint reads beyond the usual ones."""


class IdempotencyKeyMissing(Malformed):
    """A request that writes needs an Idempotency-Key of 1 to 255 printable ASCII characters."""

    code, title = "idempotency_key_missing", "Idempotency-Key is missing"


class Upload(msgspec.Struct, frozen=True, gc=False):
    """A body that its endpoint reads itself, piece by piece."""

    media_type: str
    declared_bytes: bytes
    """The Content-Length as sent, empty where there is none."""
    receive: Receive


class Call(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One request, checked and decoded."""

    caller: Caller
    at: datetime
    path: Mapping[str, Any]  # Any: a path parameter is of the type its address declares
    body: Any = None  # Any: an instance of the endpoint's `body` type; the handler knows it
    query: Any = None  # Any: likewise of its `query` type
    idempotency_key: str = ""
    body_digest: bytes = b""
    """BLAKE2b-128 over the body as sent; tells two bodies under one key apart."""
    media: Media = Media.JSON
    """How the answer shall be written."""
    upload: Upload | None = None
    """The body of an endpoint with `uploads`, still to be read."""
    headers: Mapping[str, str] = {}
    """Those of the endpoint's `headers` that were sent, by lower-case name."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What an endpoint answers: a Struct, bytes already written, or a stream of them."""

    status: int
    content: object
    headers: tuple[tuple[bytes, bytes], ...] = ()
    media_type: str | None = None
    """Of bytes and streams; None is the call's media. An answer given before keeps its own."""


REPLAYED = (b"idempotent-replayed", b"true")
"""The header of an answer that was given before."""
REPLAY_HEADER = {"Idempotent-Replayed": "`true` when this is the first answer, given again"}
"""The same header, as it is described."""


@dataclass(frozen=True)
class Door:
    """What all hot endpoints of a service share: the clock and the judge of tokens.

    `authenticate(token, at)` returns the caller or raises `Unauthenticated`; it must be cheap for a
    token seen before.
    """

    clock: Clock
    authenticate: Callable[[bytes, datetime], Caller]


@dataclass(frozen=True, kw_only=True)
class HotEndpoint:
    """One operation, as it runs and as it is described.

    `answers` maps a status to the Struct answered; `refusals` are the classes it may raise beyond
    what every endpoint does. One with a `scope` refuses tokens without it (of several, one will
    do); an `idempotent` one needs an Idempotency-Key.
    """

    method: str
    summary: str
    handle: Callable[[Call], Awaitable[Answer]]
    answers: Mapping[int, type]
    scope: str | tuple[str, ...] | None = None
    owned: Callable[[Caller, Mapping[str, Any]], Awaitable[None]] | None = None
    """Refuses what the address names when it is not the caller's; asked before a fault of the body
    is told, so that a stranger learns nothing from it."""
    body: type | None = None
    uploads: tuple[str, ...] = ()
    """The media types of a body that `handle` reads itself from `Call.upload`."""
    query: type | None = None
    idempotent: bool = False
    refusals: tuple[type[Refused], ...] = ()
    description: str | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    tags: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the request that `handle` wants, by name with their meaning."""
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer, by name with their meaning, for the description."""
    answer_media: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """The media types of answers that are not in JSON or MessagePack, by status."""

    @cached_property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of which a token must hold one."""
        return (self.scope,) if isinstance(self.scope, str) else self.scope or ()

    @cached_property
    def body_decoder(self) -> BodyDecoder[Any] | None:
        """The decoder of the body; None where there is none."""
        return None if self.body is None else BodyDecoder(self.body)

    @cached_property
    def query_decoder(self) -> QueryDecoder[Any] | None:
        """The decoder of the query; None where there is none."""
        return None if self.query is None else QueryDecoder(self.query)


def hot_route(door: Door, path: str, *endpoints: HotEndpoint) -> ASGIRouteHandler:
    """Return the Litestar handler that serves `endpoints`, one for each method, at `path`."""
    by_method = {endpoint.method: endpoint for endpoint in endpoints}
    assert len(by_method) == len(endpoints), f"{path} has two endpoints for one method"
    allowed = sorted(by_method)

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        raw: Any = scope  # Any: to which keys of ours are added
        pieces = endpoint = None
        try:
            endpoint = by_method.get(raw["method"]) or _refuse_method(allowed)
            call = await _call(door, endpoint, raw, receive)
            answer = await endpoint.handle(call)
            if type(answer.content) is not bytes and isinstance(answer.content, AsyncIterator):
                # The first piece is made before anything is sent, so that it may still refuse.
                first = await anext(answer.content, b"")
                pieces, answer = answer.content, msgspec.structs.replace(answer, content=first)
            status, headers, body = _written(answer, call.media, is_whole=pieces is None)
        except Exception as error:  # noqa: BLE001 - every failure has its answer; unknown ones are logged
            status, headers, body = problem_response(error, raw.get(REQUEST_ID))
            if endpoint is not None and endpoint.uploads:
                # What was not read of the upload makes the connection unfit for another request;
                # a client that is not told would send the next one into it.
                headers = [*headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while pieces is not None and body:
            await send({"type": "http.response.body", "body": body, "more_body": True})
            body = await anext(pieces, b"")
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return asgi(path, copy_scope=False, opt={OPERATIONS: endpoints})(handle)


def let_paths_have_parameters(app: Litestar) -> None:
    """Let raw handlers of `app` take path parameters.

    Litestar 2.25 files the parameters of an ASGI route under "asgi" but looks them up by the method
    of the request, which fails with a KeyError for every request.
    """
    nodes = [app.asgi_router.root_route_map_node]
    while nodes:
        node = nodes.pop()
        nodes.extend(node.children.values())
        if node.is_asgi and not isinstance(node.path_parameters, _ForAnyMethod):
            node.path_parameters = _ForAnyMethod(node.path_parameters)


class _ForAnyMethod(dict[Any, Any]):  # Any: Litestar's own private types
    def __missing__(self, method: str) -> Any:
        return self["asgi"]


def _refuse_method(allowed: list[str]) -> NoReturn:
    raise NotAllowed(f"This address takes {', '.join(allowed)}", allowed=allowed)


async def _call(door: Door, endpoint: HotEndpoint, scope: dict[str, Any], receive: Receive) -> Call:
    """Return the request, checked in the order in which a stranger may learn things."""
    headers = _named(scope["headers"])
    at = door.clock.now()
    caller = door.authenticate(bearer_token(headers.get(b"authorization", b"")), at)
    scope[CLIENT_ID] = caller.client_id
    if endpoint.scope is not None:
        _check_scope(caller, endpoint.scopes)
    key = _idempotency_key(headers.get(b"idempotency-key", b"")) if endpoint.idempotent else ""
    query, decoder = endpoint.query_decoder, endpoint.body_decoder
    raw, body = b"", None
    if decoder is not None:
        try:
            written_as = media_of_body(headers.get(b"content-type", b""))
            declared = headers.get(b"content-length", b"")
            raw = await read_body(receive, limit_bytes=endpoint.max_body_bytes, declared=declared)
            body = decoder.decode(raw, written_as)
        except Refused:
            if endpoint.owned is not None:
                await endpoint.owned(caller, scope["path_params"])
            raise
    return Call(
        caller=caller,
        at=at,
        path=scope["path_params"],
        body=body,
        query=None if query is None else query.decode(scope["query_string"]),
        idempotency_key=key,
        body_digest=digest_of(raw) if key else b"",
        media=media_of_answer(headers.get(b"accept", b"")),
        upload=_upload(endpoint, headers, receive) if endpoint.uploads else None,
        headers=_further_headers(endpoint, scope["headers"]) if endpoint.headers else {},
    )


def _check_scope(caller: Caller, scopes: tuple[str, ...]) -> None:
    if caller.scopes.isdisjoint(scopes):
        lacking = f"The token lacks the scope {' or '.join(scopes)}"
        raise Forbidden(lacking, scope=" ".join(scopes))


def _upload(endpoint: HotEndpoint, headers: Mapping[bytes, bytes], receive: Receive) -> Upload:
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in endpoint.uploads:
        raise UnsupportedMedia(f"The body must be {' or '.join(endpoint.uploads)}")
    return Upload(media_type, headers.get(b"content-length", b""), receive)


_ONCE = frozenset({b"authorization", b"idempotency-key", b"content-type"})


def _named(headers: Headers) -> Mapping[bytes, bytes]:
    """Return the last header of each name; refuse one that decides and comes twice."""
    named = dict(headers)
    if len(named) < len(headers):
        met = set()
        for name, _ in headers:
            if name in met and name in _ONCE:
                raise Malformed(f"The header {name.decode()} is given twice")
            met.add(name)
    return named


def bearer_token(authorization: bytes) -> bytes:
    """Return the token of an Authorization header. Raises `Unauthenticated`."""
    kind, _, token = authorization.partition(b" ")
    if (kind != b"Bearer" and kind.lower() != b"bearer") or not token.isascii():
        raise Unauthenticated
    return token.strip()


def _idempotency_key(value: bytes) -> str:
    key = value.decode("latin-1").strip()
    if not 1 <= len(key) <= 255 or not (key.isascii() and key.isprintable()):
        raise IdempotencyKeyMissing
    return key


def _further_headers(endpoint: HotEndpoint, headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return what was sent of the headers that the endpoint wants; bounded and printable."""
    wanted = {name.lower(): name for name in endpoint.headers}
    found: dict[str, str] = {}
    for raw, value in headers:
        name = raw.decode("latin-1")
        if name in wanted:
            text = value.decode("latin-1").strip()
            if name in found or len(text) > HEADER_MOST or not text.isprintable():
                raise Malformed(
                    f"The header {wanted[name]} comes once, with at most {HEADER_MOST} "
                    "printable characters"
                )
            found[name] = text
    return found


@lru_cache(maxsize=64)
def _content_type(media_type: str) -> tuple[bytes, bytes]:
    return b"content-type", media_type.encode("ascii")


def _written(answer: Answer, media: Media, *, is_whole: bool) -> tuple[int, Headers, bytes]:
    content = answer.content
    body = content if isinstance(content, bytes) else encode(content, media)
    headers = [_content_type(answer.media_type or media.value), *answer.headers]
    if is_whole:
        headers.append((b"content-length", b"%d" % len(body)))
    return answer.status, headers, body
