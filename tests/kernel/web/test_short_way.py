"""The short way to hot endpoints answers as the usual one does, and knows when to leave it."""

from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from coalition.kernel.clock import SystemClock
from coalition.kernel.web.hot import (
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
    let_paths_have_parameters,
)
from coalition.kernel.web.problem import EXCEPTION_HANDLERS
from coalition.kernel.web.short_way import short_way
from tests.kernel.web.test_hot import CALLER

SALE = "0192f0c1-2222-7abc-8def-000000000001"
GOOD = {"authorization": "Bearer good"}


async def _show(call: Call) -> Answer:
    return Answer(200, {"path": {name: str(value) for name, value in call.path.items()}})


def _endpoint(method: str) -> HotEndpoint:
    return HotEndpoint(method=method, summary="Show", handle=_show, answers={200: dict})


def _routes() -> list[Any]:  # Any: what Litestar takes as handlers
    door = Door(clock=SystemClock(), authenticate=lambda _token, _at: CALLER)
    return [
        hot_route(door, "/v1/sales", _endpoint("GET"), _endpoint("POST")),
        hot_route(door, "/v1/sales/newest", _endpoint("GET")),
        hot_route(door, "/v1/sales/{sale_id:uuid}", _endpoint("GET")),
        hot_route(door, "/v1/sales/{sale_id:uuid}/close", _endpoint("POST")),
        hot_route(door, "/v1/shops/{name:str}", _endpoint("GET")),
    ]


def _usual() -> Litestar:
    app = Litestar(_routes(), exception_handlers=EXCEPTION_HANDLERS, openapi_config=None)
    let_paths_have_parameters(app)
    return app


async def _ask(app: Any, method: str, path: str) -> tuple[int, str, dict[str, str]]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.request(method, path, headers=GOOD)
    return answer.status_code, answer.text, dict(answer.headers)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/sales",
        "/v1/sales/",
        "/v1//sales",
        "/v1/sales/newest",
        f"/v1/sales/{SALE}",
        f"/v1/sales/{SALE.upper()}",
        f"/v1/sales/{SALE}/",
        f"/v1/sales/{SALE}/close",
        f"/v1/sales/{SALE}/close/more",
        "/v1/sales/17",
        "/v1/sales/%7B" + SALE + "%7D",
        "/v1/sales//close",
        "/v1/shops/" + SALE,
        "/v1/" + SALE,
        "/nowhere",
        "/",
    ],
)
async def test_both_ways_answer_alike(method: str, path: str) -> None:
    usual = _usual()
    assert await _ask(short_way(cast("Any", usual), _routes()), method, path) == await _ask(
        usual, method, path
    )


async def test_a_known_address_never_meets_the_router() -> None:
    async def router(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the router was asked")

    app = short_way(router, _routes())
    for path, parameters in {
        "/v1/sales": {},
        "/v1/sales/newest": {},
        f"/v1/sales/{SALE}": {"sale_id": str(UUID(SALE))},
    }.items():
        status, text, _ = await _ask(app, "GET", path)
        assert status == 200
        assert httpx.Response(200, text=text).json() == {"path": parameters}


async def test_what_is_no_request_goes_on() -> None:
    passed = []

    async def router(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    await short_way(router, _routes())({"type": "lifespan"}, cast("Any", None), cast("Any", None))
    assert passed == ["lifespan"]
