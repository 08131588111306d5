"""The HTTP side as a whole: typed handlers, headers, request ids, metrics, pages, health."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import httpx
import msgspec
import pytest
import structlog
from litestar import get, post
from litestar.params import FromQuery, JSONBody

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import Engine
from coalition.kernel.errors import Conflict, Unauthenticated
from coalition.kernel.identity import Caller
from coalition.kernel.web.api_pages import api_pages
from coalition.kernel.web.application import build_application
from coalition.kernel.web.fields import Body, PointsAmount, ReceiptText
from coalition.kernel.web.health import Readiness, database_checks
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.kernel.web.metrics import Metrics
from server.apps import APPS
from tests.kernel.web.test_hot import CALLER


class Line(Body, frozen=True):
    points: PointsAmount


class Sale(Body, frozen=True):
    receipt: ReceiptText
    lines: tuple[Line, ...] = ()


class Sold(msgspec.Struct):
    sale_id: UUID
    points: int


class Page(Body, frozen=True):
    limit: PointsAmount = 50


class DrawerShut(Conflict):
    """The drawer is shut."""

    code = "drawer_closed"


@post("/typed", summary="Sell, typed")
async def sell_typed(data: JSONBody[Sale]) -> Sold:
    return Sold(UUID(int=1), sum(line.points for line in data.lines))


@get("/counted", summary="Count")
async def count_up(number: FromQuery[int]) -> dict[str, int]:
    return {"number": number}


@get("/broken", summary="Break")
async def break_down() -> None:
    raise RuntimeError("anna@example.com was here")


async def sell(call: Call) -> Answer:
    return Answer(201, Sold(UUID(int=1), sum(line.points for line in call.body.lines)))


async def show(call: Call) -> Answer:
    return Answer(200, Sold(call.path["sale_id"], call.query.limit))


def nobody(token: bytes, at: object) -> Any:
    raise Unauthenticated


def client(
    readiness: Readiness | None = None,
    metrics: Metrics | None = None,
    *,
    log_all: bool = False,
    authenticate: Callable[[bytes, datetime], Caller] = nobody,
) -> httpx.AsyncClient:
    door = Door(clock=SystemClock(), authenticate=authenticate)
    selling = HotEndpoint(
        method="POST",
        summary="Sell",
        handle=sell,
        answers={201: Sold},
        body=Sale,
        scope="points:issue",
        idempotent=True,
        refusals=(DrawerShut,),
        answer_headers={"Idempotent-Replayed": "true when the answer was given before"},
    )
    showing = HotEndpoint(
        method="GET", summary="Show", handle=show, answers={200: Sold}, query=Page
    )
    app = build_application(
        [
            hot_route(door, "/v1/sales", selling),
            hot_route(door, "/v1/sales/{sale_id:uuid}", showing),
            sell_typed,
            count_up,
            break_down,
        ],
        readiness=readiness or Readiness({}),
        metrics=metrics or Metrics(),
        pages=api_pages(
            title="Coalition",
            version="1",
            description="",
            token_url="/oauth/token",
            scopes={"points:issue": "issue points"},
        ),
        max_body_bytes=1000,
        log_all=log_all,
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", app)), base_url="http://test"
    )


@pytest.mark.parametrize(
    ("body", "media", "status", "code"),
    [
        (b'{"receipt":"a","lines":[{"points":"1"}]}', "application/json", 422, "invalid"),
        (b'{"receipt":"a","lines":[{"points":1.0}]}', "application/json", 422, "invalid"),
        (b'{"receipt":"a","x":1}', "application/json", 422, "invalid"),
        (b'{"receipt":"a"', "application/json", 400, "malformed"),
        (b"", "application/json", 400, "malformed"),
        (b'{"receipt":"a"}', "text/plain", 415, "unsupported_media_type"),
        (b" " * 1001, "application/json", 413, "too_large"),
    ],
)
async def test_typed_handlers_are_as_strict(
    body: bytes, media: str, status: int, code: str
) -> None:
    async with client() as http:
        answer = await http.post("/typed", content=body, headers={"content-type": media})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_typed_handlers_take_messagepack_too() -> None:
    body = msgspec.msgpack.encode({"receipt": "a", "lines": [{"points": 2}]})
    async with client() as http:
        answer = await http.post(
            "/typed", content=body, headers={"content-type": "application/vnd.msgpack"}
        )
    assert answer.json() == {"sale_id": str(UUID(int=1)), "points": 2}


async def test_a_wrong_query_of_a_typed_handler_names_its_parameter() -> None:
    async with client() as http:
        answer = await http.get("/counted?number=x")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "number"


async def test_every_answer_has_its_id_and_its_headers() -> None:
    async with client() as http:
        given = await http.get("/nowhere", headers={"x-request-id": "till-7:42"})
        made = await http.get("/health/live")
        harmful = await http.get("/health/live", headers={"x-request-id": "a b"})
    assert given.headers["x-request-id"] == given.json()["request_id"] == "till-7:42"
    assert len(made.headers["x-request-id"]) == 32
    assert harmful.headers["x-request-id"] != "a b"
    for answer in (given, made):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_failure_is_logged_with_its_id_and_answered_without_reasons() -> None:
    with structlog.testing.capture_logs() as lines:
        async with client() as http:
            answer = await http.get("/broken", headers={"x-request-id": "r-9"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "anna" not in answer.text
    assert [(line["event"], line["request_id"]) for line in lines] == [
        ("request_failed", "r-9"),
        ("request", "r-9"),
    ]


async def test_usual_answers_are_not_logged_unless_asked_for() -> None:
    with structlog.testing.capture_logs() as quiet:
        async with client() as http:
            await http.get("/health/live")
    with structlog.testing.capture_logs() as wordy:
        async with client(log_all=True) as http:
            await http.get("/counted?number=1")
    assert quiet == []
    (line,) = wordy
    assert (line["method"], line["route"], line["status"]) == ("GET", "/counted", 200)


async def test_the_log_names_the_client_that_lacks_a_scope() -> None:
    caller = msgspec.structs.replace(CALLER, scopes=frozenset())
    with structlog.testing.capture_logs() as lines:
        async with client(authenticate=lambda _token, _at: caller) as http:
            await http.post("/v1/sales", headers={"authorization": "Bearer good"})
    assert [(line["status"], line["client_id"]) for line in lines] == [(403, "till-7")]


async def test_metrics_count_by_route_and_never_by_what_a_client_made_up() -> None:
    metrics = Metrics()

    async def backlog() -> float:
        return 7

    async def by_colour() -> dict[str, float]:
        return {"red": 3}

    async def broken() -> Any:
        raise RuntimeError

    metrics.gauge("coalition_backlog_rows", "Rows that wait", backlog)
    metrics.gauge("coalition_broken_rows", "Rows that nobody can count", broken)
    metrics.gauges("coalition_colour_rows", "Rows by colour", label="colour", read=by_colour)
    metrics.gauges("coalition_lost_rows", "Rows by colour", label="colour", read=broken)
    async with client(metrics=metrics) as http:
        await http.get("/counted?number=1")
        await http.get("/made/up")
        await http.get(f"/v1/sales/{UUID(int=5)}")
        text = (await http.get("/metrics")).text
    count = "coalition_http_request_seconds_count"
    assert f'{count}{{method="GET",route="/counted",status="200"}} 1.0' in text
    assert f'{count}{{method="GET",route="unmatched",status="404"}} 1.0' in text
    assert f'{count}{{method="GET",route="/v1/sales/{{sale_id}}",status="401"}} 1.0' in text
    assert "coalition_backlog_rows 7.0" in text
    assert "coalition_broken_rows NaN" in text
    assert 'coalition_colour_rows{colour="red"} 3.0' in text
    assert "coalition_lost_rows{" not in text
    assert "coalition_http_requests_in_flight 1.0" in text


async def test_the_document_describes_hot_and_typed_endpoints_alike() -> None:
    async with client() as http:
        answer = await http.get("/schema/openapi.json")
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    hot, typed = document["paths"]["/v1/sales"]["post"], document["paths"]["/typed"]["post"]
    for operation in (hot, typed):
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Sale"}
        for status in ("400", "413", "415", "422", "default"):
            content = operation["responses"][status]["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert set(hot["responses"]) >= {"201", "401", "403", "409"}
    assert "`drawer_closed`: The drawer is shut." in hot["responses"]["409"]["description"]
    assert hot["security"] == [{"oauth2": ["points:issue"]}]
    assert [given["name"] for given in hot["parameters"]] == ["Idempotency-Key"]
    shown = document["paths"]["/v1/sales/{sale_id}"]["get"]
    assert [(given["name"], given["in"]) for given in shown["parameters"]] == [
        ("sale_id", "path"),
        ("limit", "query"),
    ]
    assert document["components"]["schemas"]["Sale"]["additionalProperties"] is False
    flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "/oauth/token"
    names = [op["operationId"] for item in document["paths"].values() for op in item.values()]
    assert len(names) == len(set(names))


async def test_the_page_asks_no_other_host_and_runs_nothing_inline() -> None:
    async with client() as http:
        page = await http.get("/schema")
        files = [
            await http.get(path)
            for path in (
                "/schema/page.js",
                "/schema/swagger-ui-bundle.js",
                "/schema/swagger-ui.css",
            )
        ]
        missing = await http.get("/schema/other")
    assert "//" not in page.text.replace("<!DOCTYPE html>", "")
    assert all(file.status_code == 200 for file in files)
    assert all(file.url.path in page.text for file in files)
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert missing.json()["code"] == "not_found"


async def test_ready_means_that_the_database_answers_and_is_migrated(database: Engine) -> None:
    readiness = Readiness(database_checks(APPS))
    async with client(readiness) as http:
        ready = await http.get("/health/ready")
        assert database.pool is not None
        await database.pool.execute("DROP TABLE migration")
        behind = await client(Readiness(database_checks(APPS))).get("/health/ready")
        await database.close()
        down = await http.get("/health/ready")
        live = await http.get("/health/live")
    assert (ready.status_code, live.status_code) == (200, 200)
    assert (behind.status_code, behind.json()["failing"]) == (503, ["migrations"])
    assert down.status_code == 503
    assert "database" in down.json()["failing"]


async def test_a_draining_service_is_alive_but_not_ready() -> None:
    readiness, metrics = Readiness({}), Metrics()
    metrics.request_begins()
    await readiness.drain(metrics, notice_s=0, patience_s=0.01)
    metrics.request_ends(method="GET", route="/", status=200, seconds=0)
    await readiness.drain(metrics, notice_s=0, patience_s=60)
    async with client(readiness) as http:
        answer = await http.get("/health/ready")
        live = await http.get("/health/live")
    assert (answer.status_code, answer.json()["failing"]) == (503, ["draining"])
    assert live.status_code == 200
