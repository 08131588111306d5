"""One error shape for whatever went wrong."""

import json
from typing import Any

import asyncpg
import pytest
from litestar.exceptions import (
    HTTPException,
    ImproperlyConfiguredException,
    MethodNotAllowedException,
    NotFoundException,
    TooManyRequestsException,
)

from coalition.kernel.errors import Conflict, Refused, TooMany, Unauthenticated, Unavailable
from coalition.kernel.identity import InvalidToken
from coalition.kernel.ids import random_id
from coalition.kernel.money import Money
from coalition.kernel.web.problem import Problem, problem_response


def body_of(error: BaseException) -> dict[str, Any]:
    status, headers, body = problem_response(error, "r-1")
    told: dict[str, Any] = json.loads(body)
    assert told["status"] == status
    assert told["request_id"] == "r-1"
    assert dict(headers)[b"content-length"] == b"%d" % len(body)
    return told


class LimitReached(Conflict):
    """The limit is reached."""

    code, title = "limit_reached", "Limit reached"


def test_a_refusal_tells_its_facts_in_plain_values() -> None:
    member = random_id()
    told = body_of(LimitReached(limit=Money(100, "SEK"), member_id=member, at_most=1))
    assert told["member_id"] == str(member)
    assert told["limit"] == {"amount_minor": 100, "currency": "SEK"}
    assert told["at_most"] == 1


def test_a_fact_never_hides_a_common_member() -> None:
    with pytest.raises(AssertionError):
        problem_response(LimitReached(status=200))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFoundException(), 404, "not_found"),
        (MethodNotAllowedException(), 405, "method_not_allowed"),
        (TooManyRequestsException(), 429, "too_many_requests"),
        (HTTPException(status_code=418), 400, "malformed"),
        (HTTPException(status_code=503), 503, "unavailable"),
        (HTTPException(status_code=500), 500, "internal"),
        (ImproperlyConfiguredException(), 500, "internal"),
        (asyncpg.DeadlockDetectedError("x"), 503, "unavailable"),
        (asyncpg.ConnectionDoesNotExistError("x"), 503, "unavailable"),
        (asyncpg.InterfaceError("x"), 503, "unavailable"),
        (asyncpg.DiskFullError("x"), 503, "unavailable"),
        (asyncpg.TooManyConnectionsError("x"), 503, "unavailable"),
        (asyncpg.QueryCanceledError("x"), 503, "unavailable"),
        (ConnectionRefusedError(), 503, "unavailable"),
        (TimeoutError(), 503, "unavailable"),
        (asyncpg.UniqueViolationError("x"), 500, "internal"),
        (ZeroDivisionError(), 500, "internal"),
    ],
)
def test_every_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    told = body_of(error)
    assert (told["status"], told["code"]) == (status, code)
    assert set(told) >= set(Problem.__struct_fields__)


def test_a_failure_keeps_its_reasons_inside() -> None:
    error = asyncpg.UniqueViolationError("duplicate key")
    error.detail = "Key (email)=(anna@example.com) already exists."
    assert "anna" not in json.dumps(body_of(error))
    assert "duplicate" not in json.dumps(body_of(error))


@pytest.mark.parametrize(
    ("refused", "header", "value"),
    [
        (TooMany(retry_after_s=7), b"retry-after", b"7"),
        (Unavailable(retry_after_s=1), b"retry-after", b"1"),
        (Unauthenticated(), b"www-authenticate", b'Bearer realm="coalition"'),
        (
            InvalidToken(),
            b"www-authenticate",
            b'Bearer realm="coalition", error="invalid_token"',
        ),
    ],
)
def test_headers_that_a_status_asks_for_are_there(
    refused: Refused, header: bytes, value: bytes
) -> None:
    assert dict(problem_response(refused).headers)[header] == value
