"""One error shape for every answer that refuses or fails: RFC 9457 problem details.

`{type, title, status, detail, code, request_id?}` and the facts of the refusal beside them. Nothing
of our inside ever leaves: an unknown error is "internal" to the client and a line in our log.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.types import ExceptionHandlersMap

from coalition.kernel.database.transactions import is_outage, is_passing
from coalition.kernel.errors import (
    Forbidden,
    Invalid,
    Malformed,
    NotAllowed,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem:coalition:"
REQUEST_ID = "coalition.request_id"
"""The key of an ASGI scope under which the request's id is kept."""

Headers = list[tuple[bytes, bytes]]

_logger = structlog.get_logger(__name__)


class UnsupportedMedia(Refused):
    """The body must be application/json or application/vnd.msgpack."""

    code, title, status = "unsupported_media_type", "Unsupported media type", 415


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What every refusal answers; further members carry the facts of the case."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field of the body (by JSON pointer, RFC 6901) or one parameter."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemResponse(NamedTuple):
    """A refusal ready to be sent by any handler."""

    status: int
    headers: Headers
    body: bytes


_ENCODER = msgspec.json.Encoder(enc_hook=str)
_RESERVED = frozenset(Problem.__struct_fields__)
_BY_STATUS: dict[int, type[Refused]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: NotAllowed,
    413: TooLarge,
    415: UnsupportedMedia,
    422: Invalid,
    429: TooMany,
    503: Unavailable,
}


def problem_response(error: BaseException, request_id: str | None = None) -> ProblemResponse:
    """Return the answer to `error`, whatever it is; one that nobody foresaw is logged."""
    refused = refusal_of(error)
    if refused is None:
        _logger.error("request_failed", request_id=request_id, exc_info=error)
        return _response(_INTERNAL, {}, request_id)
    if refused is not error and refused.status == Unavailable.status:
        _logger.warning("database_unavailable", request_id=request_id, error=type(error).__name__)
    problem = Problem(
        type=TYPE_PREFIX + refused.code,
        title=refused.title,
        status=refused.status,
        detail=refused.detail,
        code=refused.code,
    )
    return _response(problem, refused.facts, request_id)


def refusal_of(error: BaseException) -> Refused | None:
    """Return the refusal that `error` is or stands for; None for a failure of our own."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, SerializationException):
        return Malformed()
    if isinstance(error, ValidationException):
        return _invalid_parameters(error)
    if isinstance(error, HTTPException):
        return _refusal_of_framework(error)
    if is_passing(error) or is_outage(error):
        return Unavailable(retry_after_s=1)
    return None


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer `error` from one of Litestar's typed handlers."""
    status, headers, body = problem_response(error, request.scope.get(REQUEST_ID))  # type: ignore[arg-type]  # a key of ours
    named = {name.decode(): value.decode() for name, value in headers}
    del named["content-length"]
    return Response(body, status_code=status, headers=named, media_type=named.pop("content-type"))


PageOf = Callable[[Request[Any, Any, Any], Refused | None], Response[bytes] | None]
"""Returns the page that tells a person of a refusal (None: a failure); None for a program."""


def exception_handlers(page_of: PageOf | None = None) -> ExceptionHandlersMap:
    """Return what answers errors: with a page for a person where there is one, else a problem."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        problem = answer_problem(request, error)
        page = None if page_of is None else page_of(request, refusal_of(error))
        return problem if page is None else page

    return {Exception: answer, HTTPException: answer}


EXCEPTION_HANDLERS = exception_handlers()
"""What answers errors where programs alone ask."""

_INTERNAL = Problem(
    type=TYPE_PREFIX + "internal",
    title="Internal error",
    status=500,
    detail="Something failed on our side and was logged; the same request may be tried again",
    code="internal",
)


def _invalid_parameters(error: ValidationException) -> Refused:
    found = error.extra if isinstance(error.extra, list) else []
    errors = [
        FieldError(detail=str(item.get("message", "")), parameter=str(item.get("key", "")))
        for item in found
        if isinstance(item, dict)
    ]
    if any(item.parameter == "data" for item in errors):  # Litestar's word for a body
        return Malformed("The body is empty")
    return Invalid("A parameter is not valid", errors=errors)


def _refusal_of_framework(error: HTTPException) -> Refused | None:
    kind = _BY_STATUS.get(error.status_code)
    if kind is None and 400 <= error.status_code < 500:
        kind = Malformed
    if kind is None:
        return None
    allowed = (error.headers or {}).get("allow")
    return kind(allowed=sorted(allowed.split(", "))) if allowed else kind()


def _response(
    problem: Problem, facts: dict[str, object], request_id: str | None
) -> ProblemResponse:
    assert _RESERVED.isdisjoint(facts), f"{problem.code}: a fact has the name of a common member"
    members = msgspec.structs.asdict(problem)
    if request_id is None:
        del members["request_id"]
    else:
        members["request_id"] = request_id
    body = _ENCODER.encode(members | facts)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    if problem.status == Unauthenticated.status:
        challenge = 'Bearer realm="coalition"'
        if problem.code == "invalid_token":  # RFC 6750 section 3.1 names this one
            challenge += ', error="invalid_token"'
        headers.append((b"www-authenticate", challenge.encode()))
    if isinstance(allowed := facts.get("allowed"), list):
        headers.append((b"allow", ", ".join(allowed).encode()))
    if isinstance(retry_after_s := facts.get("retry_after_s"), int):
        headers.append((b"retry-after", b"%d" % retry_after_s))
    return ProblemResponse(problem.status, headers, body)
