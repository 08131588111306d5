"""Points that were spent before their purchase came back, over HTTP and in batches."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime

import msgspec
import pytest

from coalition.federation.terms import ReversalPolicy
from coalition.kernel.database import Engine
from partners.batches.splitting import NDJSON
from tests.support import http
from tests.support.http import Coalition, Shop, open_coalition


@pytest.fixture
def coalition(
    runner: asyncio.Runner, database: Engine, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Coalition]:
    """Yield a coalition whose partners let later points pay what was spent."""
    terms = msgspec.structs.replace(http.TERMS, reversal_policy=ReversalPolicy.RECOVER)
    monkeypatch.setattr(http, "TERMS", terms)
    opened = runner.run(open_coalition(at))
    yield opened
    runner.run(opened.close())


async def test_what_is_spent_is_owed_and_paid_by_later_points(grocer: Shop) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 100)
    await grocer.post("/v1/points/redeem", grocer.payment(member, 60))
    back = await grocer.post(f"/v1/postings/{posting}/reverse", {})
    assert back.status_code == 201, back.text
    assert (back.json()["points"], back.json()["debt"], back.json()["balance"]) == (40, 60, 0)
    shown = (await grocer.get(f"/v1/postings/{posting}")).json()
    assert shown["reversed_points"] == 100
    balance = (await grocer.get(f"/v1/members/{member}/balance")).json()
    assert balance == {"member_id": member, "balance": 0, "debt": 60}

    later = await grocer.post("/v1/points/issue", grocer.purchase(member, 10_000))
    assert [reason["points"] for reason in later.json()["reasons"]] == [100, -60]
    assert later.json()["balance"] == 40
    balance = (await grocer.get(f"/v1/members/{member}/balance")).json()
    assert balance == {"member_id": member, "balance": 40}
    latest = (await grocer.get("/v1/postings?limit=2")).json()["items"]
    (paid,) = (one for one in latest if one["kind"] == "recovery")
    assert (paid["points"], paid["direction"], paid["member_id"]) == (60, "debit", member)
    assert paid["linked"] == posting


async def test_a_debt_alone_is_answered_200_and_replayed(grocer: Shop) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 100)
    await grocer.post("/v1/points/redeem", grocer.payment(member, 100))
    address, key = f"/v1/postings/{posting}/reverse", grocer.new_key()
    answers = [await grocer.post(address, {}, key=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert (answers[0].json()["posting_id"], answers[0].json()["debt"]) == (None, 100)
    more = await grocer.post(address, {})
    assert (more.status_code, more.json()["code"]) == (409, "reversal_exceeds_original")


async def test_lines_of_a_batch_say_what_is_owed(grocer: Shop) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 100)
    await grocer.post("/v1/points/redeem", grocer.payment(member, 60))
    lines = [
        {"kind": "reverse", "posting_id": posting, "points": 70},
        {"kind": "reverse", "posting_id": posting},
        grocer.purchase(member, 4000),
    ]
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    given = (await grocer.send("/v1/batches", content, NDJSON)).json()
    told = [(line["status"], line["points"], line.get("debt")) for line in given["results"]]
    assert told == [(201, 40, 30), (200, 0, 30), (201, 40, None)]
    balance = (await grocer.get(f"/v1/members/{member}/balance")).json()
    assert (balance["balance"], balance["debt"]) == (0, 20)
