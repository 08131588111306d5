"""Batches are cut off midway, by the client, by kills; in the end each line is posted once."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from tests.faults.failing_service import AFTER_COMMIT, BEFORE_COMMIT
from tests.faults.houses import House
from tests.faults.processes import kill_all, postgres_processes, worker_of
from tests.faults.tills import token_of

pytestmark = pytest.mark.slow

SOME_LINES = 2_000
MANY_LINES = 60_000
PATIENCE_S = 120.0


@pytest.mark.parametrize("point", [BEFORE_COMMIT, AFTER_COMMIT])
async def test_a_batch_cut_off_at_its_commit_is_posted_once_when_sent_again(
    house: House, point: str
) -> None:
    content = _lines(house, SOME_LINES)
    await asyncio.to_thread(house.service.start, failpoint=f"{point}:1")
    async with await _partner(house) as http:
        with pytest.raises(httpx.TransportError):
            await _send(http, content)
    assert house.service.await_end() == -signal.SIGKILL
    await asyncio.to_thread(house.service.start)
    async with await _partner(house) as http:
        first, again = await _send(http, content), await _send(http, content)
        assert first.status_code == again.status_code == 201, first.text
        assert first.content == again.content
        assert ("idempotent-replayed" in first.headers) == (point == AFTER_COMMIT)
        assert again.headers["idempotent-replayed"] == "true"
        await _check_every_line_is_posted_once(house, first.json()["results"], SOME_LINES)


async def test_an_upload_that_its_client_breaks_off_leaves_nothing(house: House) -> None:
    content = _lines(house, SOME_LINES)
    await asyncio.to_thread(house.service.start)
    async with await _partner(house) as http:
        await _break_off(house, http, content)
        answer = await _send(http, content)
        while answer.status_code == 409:  # the service has not noticed yet
            assert answer.json()["code"] == "request_in_progress"
            answer = await _send(http, content)
        assert answer.status_code == 201, answer.text
        assert "idempotent-replayed" not in answer.headers
        await _check_every_line_is_posted_once(house, answer.json()["results"], SOME_LINES)


async def test_a_job_goes_on_where_it_stopped_whatever_is_killed(house: House) -> None:
    content = _lines(house, MANY_LINES)
    house.service.has_worker = True
    await asyncio.to_thread(house.service.start)
    async with await _partner(house) as http:
        answer = await _send(http, content)
        assert answer.status_code == 202, answer.text
        address = f"/v1/batches/{answer.json()['batch_id']}"
        await _until_posted(http, address, 1)
        kill_all(postgres_processes(house.data))
        await asyncio.to_thread(house.service.await_ready)
        kill_all([worker_of(house.service)])
        await asyncio.to_thread(house.service.kill)
        await asyncio.to_thread(house.service.start)
        again = await _send(http, content)
        assert again.content == answer.content
        await _until_posted(http, address, MANY_LINES)
        shown = (await http.get(address)).json()
        assert (shown["state"], shown["refused"]) == ("done", 0)
        results = (await http.get(f"{address}/results")).content.splitlines()
        await _check_every_line_is_posted_once(house, map(json.loads, results), MANY_LINES)


async def _partner(house: House) -> httpx.AsyncClient:
    token = await token_of(house.service.url, house.clients[0])
    return httpx.AsyncClient(
        base_url=house.service.url, timeout=60, headers={"authorization": f"Bearer {token}"}
    )


async def _send(http: httpx.AsyncClient, content: bytes) -> httpx.Response:
    headers = {"content-type": "application/x-ndjson", "idempotency-key": "one-batch"}
    return await http.post("/v1/batches", content=content, headers=headers)


async def _break_off(house: House, http: httpx.AsyncClient, content: bytes) -> None:
    """Send the head and half of the body, and close the connection."""
    _, writer = await asyncio.open_connection("127.0.0.1", house.service.port)
    writer.write(
        b"POST /v1/batches HTTP/1.1\r\nhost: test\r\n"
        b"content-type: application/x-ndjson\r\nidempotency-key: one-batch\r\n"
        b"content-length: %d\r\n"
        % len(content)
        + b"authorization: %s\r\n\r\n" % http.headers["authorization"].encode()
    )
    writer.write(content[: len(content) // 2])
    await writer.drain()
    writer.transport.abort()


async def _until_posted(http: httpx.AsyncClient, address: str, least: int) -> None:
    """Return when at least so many lines of the batch are posted."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    posted = 0
    while posted < least:
        assert loop.time() < deadline, f"{posted} of {least} lines are posted, then no more"
        answer = await http.get(address)
        if answer.status_code == 200:
            posted = answer.json()["posted"]
        await asyncio.sleep(0.02)


async def _check_every_line_is_posted_once(
    house: House, results: Iterable[dict[str, Any]], lines: int
) -> None:
    answered = list(results)
    assert [one["line"] for one in answered] == list(range(1, lines + 1))
    assert {one["status"] for one in answered} == {201}
    async with house.books():
        async with transaction() as connection:
            rows = await connection.fetch("SELECT id, holder FROM posting")
        assert {str(row["id"]) for row in rows} == {one["posting_id"] for one in answered}
        assert len(rows) == lines
        held = Counter(str(row["holder"]) for row in rows)
        assert held == {member: lines / len(house.members) for member in house.members}
        await house.check_books()


def _lines(house: House, number: int) -> bytes:
    """Return lines that give a point each, the members in turn."""
    occurred_at = SystemClock().now().isoformat()
    return b"".join(
        json.dumps(
            {
                "member_id": house.members[line % len(house.members)],
                "receipt": f"line-{line}",
                "occurred_at": occurred_at,
                "points": 1,
            }
        ).encode()
        + b"\n"
        for line in range(number)
    )
