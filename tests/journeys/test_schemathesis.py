"""The API against its own document: generated requests, as a partner and as nobody.

Every answer must be one that the document names for that operation. The cases are the same in each
run, whatever ran before.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.generation.case import Case

from tests.journeys import documented
from tests.journeys.documented import Operation
from tests.journeys.world import Scene, open_world, set_scene
from tests.support.members import open_app
from tests.support.postgres import create_database, drop_database

SCHEMA = documented.schema()
OPERATIONS = {operation.label: operation for operation in documented.operations(SCHEMA)}
OF_PARTNERS = {
    label: operation
    for label, operation in OPERATIONS.items()
    if not operation.path.startswith(
        ("/v1/admin/", "/v1/sign-", "/v1/withdrawals", "/v1/cancellations")
    )
    and not documented.is_members(operation)
}
OF_MEMBERS = {one.label for one in OPERATIONS.values() if documented.is_members(one)}
SECURED = {
    label: operation
    for label, operation in OPERATIONS.items()
    if operation.definition.raw.get("security")
}

MODES = {
    f"{mode.value} {label}": (operation, mode)
    for label, operation in SECURED.items()
    for mode in GenerationMode
    # What takes nothing, or any name, can be asked for in one way only.
    if mode is GenerationMode.POSITIVE
    or "requestBody" in operation.definition.raw
    or (operation.definition.raw.get("parameters") and "{name}" not in operation.path)
}

FEW = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
BATCHES: dict[str, str | bytes] = {
    "application/x-ndjson": '{"receipt": "1"}\n{"kind": "redeem"}\n',
    "text/csv": "kind,receipt\nissue,1\nredeem,2\n",
    "application/vnd.msgpack": b"\x81\xa7receipt\xa11",
}
HEADERS = ("authorization", "idempotency-key", "accept", "content-type", "x-request-id")
WORDS = (b"", b"Bearer ", b"application/json", b"application/vnd.msgpack", b";q=", b",", b"\x00")


@pytest.fixture(scope="module")
def served(runner: asyncio.Runner, postgres_url: str) -> Iterator[Scene]:
    """Yield a scene that takes whatever comes."""
    url = create_database(postgres_url)
    stack = AsyncExitStack()
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    world = runner.run(stack.enter_async_context(open_world(url, at)))
    yield runner.run(set_scene(world))
    runner.run(stack.aclose())
    drop_database(postgres_url, url)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_whatever_is_sent_has_an_answer_that_is_documented(
    operation: Operation, runner: asyncio.Runner, served: Scene
) -> None:
    def ask(case: Case[Any]) -> None:
        answer = documented.send(runner, served, case, _token(runner, served, operation))
        documented.check(case, answer)

    documented.whatever(operation, ask)


@pytest.mark.parametrize(("operation", "mode"), MODES.values(), ids=MODES)
def test_nobody_gets_in_whatever_is_sent(
    operation: Operation, mode: GenerationMode, runner: asyncio.Runner, served: Scene
) -> None:
    @FEW
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        answer = documented.send(runner, served, case, None)
        # What is no id names no address, so there is nothing to get into.
        refused = (answer.status_code, answer.json()["code"])
        assert refused in {(401, "unauthenticated"), (404, "not_found")}
        assert refused[0] == 401 or mode is GenerationMode.NEGATIVE
        documented.check_named(operation, answer)

    ask()


@pytest.mark.parametrize("operation", OF_PARTNERS.values(), ids=OF_PARTNERS)
def test_what_a_till_sends_of_things_that_are_there_is_answered_as_documented(
    operation: Operation, runner: asyncio.Runner, served: Scene
) -> None:
    reached = set()

    @FEW
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        there = runner.run(_something_there(served))
        own = {name: text for name, text in there.items() if f"{{{name}}}" in operation.path}
        wanted = GenerationMode.POSITIVE
        case = data.draw(operation.as_strategy(path_parameters=own, generation_mode=wanted))
        _bring_to_life(case, served)
        token = served.grocer.token if operation.label in SECURED else None
        answer = documented.send(runner, served, case, token)
        reached.add(answer.status_code // 100)
        documented.check(case, answer)

    ask()
    assert 2 in reached, "some of them are done"


@pytest.mark.parametrize("operation", SECURED.values(), ids=SECURED)
def test_no_header_breaks_anything(
    operation: Operation, runner: asyncio.Runner, served: Scene
) -> None:
    nothing = "00000000-0000-4000-8000-000000000000"
    there = defaultdict(lambda: nothing, runner.run(_something_there(served)))
    path = operation.path.format_map(there)
    texts = st.lists(st.sampled_from(WORDS) | st.binary(max_size=40), max_size=4).map(b"".join)

    @FEW
    @given(headers=st.lists(st.tuples(st.sampled_from(HEADERS), texts), max_size=4))
    def ask(headers: list[tuple[str, bytes]]) -> None:
        token = _token(runner, served, operation)
        own = [("authorization", f"Bearer {token}".encode())]
        given_ = {name for name, _ in headers}
        sent = [*headers, *(header for header in own if header[0] not in given_)]
        raw = [(name.encode(), value) for name, value in sent]
        asking = served.http.request(operation.method.upper(), path, headers=raw, content=b"{}")
        documented.check_named(operation, runner.run(asking))

    ask()


def _token(runner: asyncio.Runner, served: Scene, operation: Operation) -> str:
    """Return the token of whoever the operation is for; one may be given back."""
    if operation.path == "/v1/sign-out":
        return runner.run(_new_token(served))
    if operation.label in OF_MEMBERS:
        return served.app.token
    return (served.grocer if operation.label in OF_PARTNERS else served.finance).token


async def _new_token(served: Scene) -> str:
    """Return a further token of the member."""
    at = served.grocer.at
    return (await open_app(served.http, served.app.member, served.service.settings, at)).token


async def _something_there(served: Scene) -> dict[str, str]:
    """Return what a path may name: a hold and a posting that are new, and what the scene has."""
    grocer = served.grocer
    held = await grocer.post("/v1/points/holds", grocer.payment(served.member, 5))
    await grocer.post(f"/v1/members/{served.member}/entitlements/use", _used(served))
    return {
        "member_id": served.member,
        "posting_id": await grocer.issue(served.member, 100),
        "hold_id": held.json()["hold_id"],
        "batch_id": served.batch,
        "statement_id": served.statement,
    }


def _used(served: Scene) -> dict[str, Any]:
    """Return what a till says of a benefit that the member had: the same each time."""
    return {
        "benefit": "shipping",
        "receipt": "sent",
        "occurred_at": served.grocer.at.isoformat(),
        "saved": {"amount_minor": 100, "currency": "SEK"},
    }


def _bring_to_life(case: Case[Any], served: Scene) -> None:
    """Let a generated request speak of a member who is there, of now, and of few points."""
    label, body = case.operation.label, case.body
    if case.headers and "idempotency-key" in case.headers:
        # Made-up keys come again, with another body.
        case.headers["idempotency-key"] = served.grocer.new_key()
    if label.startswith("GET /v1/statements/"):
        case.query = {"line": 1} if label.endswith("/lines") else {}
        return
    if label == "GET /v1/members":
        case.query = {"card": "97520001"}
    elif label.startswith("POST /oauth/"):
        client = served.grocer.client
        case.body = {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "grant_type": "client_credentials",
            "token": "another",
        }
    elif label == "POST /v1/members":
        case.body = {"card": served.grocer.new_key()[-6:].replace("_", "0").replace("-", "0")}
    elif label == "POST /v1/batches":
        assert case.media_type is not None
        case.body = BATCHES[case.media_type]
    elif isinstance(body, dict):
        case.body = _alive(body, served)


def _alive(body: dict[str, Any], served: Scene) -> dict[str, Any]:  # Any: a JSON object
    if "benefit" in body:
        return {name: value for name, value in _used(served).items() if name in body}
    alive = {name: value for name, value in body.items() if name not in {"card", "store"}}
    _make_small(alive)
    alive.pop("point_currency", None)
    if "from" in alive:
        alive |= {"from": "POINT", "to": "MILES"}
    if {"receipt", "member_id"} & alive.keys():
        alive["member_id"] = served.member
    if "occurred_at" in alive:
        alive["occurred_at"] = served.grocer.at.isoformat()
    for word in alive.get("consents", []):
        word.pop("given_at", None)
    return alive


def _make_small(alive: dict[str, Any]) -> None:
    """Let a body speak of a small purchase, or of few points."""
    if "purchase" in alive:
        alive["purchase"] = {"amount_minor": 5000, "currency": "SEK"}
        for name in ("points", "lines", "measures"):
            alive.pop(name, None)
    elif "points" in alive:
        alive["points"] = 3
