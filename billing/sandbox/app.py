"""Stripe's HTTP as one ASGI application: keys, versions, idempotency, errors, faults, pages.

It is no Litestar application: its routes are a table of plain functions that also has to say which
of Stripe's routes are missing, and it stands alone (docs/adr/0056).
"""

import secrets
import sqlite3
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from html import escape
from typing import Any, NamedTuple, Protocol

import msgspec

from billing.sandbox import idempotency, routing
from billing.sandbox.browsing import PageAnswer, comes_from_elsewhere, sent
from billing.sandbox.documents import Document
from billing.sandbox.errors import (
    KeyInUse,
    LockTimeout,
    NotInSandbox,
    Refusal,
    Unauthorized,
    UnknownRoute,
)
from billing.sandbox.faults import Faults
from billing.sandbox.idempotency import Answer
from billing.sandbox.requests import Params, decode_body, decode_form
from billing.sandbox.routing import Page, Route, Travel
from billing.sandbox.store import Store, Transaction
from billing.sandbox.stripe_routes import is_stripes
from billing.sandbox.world import API_VERSION, RequestInfo, World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TEST_KEYS = ("sk_test_", "rk_test_")


class Contract(Protocol):
    """What holds requests and answers against Stripe's own definitions."""

    def refusal_of(self, method: str, shape: str, values: Document) -> Refusal | None:
        """Return what is wrong with the parameters of a request, or None."""
        ...

    def judge_answer(self, method: str, shape: str, body: Document) -> None:
        """Raise an AssertionError when an answer has not Stripe's shape."""
        ...

    def judge_event(self, event: Document) -> None:
        """Raise an AssertionError when an event has not Stripe's type or shape."""
        ...


class Request(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str | None:
        """Return the idempotency key; only a POST has one that counts."""
        return self.headers.get("idempotency-key") if self.method == "POST" else None

    def values(self) -> Document:
        """Return the parameters, of the query and of the body."""
        body = decode_body(self.headers.get("content-type", ""), self.body)
        return decode_form(self.query) | body


class Call(NamedTuple):
    """A request that was understood: what answers it, with the names in its path."""

    method: str
    info: RequestInfo
    route: Route
    names: dict[str, str]
    values: Document


class Application:
    """The ASGI application over one store."""

    def __init__(
        self,
        store: Store,
        *,
        account_now: Callable[[], int],
        catch_up: Callable[[], None],
        on_commit: Callable[[], None],
        faults: Faults,
        prefix: str = "",
        public_url: str = "",
        contract: Contract | None = None,
        travel: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """Answer from a store; `catch_up` does what fell due before each request.

        `travel` moves the account's time on, as the time machine's page asks.
        """
        self._store = store
        self._account_now = account_now
        self._catch_up = catch_up
        self._on_commit = on_commit
        self._faults = faults
        self._prefix = prefix
        self._public_url = public_url
        self._contract = contract
        self._travel = travel
        self._at_work: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        assert scope["type"] == "http", "the sandbox speaks HTTP alone"
        request = await self._read(scope, receive)
        if (found := routing.PAGES.match(request.method, request.path)) is not None:
            await self._page(request, *found, send)
        else:
            await self._api(request, send)

    async def _read(self, scope: Scope, receive: Receive) -> Request:
        chunks = []
        while True:
            message = await receive()
            chunks.append(message.get("body", b""))
            if not message.get("more_body", False):
                break
        path = scope["path"].removeprefix(self._prefix) or "/"
        if path != "/":
            path = path.rstrip("/")
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        query = scope.get("query_string", b"").decode()
        return Request(scope["method"].upper(), path, query, headers, b"".join(chunks))

    # ---- the API

    async def _api(self, request: Request, send: Send) -> None:
        info = RequestInfo(
            id=f"req_{secrets.token_hex(7)}",
            idempotency_key=request.key,
            api_version=request.headers.get("stripe-version", API_VERSION),
            path=request.path,
        )
        try:
            answer = await self._answer(request, info)
        except Refusal as error:
            answer = Answer(error.status, error.shown())
        headers = {"Request-Id": info.id or "", "Stripe-Version": info.api_version}
        if request.key is not None:
            headers["Idempotency-Key"] = request.key
        if answer.is_replayed:
            headers["Idempotent-Replayed"] = "true"
        body = msgspec.json.format(msgspec.json.encode(answer.body), indent=2)
        await _send(send, answer.status, "application/json", body, headers)

    async def _answer(self, request: Request, info: RequestInfo) -> Answer:
        _authorize(request)
        route, names = _route(request)
        call = Call(request.method, info, route, names, request.values())
        self._faults.refuse_excess(self._account_now())
        with self._working_on(request.key):
            await self._faults.wait(request.method, request.path)
            fault = self._faults.take(request.method, request.path)
            if fault is not None and not fault.after:
                fault.strike(request.key)
            self._refuse_by_contract(call)
            self._catch_up()
            answer = self._done(call)
            self._on_commit()
        if fault is not None:
            fault.strike(request.key)
        if self._contract is not None and answer.status == 200:
            self._contract.judge_answer(*route.shape, answer.body)
        return answer

    def _refuse_by_contract(self, call: Call) -> None:
        if self._contract is not None:
            refusal = self._contract.refusal_of(*call.route.shape, call.values)
            if refusal is not None:
                raise refusal

    @contextmanager
    def _working_on(self, key: str | None) -> Iterator[None]:
        if key is None:
            yield
            return
        if key in self._at_work:
            raise KeyInUse(key)
        self._at_work.add(key)
        try:
            yield
        finally:
            self._at_work.discard(key)

    def _done(self, call: Call) -> Answer:
        try:
            if call.method == "GET":
                with self._store.snapshot() as snapshot:
                    return self._run(snapshot, call)
            with self._store.transaction() as transaction:
                return self._once(transaction, call)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise LockTimeout from None
            raise

    def _once(self, transaction: Transaction, call: Call) -> Answer:
        key = call.info.idempotency_key
        if key is None:
            return self._run(transaction, call)
        wish = idempotency.fingerprint(call.method, call.info.path, call.values)
        now = self._account_now()
        known = idempotency.recall(transaction, key, wish, now)
        if known is not None:
            return known
        answer = self._run(transaction, call)
        idempotency.keep(transaction, key, wish, now, answer)
        return answer

    def _run(self, transaction: Transaction, call: Call) -> Answer:
        world = self._world(transaction, call.info)
        params = Params(call.values)
        world.live_by_request(params, call.names)
        try:
            document = call.route.endpoint(world, params, **call.names)
        except Refusal as error:
            if not error.is_kept:
                raise
            return Answer(error.status, error.shown())
        return Answer(200, world.answer(document, params.texts("expand")))

    def _world(self, transaction: Transaction, info: RequestInfo) -> World:
        return World(
            transaction,
            account_now=self._account_now(),
            request=info,
            public_url=self._public_url,
        )

    # ---- pages

    def _shown(self, transaction: Transaction, call: Call) -> PageAnswer:
        world = self._world(transaction, call.info)
        params = Params(call.values)
        world.live_by_request(params, call.names)
        try:
            page: PageAnswer = call.route.endpoint(world, params, **call.names)
        except Refusal as error:
            if not error.is_kept:
                raise
            return _told(error)
        return page

    async def _page(
        self, request: Request, route: Route, names: dict[str, str], send: Send
    ) -> None:
        if request.method == "POST" and comes_from_elsewhere(request.headers):
            await _send(send, *sent(Page("Forms of other sites are not taken here.", 403)))
            return
        self._catch_up()
        info = RequestInfo(path=request.path)
        answer: PageAnswer
        try:
            call = Call(request.method, info, route, names, request.values())
            with self._store.transaction() as transaction:
                answer = self._shown(transaction, call)
        except Refusal as error:
            answer = _told(error)
        if isinstance(answer, Travel) and self._travel is not None:
            await self._travel(answer.until)
        self._on_commit()
        await _send(send, *sent(answer))


def _told(error: Refusal) -> Page:
    text = escape(error.message)
    return Page(f"<!doctype html><title>Sandbox</title><p>{text}</p>", error.status)


def _key(header: str) -> str:
    """Return the key of a request: as a bearer's, or as a name without a password."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(rest).decode().partition(":")[0]
    except ValueError:
        return ""


def _authorize(request: Request) -> None:
    key = _key(request.headers.get("authorization", ""))
    if not key:
        raise Unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    if key.startswith(("sk_live_", "rk_live_")):
        raise Unauthorized("This is a sandbox: live keys are not welcome here.")
    if not key.startswith(_TEST_KEYS):
        raise Unauthorized(f"Invalid API Key provided: {key[:8]}****")


def _route(request: Request) -> tuple[Route, dict[str, str]]:
    found = routing.ROUTES.match(request.method, request.path)
    if found is not None:
        return found
    if is_stripes(request.method, request.path):
        raise NotInSandbox(request.method, request.path)
    raise UnknownRoute(request.method, request.path)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _send(
    send: Send, status: int, content_type: str, body: bytes, headers: dict[str, str]
) -> None:
    pairs = {"Content-Type": content_type, "Content-Length": str(len(body))} | headers
    encoded = [(name.lower().encode(), value.encode()) for name, value in pairs.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
