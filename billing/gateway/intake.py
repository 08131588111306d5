"""The door for Stripe's webhooks: `POST /webhooks/stripe`.

It proves the signature over the raw bytes, keeps the event, and answers. What the event is about is
looked at later, by the drain: Stripe waits for nobody, and a bad hour at our side loses nothing.
Many that come together are kept in one transaction.
"""

from collections.abc import Sequence
from typing import Any, NoReturn, cast

from litestar.handlers import ASGIRouteHandler, asgi
from litestar.types import Receive, Scope, Send

from billing.gateway import events, inbox, signatures
from billing.gateway.inbox import Arrival
from billing.gateway.refusals import SignatureInvalid
from coalition.kernel.clock import Clock
from coalition.kernel.database import retrying, transaction
from coalition.kernel.errors import NotAllowed
from coalition.kernel.web.decoding import read_body
from coalition.kernel.web.hot import OPERATIONS
from coalition.kernel.web.problem import REQUEST_ID, Headers, problem_response
from coalition.ledger.coalescing import Coalescer

PATH = "/webhooks/stripe"
BODY_MOST_BYTES = 1_000_000
TOGETHER_MOST = 500

_ANSWER = b'{"received":true}'
_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(_ANSWER)),
]


class Intake:
    """Takes events in; `secrets` are one, or two while one is rolled."""

    def __init__(self, secrets: Sequence[str], *, clock: Clock, is_live: bool) -> None:
        """Take events of live payments, or of test ones; others are kept and set aside."""
        self._secrets = tuple(secrets)
        self._clock, self._is_live = clock, is_live
        self._coalescer = Coalescer[Arrival, None](self._store, most=TOGETHER_MOST)

    async def take(self, header: bytes, body: bytes) -> None:
        """Keep the event in a body that Stripe has signed; it is committed on return.

        Raises `SignatureInvalid`, `SignatureStale`, `EventUnreadable`.
        """
        signatures.check(header, body, self._secrets, self._clock.now())
        event = events.read(body)
        set_aside = None if event.is_live == self._is_live else inbox.OTHER_MODE
        await self._coalescer.submit(Arrival(event, body, set_aside))

    async def finish(self) -> None:
        """Wait until everything that was taken in is kept."""
        await self._coalescer.finish()

    async def _store(self, arrivals: list[Arrival]) -> list[None]:
        at = self._clock.now()

        async def attempt() -> None:
            async with transaction() as connection:
                await inbox.store(connection, arrivals, at)

        await retrying(attempt)
        return [None] * len(arrivals)


def route(intake: Intake) -> ASGIRouteHandler:
    """Return the handler of the door; it stands in no description, for Stripe alone calls it."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        raw = cast("dict[str, Any]", scope)  # Any: an ASGI scope
        try:
            if raw["method"] != "POST":
                _refuse_method()
            signature, length = _headers(raw["headers"])
            body = await read_body(receive, limit_bytes=BODY_MOST_BYTES, declared=length)
            await intake.take(signature, body)
            status, headers, content = 200, _HEADERS, _ANSWER
        except Exception as error:  # noqa: BLE001 - every failure has its answer; unknown ones are logged
            status, headers, content = problem_response(error, raw.get(REQUEST_ID))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})

    return asgi(PATH, copy_scope=False, opt={OPERATIONS: ()})(handle)


def _refuse_method() -> NoReturn:
    raise NotAllowed("This address takes POST", allowed=["POST"])


def _headers(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """Return Stripe-Signature and Content-Length."""
    given = [value for name, value in headers if name == b"stripe-signature"]
    if len(given) != 1:
        raise SignatureInvalid
    length = next((value for name, value in headers if name == b"content-length"), b"")
    return given[0], length
