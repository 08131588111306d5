"""Hot endpoints behave like typed ones: method, token, scope, key, body, answer, problem."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar

from coalition.kernel.clock import FixedClock
from coalition.kernel.errors import Conflict
from coalition.kernel.identity import Caller, InvalidToken
from coalition.kernel.web.fields import Body, PointsAmount
from coalition.kernel.web.hot import (
    REPLAYED,
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
    let_paths_have_parameters,
)
from coalition.kernel.web.problem import EXCEPTION_HANDLERS

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
CALLER = Caller(
    client_no=1,
    client_id="till-7",
    partner_no=3,
    partner_id=UUID(int=3),
    scopes=frozenset({"points:issue"}),
    store_no=None,
    expires_at=AT + timedelta(minutes=15),
)


class Issue(Body, frozen=True):
    points: PointsAmount


class Issued(msgspec.Struct):
    points: int
    key: str


class Page(Body, frozen=True):
    limit: PointsAmount = 50


class DrawerShut(Conflict):
    """The drawer is shut."""

    code = "drawer_shut"


async def issue(call: Call) -> Answer:
    if call.body.points == 13:
        raise DrawerShut(drawer=7)
    if call.body.points == 14:
        raise RuntimeError("the secret of the house")
    if call.body.points == 15:
        return Answer(201, b"as stored", (REPLAYED,))
    return Answer(201, Issued(call.body.points, call.idempotency_key))


async def show(call: Call) -> Answer:
    return Answer(200, {"id": call.path["id"], "limit": call.query.limit, "at": call.at})


def authenticate(token: bytes, at: datetime) -> Caller:
    if token != b"good" or at != AT:
        raise InvalidToken
    return CALLER


def client() -> httpx.AsyncClient:
    door = Door(clock=FixedClock(AT), authenticate=authenticate)
    posting = HotEndpoint(
        method="POST",
        summary="Issue",
        handle=issue,
        answers={201: Issued},
        scope="points:issue",
        body=Issue,
        idempotent=True,
        max_body_bytes=100,
    )
    showing = HotEndpoint(
        method="GET", summary="Show", handle=show, answers={200: Issued}, query=Page
    )
    other = HotEndpoint(
        method="DELETE", summary="Drop", handle=show, answers={200: Issued}, scope="points:redeem"
    )
    app = Litestar(
        [hot_route(door, "/issue", posting), hot_route(door, "/things/{id:uuid}", showing, other)],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
    let_paths_have_parameters(app)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", app)), base_url="http://test"
    )


GOOD = {"authorization": "Bearer good", "idempotency-key": "k", "content-type": "application/json"}


async def post(
    body: bytes = b'{"points":1}', headers: Mapping[str, str] = GOOD, **changed: str
) -> httpx.Response:
    named = dict(headers) | {name.replace("_", "-"): value for name, value in changed.items()}
    async with client() as http:
        return await http.post("/issue", content=body, headers=named)


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert set(problem) >= {"type", "title", "status", "detail", "code"}
    return problem


async def test_an_endpoint_answers_its_struct() -> None:
    answer = await post()
    assert (answer.status_code, answer.json()) == (201, {"points": 1, "key": "k"})
    assert answer.headers["content-type"] == "application/json"


async def test_both_ways_can_be_messagepack() -> None:
    media = "application/vnd.msgpack"
    answer = await post(msgspec.msgpack.encode({"points": 2}), content_type=media, accept=media)
    assert answer.headers["content-type"] == media
    assert msgspec.msgpack.decode(answer.content) == {"points": 2, "key": "k"}


async def test_a_stored_answer_goes_out_byte_for_byte() -> None:
    answer = await post(b'{"points":15}')
    assert (answer.content, answer.headers["idempotent-replayed"]) == (b"as stored", "true")


async def test_another_method_is_refused_with_those_that_are_taken() -> None:
    async with client() as http:
        answer = await http.put("/things/00000000-0000-0000-0000-000000000001", headers=GOOD)
    assert problem_of(answer)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "DELETE, GET"


async def test_path_and_query_arrive_decoded() -> None:
    async with client() as http:
        answer = await http.get(f"/things/{UUID(int=1)}?limit=3", headers=GOOD)
        wrong_id = await http.get("/things/1", headers=GOOD)
        wrong_limit = await http.get(f"/things/{UUID(int=1)}?limit=x", headers=GOOD)
    assert answer.json() == {"id": str(UUID(int=1)), "limit": 3, "at": "2026-11-21T12:00:00Z"}
    assert problem_of(wrong_id)["code"] == "not_found"
    assert problem_of(wrong_limit)["errors"][0]["parameter"] == "limit"


@pytest.mark.parametrize(
    "authorization", ["", "Basic good", "Bearer", "Bearer bad", "Bearer \u00e5\u00e4", "good"]
)
async def test_no_valid_token_is_unauthenticated(authorization: str) -> None:
    async with client() as http:
        answer = await http.post(
            "/issue", content=b"{", headers={b"authorization": authorization.encode("latin-1")}
        )
    assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer")
    problem_of(answer)


async def test_a_missing_scope_is_forbidden_and_named() -> None:
    async with client() as http:
        answer = await http.delete(f"/things/{UUID(int=1)}", headers=GOOD)
    assert answer.status_code == 403
    assert problem_of(answer)["scope"] == "points:redeem"


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "a\tb", "\u00e5"])
async def test_writing_needs_an_idempotency_key(key: str) -> None:
    async with client() as http:
        headers = {name.encode(): value.encode() for name, value in GOOD.items()}
        headers[b"idempotency-key"] = key.encode("latin-1")
        answer = await http.post("/issue", content=b'{"points":1}', headers=headers)
    assert (answer.status_code, problem_of(answer)["code"]) == (400, "idempotency_key_missing")


async def test_a_header_that_decides_may_not_come_twice() -> None:
    async with client() as http:
        answer = await http.post(
            "/issue", content=b"{}", headers=[*GOOD.items(), ("idempotency-key", "other")]
        )
    assert problem_of(answer)["code"] == "malformed"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b'{"points":"1"}', "application/json", 422, "invalid"),
        (b'{"points":', "application/json", 400, "malformed"),
        (b'{"points":1}', "text/plain", 415, "unsupported_media_type"),
        (b" " * 101, "application/json", 413, "too_large"),
        (b'{"points":13}', "application/json", 409, "drawer_shut"),
    ],
)
async def test_each_refusal_has_its_problem(
    body: bytes, content_type: str, status: int, code: str
) -> None:
    answer = await post(body, content_type=content_type)
    assert (answer.status_code, problem_of(answer)["code"]) == (status, code)


async def test_the_facts_of_a_refusal_stand_beside_it() -> None:
    assert json.loads((await post(b'{"points":13}')).content) == {
        "type": "urn:problem:coalition:drawer_shut",
        "title": "Conflict",
        "status": 409,
        "detail": "The drawer is shut.",
        "code": "drawer_shut",
        "drawer": 7,
    }


async def test_a_failure_of_ours_tells_nothing() -> None:
    answer = await post(b'{"points":14}')
    assert (answer.status_code, problem_of(answer)["code"]) == (500, "internal")
    assert "secret" not in answer.text
