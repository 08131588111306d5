"""Uploads that come at the same time: under one key, and beside each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.kernel.idempotency import Answer
from partners.batches import service
from tests.partners.test_batches import NDJSON, count, lines
from tests.support.http import Shop


async def test_a_second_upload_under_a_key_waits_for_the_first(grocer: Shop) -> None:
    member = await grocer.new_member()
    content = lines([grocer.purchase(member, 100)])
    is_under_way, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield content[:10]
        is_under_way.set()
        await goes_on.wait()
        yield content[10:]

    headers = grocer.headers | {"content-type": NDJSON, "idempotency-key": "k"}
    first = asyncio.create_task(grocer.http.post("/v1/batches", content=slowly(), headers=headers))
    await is_under_way.wait()
    refused = await grocer.send("/v1/batches", content, NDJSON, key="k")
    assert (refused.status_code, refused.json()["code"]) == (409, "request_in_progress")
    goes_on.set()
    assert (await first).status_code == 201
    assert await grocer.balance(member) == 1


@pytest.mark.parametrize(
    ("amount_minor", "points"), [(1000, 10), (50, 0)], ids=["with a receipt", "by its key alone"]
)
async def test_an_upload_that_two_processes_take_at_once_is_taken_in_once(
    grocer: Shop, monkeypatch: pytest.MonkeyPatch, amount_minor: int, points: int
) -> None:
    member = await grocer.new_member()
    content = lines([grocer.purchase(member, amount_minor), {"kind": "?"}])
    both, known, waited = asyncio.Barrier(2), service._known, 0  # noqa: SLF001 - where two can meet

    async def known_by_neither(connection: Connection, sent: service.Upload) -> Answer | None:
        nonlocal waited
        found = await known(connection, sent)
        if found is None:
            waited += 1
            await both.wait()
        return found

    monkeypatch.setattr(service, "_known", known_by_neither)
    monkeypatch.setattr(service.Batches, "only_one", lambda *_: nullcontext())
    sending = (grocer.send("/v1/batches", content, NDJSON, key="k") for _ in range(2))
    one, other = await asyncio.gather(*sending)
    assert waited == 2, "neither found the other's answer at first"
    assert one.status_code == other.status_code == 201
    assert one.content == other.content
    assert one.json()["posted"] == 1
    replayed = [answer.headers.get("idempotent-replayed") for answer in (one, other)]
    assert sorted(replayed, key=str) == [None, "true"]
    assert await count("batch") == await count("batch_chunk") == 1
    assert await grocer.balance(member) == points


async def test_two_batches_at_once_lock_lots_last(
    grocer: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [await grocer.new_member(f"KORT1111111{no}") for no in range(3)]
    contents = [lines(grocer.purchase(one, 1000) for one in members * 4) for _ in range(2)]
    ways = list[bool]()

    class Noted(Later):
        def __init__(self, *, locks_last: bool | None = None) -> None:
            if locks_last is not None:
                ways.append(locks_last)
            super().__init__(locks_last=bool(locks_last))

    monkeypatch.setattr(service, "Later", Noted)
    sending = (grocer.send("/v1/batches", content, NDJSON) for content in contents)
    answers = await asyncio.gather(*sending)
    assert any(ways), "one that begins beside another"
    assert [answer.json()["posted"] for answer in answers] == [12, 12]
    assert [await grocer.balance(one) for one in members] == [80] * 3
    ways.clear()
    await grocer.send("/v1/batches", lines([grocer.purchase(members[0], 1000)]), NDJSON)
    assert ways == [False], "alone the server would wait for postings"
