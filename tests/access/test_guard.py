"""A guarded handler gets its caller; everybody else gets the answer that says what is missing."""

from datetime import datetime, timedelta

import httpx
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from coalition.access.guard import CALLER, demands
from coalition.kernel.database import Engine
from coalition.kernel.identity import Caller
from tests.access.world import World, new_world


@get("/whoami", guards=[demands()], dependencies=CALLER)
async def who(caller: NamedDependency[Caller]) -> str:
    return caller.client_id


@post("/issue", guards=[demands("points:issue")], dependencies=CALLER)
async def issue(caller: NamedDependency[Caller], data: JSONBody[dict[str, int]]) -> dict[str, int]:
    return data | {"partner_no": caller.partner_no}


async def send(world: World, authorization: str | None, body: bytes = b"{}") -> httpx.Response:
    raw = None if authorization is None else authorization.encode("latin-1")
    headers = [] if raw is None else [(b"authorization", raw)]
    return await world.http.post("/issue", content=body, headers=headers)


async def test_a_caller_with_the_scope_comes_in(database: Engine, at: datetime) -> None:
    world = await new_world(at, [who, issue])
    token = await world.token({"scope": "points:issue"})

    answer = await send(world, f"Bearer {token}")

    assert (answer.status_code, answer.json()) == (201, {"partner_no": world.partner_no})
    assert (await send(world, f"bearer {token}")).status_code == 201
    named = await world.http.get("/whoami", headers={"authorization": f"Bearer {token}"})
    assert named.text == world.client.client_id


async def test_a_caller_without_the_scope_is_told_which_one_is_needed(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at, [issue])
    token = await world.token({"scope": "members:read"})

    answer = await send(world, f"Bearer {token}", b"not even json")

    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"
    assert answer.json()["scope"] == "points:issue"


async def test_a_stranger_is_refused_before_the_body_is_read(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at, [issue])

    for authorization in (None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer é"):
        answer = await send(world, authorization, b"\x00 not even json")
        assert answer.status_code == 401, authorization
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["code"] in {"unauthenticated", "invalid_token"}


async def test_an_expired_token_is_named_as_such(database: Engine, at: datetime) -> None:
    world = await new_world(at, [issue])
    token = await world.token()
    world.clock.advance(timedelta(minutes=15))

    answer = await send(world, f"Bearer {token}")

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert "expired" in answer.json()["detail"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_two_authorization_headers_are_refused(database: Engine, at: datetime) -> None:
    world = await new_world(at, [issue])
    token = await world.token()

    answer = await world.http.post(
        "/issue", content=b"{}", headers=[("authorization", f"Bearer {token}")] * 2
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
