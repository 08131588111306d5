"""What surrounds every request: its id, its line in the log, its count, the answer's headers.

It stands outside Litestar, so that it also sees what no route answers. Access lines are written for
failures (5xx), refused access (401, 403, 429) and slow answers; the rest shows in the metrics:
a line for each of 6,000 answers a second would cost more than it tells. `log_all` writes them all.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

import structlog

from coalition.kernel.ids import random_hex
from coalition.kernel.web.metrics import Metrics
from coalition.kernel.web.problem import REQUEST_ID, Headers, problem_response

CLIENT_ID = "coalition.client_id"
"""The key of an ASGI scope under which the caller's client id is kept for the log."""

SLOW_S = 1.0

# Any: an ASGI scope or message, by the specification of ASGI.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_ALWAYS = (b"x-content-type-options", b"nosniff")
_UNLESS_SAID = [
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_SAYABLE = frozenset(name for name, _ in _UNLESS_SAID)
_NOTEWORTHY = frozenset({401, 403, 429})
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:+/=-]{1,128}")

_logger = structlog.get_logger(__name__)


def observed(application: Application, metrics: Metrics, *, log_all: bool = False) -> Application:
    """Return `application` with request ids, security headers, metrics and log lines around it."""

    async def observe(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        started = perf_counter()
        request_id = _request_id(scope["headers"])
        scope[REQUEST_ID] = request_id
        status = 0

        def send_completed(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(message.get("headers", ()), request_id)
            return send(message)

        metrics.request_begins()
        try:
            await application(scope, receive, send_completed)
        except Exception as error:
            if status:
                raise
            problem = problem_response(error, request_id)
            await send_completed(
                {
                    "type": "http.response.start",
                    "status": problem.status,
                    "headers": problem.headers,
                }
            )
            await send_completed({"type": "http.response.body", "body": problem.body})
        finally:
            seconds = perf_counter() - started
            # Litestar's router leaves the template; a label must not repeat what clients send.
            route = scope.get("path_template") or "unmatched"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.request_ends(method=method, route=route, status=status, seconds=seconds)
            if log_all or status >= 500 or seconds >= SLOW_S or status in _NOTEWORTHY:
                _logger.info(
                    "request",
                    request_id=request_id,
                    method=method,
                    route=route,
                    status=status,
                    ms=round(seconds * 1000, 1),
                    client_id=scope.get(CLIENT_ID),
                )

    return observe


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _request_id(headers: Headers) -> str:
    """Return the id that the client gave, if it is harmless in a log, or a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode("ascii")
    return random_hex()


def _completed(headers: Headers, request_id: str) -> Headers:
    said, unsaid = dict(headers), _UNLESS_SAID
    if not _SAYABLE.isdisjoint(said):
        unsaid = [header for header in _UNLESS_SAID if header[0] not in said]
    return [*headers, (b"x-request-id", request_id.encode()), _ALWAYS, *unsaid]
