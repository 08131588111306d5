"""Whatever bytes come as a file are answered, and a line is judged as its single request is."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.generation.case import Case

from partners.batches.splitting import LINE_MOST_BYTES
from tests.journeys import documented
from tests.journeys.world import Scene

NDJSON, CSV, MSGPACK = "application/x-ndjson", "text/csv", "application/vnd.msgpack"

SCHEMA = documented.schema()
OPERATIONS = {operation.label: operation for operation in documented.operations(SCHEMA)}
FEW = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
PIECES = {
    NDJSON: [
        b"{}",
        b"\n",
        b'{"receipt": "',
        b'"}',
        b"[",
        b"\xff",
        b"\x00",
        b"\\u",
        b'"kind": "reverse"',
    ],
    CSV: [b"receipt,points", b"\n", b"\r\n", b",", b'"', b"kind", b"redeem", b"\x00", b"\xff"],
    MSGPACK: [
        b"\x80",
        b"\x90",
        b"\x92",
        b"\xdc",
        b"\xdd",
        b"\x81\xa4kind",
        b"\xc1",
        b"\xc0",
        b"\xdb",
    ],
}


@pytest.mark.parametrize("media_type", [NDJSON, CSV, MSGPACK])
def test_whatever_bytes_come_as_a_file_are_answered_as_documented(
    media_type: str, runner: asyncio.Runner, standing: Scene
) -> None:
    pieces = st.sampled_from(PIECES[media_type]) | st.binary(max_size=6)

    @FEW
    @given(content=st.lists(pieces, max_size=12).map(b"".join))
    def send(content: bytes) -> None:
        answer = runner.run(standing.grocer.send("/v1/batches", content, media_type))
        documented.check_named(OPERATIONS["POST /v1/batches"], answer)
        if answer.status_code == 201:
            results = answer.json()["results"]
            assert [result["line"] for result in results] == list(range(1, len(results) + 1))
            assert all(400 <= result["status"] < 500 for result in results), answer.text

    send()


@pytest.mark.parametrize("kind", ["issue", "redeem"])
@pytest.mark.parametrize("mode", GenerationMode)
def test_a_line_is_judged_as_its_single_request_is(
    kind: str, mode: GenerationMode, runner: asyncio.Runner, standing: Scene
) -> None:
    operation = OPERATIONS[f"POST /v1/points/{kind}"]

    @FEW
    @given(case=operation.as_strategy(generation_mode=mode, media_type="application/json"))
    def compare(case: Case[Any]) -> None:
        if not isinstance(case.body, dict) or "kind" in case.body:
            return
        if len(json.dumps(case.body)) > LINE_MOST_BYTES - len('{"kind": "redeem", '):
            return  # a request may be longer than a line
        single, line = runner.run(_both(standing, kind, case.body))
        if single["status"] < 300:
            assert (line["status"], line["code"]) == (409, "duplicate_receipt")
        else:
            assert line == single

    compare()


async def _both(
    standing: Scene, kind: str, body: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:  # Any: JSON objects
    """Send `body` as a request and then as a line; return what both answers say of a refusal."""
    shop = standing.grocer
    written = json.dumps(body).encode()
    single = await shop.send(f"/v1/points/{kind}", written, "application/json")
    line = json.dumps({"kind": kind} | body).encode()
    batch = await shop.send("/v1/batches", line, NDJSON)
    assert batch.status_code == 201, batch.text
    [result] = batch.json()["results"]
    return _told(single.json() | {"status": single.status_code}), _told(result)


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    of_the_envelope = {"line", "type", "title", "request_id"}
    return {name: value for name, value in answer.items() if name not in of_the_envelope}
