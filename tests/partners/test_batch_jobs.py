"""Batches of many lines: kept whole, worked off chunk by chunk, resumed where they stopped."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from coalition.access import service as access
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import BatchId
from coalition.kernel.jobs.worker import LONGEST_PAUSE_S
from coalition.points.till import Tills
from partners.batches import upload
from partners.batches.jobs import job_kinds
from partners.batches.service import JOB, Batches, BatchJob
from server.health import examine
from tests.partners.test_batches import CSV, NDJSON, answered, count, lines, rows
from tests.support.http import SETTINGS, Coalition, Shop

LINES = 10_001


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let six lines be many, and two a chunk, so that what is tested stays fast."""
    monkeypatch.setattr(upload, "AT_ONCE_LINES", 5)
    monkeypatch.setattr(upload, "CHUNK_LINES", 2)


async def work_off(coalition: Coalition, batch: str, at: datetime) -> None:
    """Do the job of `batch` as a worker does."""
    await Batches(coalition.tills).run(BatchId(UUID(batch)), FixedClock(at))


async def test_more_than_ten_thousand_lines_are_a_job(
    coalition: Coalition, grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    content = lines(grocer.purchase(member, 100) for _ in range(LINES))
    answer = await grocer.send("/v1/batches", content, NDJSON)
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    assert accepted == {"batch_id": accepted["batch_id"], "state": "queued", "lines": LINES}
    address = f"/v1/batches/{accepted['batch_id']}"
    assert (await grocer.get(address)).json()["state"] == "queued"
    assert (await grocer.get(f"{address}/results")).content == b""
    assert await count("posting") == 0
    assert await queued() == [accepted["batch_id"]]
    (kind,) = job_kinds(coalition.tills, FixedClock(at))
    await kind.handle(BatchJob(UUID(accepted["batch_id"])), at)
    shown = (await grocer.get(address)).json()
    assert shown["state"] == "done"
    assert (shown["lines"], shown["posted"], shown["refused"]) == (LINES, LINES, 0)
    results = answered((await grocer.get(f"{address}/results")).content)
    assert [line["line"] for line in results] == list(range(1, LINES + 1))
    assert await grocer.balance(member) == LINES
    last = answered((await grocer.get(f"{address}/results?from_line={LINES}")).content)
    assert last == results[-1:]


async def queued() -> list[str]:
    """Return the batches whose jobs wait."""
    async with transaction() as connection:
        jobs = await connection.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = $1", JOB)
    return [json.loads(row[0])["batch_id"] for row in jobs]


@pytest.mark.usefixtures("small_chunks")
async def test_a_job_that_was_killed_goes_on_where_it_stopped(
    coalition: Coalition, grocer: Shop, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await grocer.new_member()
    content = lines(grocer.purchase(member, 100) for _ in range(7))
    batch = (await grocer.send("/v1/batches", content, NDJSON)).json()["batch_id"]
    post_lines, posted = Tills.post_lines, 0

    async def killed_in_the_third(
        self: Tills, *given: Any, **named: Any
    ) -> object:  # Any: handed on
        nonlocal posted
        answers = await post_lines(self, *given, **named)
        posted += 1
        if posted == 3:
            raise asyncio.CancelledError
        return answers

    monkeypatch.setattr(Tills, "post_lines", killed_in_the_third)
    with pytest.raises(asyncio.CancelledError):
        await work_off(coalition, batch, at)
    midway = (await grocer.get(f"/v1/batches/{batch}")).json()
    assert (midway["state"], midway["posted"], midway["finished_at"]) == ("running", 4, None)
    so_far = (await grocer.get(f"/v1/batches/{batch}/results")).content
    assert [line["line"] for line in answered(so_far)] == [1, 2, 3, 4]
    assert await grocer.balance(member) == 4
    await work_off(coalition, batch, at)
    results = (await grocer.get(f"/v1/batches/{batch}/results")).content
    assert results.startswith(so_far)
    assert [line["status"] for line in answered(results)] == [201] * 7
    assert await grocer.balance(member) == 7
    await work_off(coalition, batch, at)
    assert await grocer.balance(member) == 7


@pytest.mark.usefixtures("small_chunks")
async def test_the_lines_left_of_a_revoked_client_are_refused(
    coalition: Coalition, grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    sender = await coalition.till(grocer)
    content = lines(grocer.purchase(member, 100) for _ in range(7))
    batch = (await sender.send("/v1/batches", content, NDJSON)).json()["batch_id"]
    jobs = Batches(coalition.tills)
    assert await jobs.run_next(BatchId(UUID(batch)), at)

    await access.revoke_client(sender.client.client_id, actor="staff:test", at=at)
    await work_off(coalition, batch, at)

    shown = (await grocer.get(f"/v1/batches/{batch}")).json()
    assert (shown["state"], shown["posted"], shown["refused"]) == ("done", 2, 5)
    results = answered((await grocer.get(f"/v1/batches/{batch}/results")).content)
    assert [line["status"] for line in results] == [201] * 2 + [403] * 5
    assert {line.get("code") for line in results[2:]} == {"sender_revoked"}
    assert await grocer.balance(member) == 2


class PassingClock(FixedClock):
    """A clock by which an hour passes from one look to the next."""

    def now(self) -> datetime:
        return self.advance(timedelta(hours=1))


@pytest.mark.usefixtures("small_chunks")
async def test_each_chunk_is_posted_at_its_own_time(
    coalition: Coalition, grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    content = lines(grocer.purchase(member, 100) for _ in range(6))
    batch = (await grocer.send("/v1/batches", content, NDJSON)).json()["batch_id"]

    await Batches(coalition.tills).run(BatchId(UUID(batch)), PassingClock(at))

    async with transaction() as connection:
        rows = await connection.fetch("SELECT DISTINCT committed_at FROM posting ORDER BY 1")
    assert [row[0] for row in rows] == [at + timedelta(hours=hours) for hours in (1, 2, 3)]
    shown = (await grocer.get(f"/v1/batches/{batch}")).json()
    assert datetime.fromisoformat(shown["finished_at"]) == at + timedelta(hours=3)


@pytest.mark.usefixtures("small_chunks")
async def test_two_workers_do_not_post_a_line_twice(
    coalition: Coalition, grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    content = lines(grocer.purchase(member, 100) for _ in range(12))
    batch = (await grocer.send("/v1/batches", content, NDJSON)).json()["batch_id"]
    await asyncio.gather(*(work_off(coalition, batch, at) for _ in range(3)))
    results = answered((await grocer.get(f"/v1/batches/{batch}/results")).content)
    assert [line["status"] for line in results] == [201] * 12
    assert await grocer.balance(member) == 12


@pytest.mark.usefixtures("small_chunks")
async def test_the_same_upload_is_the_same_batch_while_it_is_worked_off_and_after(
    coalition: Coalition, grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    content = lines(grocer.purchase(member, 100) for _ in range(7))
    first = await grocer.send("/v1/batches", content, NDJSON, key="k")
    batch = first.json()["batch_id"]
    for _ in range(2):
        again = await grocer.send("/v1/batches", content, NDJSON, key="k")
        assert (again.status_code, again.content) == (202, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        other = await grocer.send("/v1/batches", content + b"{}\n", NDJSON, key="k")
        assert other.status_code == 422
        await work_off(coalition, batch, at)
    assert await grocer.balance(member) == 7
    assert await count("batch") == 1
    assert await queued() == [batch]


@pytest.mark.usefixtures("small_chunks")
async def test_bad_lines_and_scopes_of_a_job_are_as_in_a_request(
    coalition: Coalition, grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    till = await coalition.till(grocer, scopes=["batches:write", "points:issue"])
    bodies = [till.purchase(member, 100) for _ in range(6)]
    content = b"nonsense\n" + lines(bodies) + lines([{"kind": "redeem"} | till.payment(member, 1)])
    answer = await till.send("/v1/batches", content + b"x" * 40_000, NDJSON)
    batch = answer.json()["batch_id"]
    await work_off(coalition, batch, at)
    results = answered((await till.get(f"/v1/batches/{batch}/results")).content)
    assert [line["status"] for line in results] == [400, *[201] * 6, 403, 413]
    assert [line["line"] for line in results] == list(range(1, 10))


@pytest.mark.usefixtures("small_chunks")
async def test_a_job_keeps_the_columns_of_its_file(
    coalition: Coalition, grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    content = rows([grocer.purchase(member, 100) for _ in range(7)])
    batch = (await grocer.send("/v1/batches", content, CSV)).json()["batch_id"]
    await work_off(coalition, batch, at)
    assert await grocer.balance(member) == 7


@pytest.mark.usefixtures("small_chunks")
async def test_a_long_upload_that_is_cut_leaves_nothing(
    grocer: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await grocer.new_member()
    content = lines(grocer.purchase(member, 100) for _ in range(7))
    cut = await grocer.send("/v1/batches", content[:-5], NDJSON)
    assert (cut.status_code, cut.json()["code"]) == (400, "batch_truncated")
    monkeypatch.setattr(upload, "LINES_MOST", 6)
    many = await grocer.send("/v1/batches", content, NDJSON)
    assert (many.status_code, many.json()["code"]) == (413, "too_many_lines")
    assert await count("batch") == await count("batch_chunk") == 0
    assert await queued() == []


@pytest.mark.usefixtures("small_chunks")
async def test_a_batch_is_never_given_up_and_the_doctor_names_one_that_takes_long(
    coalition: Coalition, grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    content = lines(grocer.purchase(member, 100) for _ in range(7))
    batch = (await grocer.send("/v1/batches", content, NDJSON)).json()["batch_id"]
    (kind,) = job_kinds(coalition.tills, FixedClock(at))
    a_year_of_tries = timedelta(days=365) / timedelta(seconds=LONGEST_PAUSE_S)

    async def finding(when: datetime) -> tuple[bool, str]:
        found = {one.check: one for one in await examine(SETTINGS, {}, when)}["batches"]
        return found.ok, found.found

    assert kind.attempts > a_year_of_tries
    assert await finding(at + timedelta(minutes=59)) == (True, "1 not done, the oldest for 3540 s")
    assert await finding(at + timedelta(hours=2)) == (False, "1 not done, the oldest for 7200 s")
    await work_off(coalition, batch, at)
    assert await finding(at + timedelta(hours=2)) == (True, "0 not done, the oldest for 0 s")


async def test_a_batch_that_is_not_there_is_no_work(coalition: Coalition, at: datetime) -> None:
    await work_off(coalition, "01a1fdfa-4600-75bb-b5f4-70d01a8503c7", at)
    assert await count("posting") == 0
