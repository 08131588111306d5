"""The token endpoint reads only what is written as RFC 6749 says, and refuses the rest."""

from datetime import datetime
from typing import Any

from coalition.kernel.database import Engine
from tests.access.world import new_world, refused

FORM = {"content-type": "application/x-www-form-urlencoded"}

UNREADABLE_AUTHORIZATIONS = [
    "Basic",
    "Basic ",
    "Basic !!!!",
    "Basic YQ==",
    "Basic Og==",
    "Basic YTo=",
    "Basic OmE=",
    "Basic /////w==",
    "Basic YQA6YgA=",
    "Basic JUZGOiVGRg==",
    "Bearer YTpi",
    "Digest YTpi",
    "é",
    "",
    " ",
    "Basic " + "QQ" * 9000,
]


async def test_an_authorization_that_cannot_be_read_is_refused(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)

    for authorization in UNREADABLE_AUTHORIZATIONS:
        answer = await world.http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            headers={b"authorization": authorization.encode("latin-1")},
        )

        refused(answer, status=401, error="invalid_client")


async def test_two_authorization_headers_are_refused(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    twice = [("authorization", world.basic["authorization"])] * 2

    answer = await world.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, headers=twice
    )

    refused(answer, status=400, error="invalid_request")


UNREADABLE_BODIES = [
    b"",
    b"scope=members%3Aread",
    b"grant_type=",
    b"grant_type",
    b"&&",
    b"grant_type=client_credentials&grant_type=client_credentials",
    b"grant_type=client_credentials&x=1&x=2",
    b"grant_type=client_credentials&scope=\xff",
    b"grant_type=client_credentials&scope=%FF",
    b"grant_type=client_credentials&scope=%00",
    b"grant_type=client%00credentials",
    b"grant_type=client_credentials&scope=%C3%A9",
    b"grant_type=client_credentials&scope=" + b"a" * 9000,
    b"grant_type=client_credentials" + b"".join(b"&p%d=1" % i for i in range(40)),
    b'{"grant_type": "client_credentials"}',
    b"\x00" * 100,
]


async def test_a_body_that_cannot_be_read_is_refused(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    for body in UNREADABLE_BODIES:
        answer = await world.http.post("/oauth/token", content=body, headers=world.basic | FORM)

        refused(answer, status=400, error="invalid_request")


NO_FORMS = ["application/json", "multipart/form-data; boundary=x", "text/plain", ""]


async def test_a_body_that_is_no_form_is_refused(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    for media in NO_FORMS:
        answer = await world.http.post(
            "/oauth/token",
            content=b"grant_type=client_credentials",
            headers=world.basic | {"content-type": media},
        )

        refused(answer, status=400, error="invalid_request")


async def test_a_charset_in_the_content_type_does_no_harm(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    answer = await world.http.post(
        "/oauth/token",
        content=b"grant_type=client_credentials&unknown=1&empty=",
        headers=world.basic | {"content-type": FORM["content-type"] + "; charset=UTF-8"},
    )

    assert answer.status_code == 200


async def test_a_huge_body_is_refused_before_it_is_read(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    answer = await world.http.post(
        "/oauth/token", content=b"a" * 40_000, headers=world.basic | FORM
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_body_that_ends_too_early_is_answered_and_not_a_failure(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/oauth/token",
        "raw_path": b"/oauth/token",
        "query_string": b"",
        "headers": [(b"content-length", b"100")],
    }
    await world.app(scope, receive, send)

    assert sent[0]["status"] == 400
