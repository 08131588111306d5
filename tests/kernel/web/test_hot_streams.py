"""Hot endpoints that read and answer in pieces, take one of several scopes, know their owner."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.exceptions import LitestarException

from coalition.kernel.clock import FixedClock
from coalition.kernel.errors import Conflict, NotFound
from coalition.kernel.identity import Caller
from coalition.kernel.web.fields import Body, PointsAmount
from coalition.kernel.web.hot import (
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
    let_paths_have_parameters,
)
from coalition.kernel.web.problem import EXCEPTION_HANDLERS

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEXT = "text/csv"
HEADERS = {"authorization": "Bearer good", "content-type": TEXT}


class Taken(Body, frozen=True):
    points: PointsAmount


class Piece(msgspec.Struct):
    text: str


class NothingThere(Conflict):
    """There is nothing to tell."""

    code = "nothing_there"


def authenticate(token: bytes, at: datetime) -> Caller:
    return Caller(
        client_no=1,
        client_id="till-7",
        partner_no=3,
        partner_id=UUID(int=3),
        scopes=frozenset({token.decode()}) if token != b"good" else frozenset({"points:issue"}),
        store_no=None,
        expires_at=at + timedelta(minutes=15),
    )


async def upload(call: Call) -> Answer:
    assert call.upload is not None
    pieces = []
    more = True
    while more:
        message = cast("dict[str, Any]", await call.upload.receive())
        pieces.append(message["body"].decode())
        more = message["more_body"]
    return Answer(201, {"pieces": pieces, "media": call.upload.media_type})


async def tell(call: Call) -> Answer:
    async def pieces() -> AsyncIterator[bytes]:
        if call.query.points == 13:
            raise NothingThere
        for no in range(call.query.points - 1):
            yield f"{no}\n".encode()
            if no == 13:
                raise RuntimeError("the secret of the house")

    return Answer(200, pieces(), media_type=TEXT)


async def own(caller: Caller, path: Mapping[str, Any]) -> None:
    if path["id"].int != caller.partner_no:
        raise NotFound


async def take(call: Call) -> Answer:
    await own(call.caller, call.path)
    return Answer(200, Piece(str(call.body.points)))


def client() -> httpx.AsyncClient:
    door = Door(clock=FixedClock(AT), authenticate=authenticate)
    uploading = HotEndpoint(
        method="POST",
        summary="Upload",
        handle=upload,
        answers={201: Piece},
        uploads=(TEXT,),
        scope=("points:issue", "points:redeem"),
    )
    telling = HotEndpoint(
        method="GET",
        summary="Tell",
        handle=tell,
        answers={200: Piece},
        answer_media={200: (TEXT,)},
        query=Taken,
    )
    taking = HotEndpoint(
        method="POST", summary="Take", handle=take, owned=own, answers={200: Piece}, body=Taken
    )
    app = Litestar(
        [
            hot_route(door, "/pieces", uploading, telling),
            hot_route(door, "/things/{id:uuid}", taking),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
    let_paths_have_parameters(app)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", app)), base_url="http://test"
    )


async def test_a_body_is_read_in_the_pieces_in_which_it_comes() -> None:
    async def sent() -> AsyncIterator[bytes]:
        yield b"a,b"
        yield b"c,d"

    async with client() as http:
        answer = await http.post(
            "/pieces", content=sent(), headers=HEADERS | {"content-type": "Text/CSV; charset=utf-8"}
        )
        assert answer.status_code == 201
        assert answer.json()["media"] == TEXT
        assert "".join(answer.json()["pieces"]) == "a,bc,d"
        other = await http.post(
            "/pieces", content=b"", headers=HEADERS | {"content-type": "application/json"}
        )
        assert (other.status_code, other.json()["code"]) == (415, "unsupported_media_type")


async def test_a_refused_upload_ends_its_connection_and_nothing_else_does() -> None:
    async with client() as http:
        unread = await http.post("/pieces", content=b"a,b", headers={"content-type": TEXT})
        assert (unread.status_code, unread.headers["connection"]) == (401, "close")
        read = await http.post("/pieces", content=b"a,b", headers=HEADERS)
        small = await http.get("/pieces?points=x", headers=HEADERS)
    for kept, status in ((read, 201), (small, 422)):
        assert (kept.status_code, "connection" in kept.headers) == (status, False)


@pytest.mark.parametrize(
    ("scope", "status"), [("points:issue", 201), ("points:redeem", 201), ("members:read", 403)]
)
async def test_one_of_several_scopes_will_do(scope: str, status: int) -> None:
    async with client() as http:
        answer = await http.post(
            "/pieces", content=b"", headers=HEADERS | {"authorization": f"Bearer {scope}"}
        )
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["scope"] == "points:issue points:redeem"


async def test_an_answer_goes_out_in_pieces() -> None:
    async with client() as http:
        answer = await http.get("/pieces?points=4", headers=HEADERS)
        assert (answer.status_code, answer.text) == (200, "0\n1\n2\n")
        assert answer.headers["content-type"] == TEXT
        assert "content-length" not in answer.headers
        empty = await http.get("/pieces?points=1", headers=HEADERS)
        assert (empty.status_code, empty.content) == (200, b"")


async def test_a_stream_may_refuse_before_its_first_piece() -> None:
    async with client() as http:
        refused = await http.get("/pieces?points=13", headers=HEADERS)
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_there")


async def test_a_stream_that_fails_later_is_cut_and_never_looks_whole() -> None:
    async with client() as http:
        with pytest.raises(LitestarException, match="after response started"):
            await http.get("/pieces?points=20", headers=HEADERS)


@pytest.mark.parametrize("body", [b"", b"{", b'{"points":0}', b'{"points":1}', b"x" * 2_000_000])
async def test_a_fault_of_the_body_is_told_to_the_owner_alone(body: bytes) -> None:
    json = HEADERS | {"content-type": "application/json"}
    async with client() as http:
        stranger = await http.post(f"/things/{UUID(int=4)}", content=body, headers=json)
        owner = await http.post(f"/things/{UUID(int=3)}", content=body, headers=json)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "not_found")
    assert owner.status_code in {200, 400, 413, 422}
