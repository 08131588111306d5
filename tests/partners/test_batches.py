"""Batches over HTTP: three formats, an answer for each line, all under one key."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from coalition.kernel.database import transaction
from partners.batches import upload
from tests.support.http import Coalition, Shop

NDJSON = "application/x-ndjson"
CSV = "text/csv"
MSGPACK = "application/vnd.msgpack"

Body = Mapping[str, Any]


def lines(bodies: Iterable[Body]) -> bytes:
    """Return `bodies` as NDJSON."""
    return b"".join(json.dumps(body).encode() + b"\n" for body in bodies)


def rows(bodies: Iterable[Body]) -> bytes:
    """Return issues as CSV."""
    head = "member_id,receipt,occurred_at,amount_minor,currency\r\n"
    return (
        head
        + "".join(
            f"{body['member_id']},{body['receipt']},{body['occurred_at']},"
            f"{body['purchase']['amount_minor']},{body['purchase']['currency']}\r\n"
            for body in bodies
        )
    ).encode()


def answered(ndjson: bytes) -> list[dict[str, Any]]:
    """Return the lines of `ndjson`."""
    return [json.loads(line) for line in ndjson.splitlines()]


async def count(table: str) -> int:
    """Return how many rows there are."""
    async with transaction() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def test_each_line_of_a_batch_is_answered_in_its_place(grocer: Shop) -> None:
    member = await grocer.new_member()
    content = lines(
        [
            grocer.purchase(member, 1000),
            grocer.purchase(member, 50),
            {"kind": "redeem"} | grocer.payment(member, 4),
            {"kind": "redeem"} | grocer.payment(member, 40),
        ]
    )
    answer = await grocer.send("/v1/batches", content, NDJSON)
    assert answer.status_code == 201, answer.text
    given = answer.json()
    assert given["state"] == "done"
    assert (given["lines"], given["posted"], given["refused"]) == (4, 3, 1)
    first, nothing, spent, refused = given["results"]
    assert first == {
        "line": 1,
        "status": 201,
        "posting_id": first["posting_id"],
        "member_id": member,
        "points": 10,
    }
    assert nothing == {"line": 2, "status": 200, "member_id": member, "points": 0}
    assert (spent["line"], spent["status"], spent["points"]) == (3, 201, 4)
    assert (refused["status"], refused["code"]) == (409, "not_enough_points")
    assert refused["balance"] == 6
    assert await grocer.balance(member) == 6
    shown = await grocer.get(f"/v1/postings/{first['posting_id']}")
    assert shown.json()["points"] == 10


async def test_a_batch_comes_in_three_formats(grocer: Shop) -> None:
    member = await grocer.new_member()
    for media_type, write in (
        (NDJSON, lines),
        (CSV, rows),
        (MSGPACK, lambda bodies: b"".join(msgspec.msgpack.encode(body) for body in bodies)),
        (MSGPACK, msgspec.msgpack.encode),
    ):
        content = write([grocer.purchase(member, 100) for _ in range(30)])
        answer = await grocer.send("/v1/batches", content, media_type)
        assert answer.status_code == 201, answer.text
        assert (answer.json()["posted"], answer.json()["refused"]) == (30, 0)
    assert await grocer.balance(member) == 120


async def test_a_reversal_is_a_line_too(grocer: Shop) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 100)
    content = lines(
        [
            {"kind": "reverse", "posting_id": posting, "points": 30},
            {"kind": "reverse", "posting_id": posting, "points": 71},
        ]
    )
    given = (await grocer.send("/v1/batches", content, NDJSON)).json()
    assert [line["status"] for line in given["results"]] == [201, 409]
    assert await grocer.balance(member) == 70


async def test_a_bad_line_spoils_nothing(grocer: Shop) -> None:
    member = await grocer.new_member()
    good = json.dumps(grocer.purchase(member, 100)).encode()
    other = json.dumps(grocer.purchase(member, 100)).encode()
    bad = {
        b"{": "malformed",
        b"nonsense": "malformed",
        b'{"receipt":"\xff"}': "malformed",
        b"5": "invalid",
        b"[]": "invalid",
        b"{}": "invalid",
        b'{"kind":"transfer"}': "invalid",
        b'{"kind":5}': "invalid",
        good[:-1] + b',"vat":1}': "invalid",
        good.replace(b"100", b'"100"'): "invalid",
        good.replace(b"100", b"100.0"): "invalid",
        b'{"a":"' + b"x" * 40_000 + b'"}': "line_too_long",
        good: "duplicate_receipt",
    }
    content = b"\n".join([good, *bad, b"", b"  ", other])
    answer = await grocer.send("/v1/batches", content, NDJSON)
    assert answer.status_code == 201, answer.text
    results = answer.json()["results"]
    assert [line["line"] for line in results] == list(range(1, len(bad) + 3))
    assert [line.get("code") for line in results] == [None, *bad.values(), None]
    assert results[9]["errors"] == [
        {"detail": "Object contains unknown field `vat`", "pointer": "/vat"}
    ]
    assert await grocer.balance(member) == 2


async def test_a_line_needs_the_scope_of_its_kind(coalition: Coalition, grocer: Shop) -> None:
    member = await grocer.new_member()
    till = await coalition.till(grocer, scopes=["batches:write", "points:issue"])
    content = lines([till.purchase(member), {"kind": "redeem"} | till.payment(member, 1)])
    given = (await till.send("/v1/batches", content, NDJSON)).json()
    assert [line["status"] for line in given["results"]] == [201, 403]
    assert given["results"][1]["scope"] == "points:redeem"


async def test_the_same_upload_gets_the_same_answer_byte_for_byte(grocer: Shop) -> None:
    member = await grocer.new_member()
    content = lines([grocer.purchase(member, 100) for _ in range(5)] + [{"kind": "?"}])
    for accept in ("application/json", MSGPACK):
        key = f"batch {accept}"
        first = await grocer.send("/v1/batches", content, NDJSON, key=key, accept=accept)
        again = await grocer.send("/v1/batches", content, NDJSON, key=key)
        assert first.status_code == again.status_code == 201
        assert again.content == first.content
        assert again.headers["content-type"] == first.headers["content-type"] == accept
        assert again.headers["idempotent-replayed"] == "true"
    assert await grocer.balance(member) == 5
    assert await count("batch") == 2


async def test_a_key_is_not_used_again_for_another_upload(grocer: Shop) -> None:
    member = await grocer.new_member()
    content = lines([grocer.purchase(member, 100)])
    await grocer.send("/v1/batches", content, NDJSON, key="k")
    for other, media_type in ((content + content, NDJSON), (content, CSV)):
        refused = await grocer.send("/v1/batches", other, media_type, key="k")
        if media_type == NDJSON:
            assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert await count("batch") == 1


async def test_an_upload_that_takes_long_is_posted_at_the_time_it_came_whole(
    coalition: Coalition, grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    content = lines([grocer.purchase(member, 100)])
    whole_at = at + timedelta(hours=1)

    async def for_an_hour() -> AsyncIterator[bytes]:
        yield content[:10]
        coalition.clock.advance(timedelta(hours=1))
        yield content[10:]

    headers = grocer.headers | {"content-type": NDJSON, "idempotency-key": "k"}
    answer = await grocer.http.post("/v1/batches", content=for_an_hour(), headers=headers)

    assert answer.status_code == 201, answer.text
    async with transaction() as connection:
        times = await connection.fetchrow(
            "SELECT committed_at, received_at, finished_at FROM posting, batch"
        )
    assert tuple(times) == (whole_at,) * 3


async def test_what_is_refused_as_a_whole_leaves_nothing(grocer: Shop) -> None:
    member = await grocer.new_member()
    whole = lines([grocer.purchase(member, 100) for _ in range(3)])
    packed = msgspec.msgpack.encode([grocer.purchase(member, 100) for _ in range(3)])
    table = rows([grocer.purchase(member, 100) for _ in range(3)])
    refusals: list[tuple[bytes, str, int, str]] = [
        (b"", NDJSON, 422, "batch_empty"),
        (b"\n \n", NDJSON, 422, "batch_empty"),
        (whole[:-5], NDJSON, 400, "batch_truncated"),
        (table[:-10], CSV, 400, "batch_truncated"),
        (table.split(b"\r\n")[0], CSV, 422, "batch_empty"),
        (b"", CSV, 422, "batch_empty"),
        (b"receipt,colour\nr,red\n", CSV, 422, "batch_header_invalid"),
        (b"receipt,receipt\nr,r\n", CSV, 422, "batch_header_invalid"),
        (b"\xff\xff\nr,r\n", CSV, 422, "batch_header_invalid"),
        (packed[:-5], MSGPACK, 400, "batch_truncated"),
        (packed[:1], MSGPACK, 400, "batch_truncated"),
        (packed + b"\x01", MSGPACK, 400, "batch_unreadable"),
        (packed[:1] + b"\xc1" * 9, MSGPACK, 400, "batch_unreadable"),
        (b"\xdd\x00\x10\x00\x00", MSGPACK, 413, "too_many_lines"),
        (b"\x90", MSGPACK, 422, "batch_empty"),
        (whole, "application/json", 415, "unsupported_media_type"),
    ]
    for content, media_type, status, code in refusals:
        answer = await grocer.send("/v1/batches", content, media_type)
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["code"]) == (status, code), (content, answer.text)
    short = await grocer.send("/v1/batches", whole, NDJSON, **{"content-length": "5000"})
    assert (short.status_code, short.json()["code"]) == (400, "batch_truncated")
    large = await grocer.send("/v1/batches", whole, NDJSON, **{"content-length": "500000001"})
    assert (large.status_code, large.json()["limit_bytes"]) == (413, 500_000_000)
    wordy = await grocer.send("/v1/batches", whole, NDJSON, **{"content-length": "many"})
    assert (wordy.status_code, wordy.json()["code"]) == (400, "malformed")
    assert await count("posting") == await count("batch") == 0
    assert await count("receipt_claim") == 0


async def test_an_upload_whose_connection_breaks_off_leaves_nothing(
    coalition: Coalition, grocer: Shop
) -> None:
    member = await grocer.new_member()
    content = lines(grocer.purchase(member, 100) for _ in range(3))
    for address, media_type, code in (
        ("/v1/batches", NDJSON, "batch_truncated"),
        ("/v1/points/issue", "application/json", "body_truncated"),
    ):
        headers = grocer.headers | {"content-type": media_type, "idempotency-key": "k"}
        status, problem = await coalition.broken_off(address, content[:100], headers)
        assert (status, problem["code"]) == (400, code)
    assert await count("posting") == await count("batch") == 0
    again = await grocer.send("/v1/batches", content, NDJSON, key="k")
    assert again.status_code == 201


async def test_results_are_read_again_from_any_line(grocer: Shop) -> None:
    member = await grocer.new_member()
    content = lines([grocer.purchase(member, 100) for _ in range(7)])
    given = (await grocer.send("/v1/batches", content, NDJSON)).json()
    address = f"/v1/batches/{given['batch_id']}/results"
    whole = await grocer.get(address)
    assert whole.headers["content-type"] == NDJSON
    assert answered(whole.content) == given["results"]
    part = await grocer.get(f"{address}?from_line=6")
    assert answered(part.content) == given["results"][5:]
    packed = await grocer.get(f"{address}?from_line=7", accept=MSGPACK)
    assert packed.headers["content-type"] == MSGPACK
    assert msgspec.msgpack.decode(packed.content) == given["results"][6]
    assert (await grocer.get(f"{address}?from_line=8")).content == b""
    assert (await grocer.get(f"{address}?from_line=0")).status_code == 422


async def test_what_is_answered_at_once_is_posted_together_however_it_was_read(
    grocer: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Posted part by part, batches about the same members would wait for each other in a circle.
    monkeypatch.setattr(upload, "CHUNK_LINES", 2)
    anna, bo = await grocer.new_member(), await grocer.new_member("97520002")
    there = [grocer.purchase(member, 1000) for member in (anna, anna, bo, bo, anna)]
    back = [grocer.purchase(member, 2000) for member in (bo, bo, anna, anna, bo)]
    sent = await asyncio.gather(
        *(grocer.send("/v1/batches", lines(bodies), NDJSON) for bodies in (there, back))
    )
    for answer, members in zip(
        sent, ((anna, anna, bo, bo, anna), (bo, bo, anna, anna, bo)), strict=True
    ):
        assert answer.status_code == 201, answer.text
        results = answer.json()["results"]
        assert [(one["line"], one["member_id"]) for one in results] == list(enumerate(members, 1))
    assert (await grocer.balance(anna), await grocer.balance(bo)) == (70, 80)
    async with transaction() as connection:
        kept = await connection.fetch("SELECT first_line, lines FROM batch_chunk")
    assert [tuple(row) for row in kept] == [(1, 5), (1, 5)]


async def test_batches_are_listed_the_latest_first(grocer: Shop) -> None:
    member = await grocer.new_member()
    made = []
    for _ in range(3):
        content = lines([grocer.purchase(member, 100)])
        made.append((await grocer.send("/v1/batches", content, NDJSON)).json()["batch_id"])
    page = (await grocer.get("/v1/batches?limit=2")).json()
    rest = (await grocer.get(f"/v1/batches?limit=2&cursor={page['next_cursor']}")).json()
    seen = [batch["batch_id"] for batch in page["items"] + rest["items"]]
    assert seen == sorted(made, reverse=True)
    assert rest["next_cursor"] is None
    shown = (await grocer.get(f"/v1/batches/{made[0]}")).json()
    assert shown == next(batch for batch in rest["items"] if batch["batch_id"] == made[0])
    assert shown["finished_at"] == "2026-11-21T12:00:00Z"


async def test_csv_names_its_columns_in_any_order(grocer: Shop) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 50)
    now = grocer.at.isoformat()
    content = "\n".join(
        [
            "\ufeffkind,receipt,occurred_at,member_id,points,purchase.amount_minor,purchase.currency,posting_id,reason",
            f"issue,C1,{now},{member},,500,SEK,,",
            f",C2,{now},{member},7,,,,",
            f"redeem,C3,{now},{member},3,,,,",
            f'reverse,,,,50,,,{posting},"wrong, by mistake"',
            f"redeem,C4,{now},{member},3.0,,,,",
            f"issue,C5,{now},{member},,500,SEK,,,",
            f"gift,C6,{now},{member},,500,SEK,,",
            f'issue,"C7,{now},{member},,500,SEK,,',
        ]
    )
    answer = await grocer.send("/v1/batches", content.encode() + b"\n", CSV)
    given = answer.json()
    assert [line["status"] for line in given["results"]] == [
        *(201, 201, 201, 201),
        *(422, 400, 422, 400),
    ]
    assert given["results"][4]["errors"][0]["pointer"] == "/points"
    assert await grocer.balance(member) == 9
