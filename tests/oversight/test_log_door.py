"""The audit log is read page by page by the operator's auditors, and proves itself from a page."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from coalition.kernel.database import Engine
from coalition.kernel.identity import STAFF_SCOPES
from coalition.oversight import audit_log
from tests.support.http import Coalition, Desk, open_coalition, open_desk

LOG = "/v1/admin/audit-log"


@pytest.fixture
def coalition(runner: asyncio.Runner, database: Engine, at: datetime) -> Iterator[Coalition]:
    """Yield a coalition of two partners, served in this process."""
    opened = runner.run(open_coalition(at))
    yield opened
    runner.run(opened.close())


async def auditor(coalition: Coalition) -> Desk:
    return await open_desk(coalition.http, coalition.clock.now(), ["audit:read"])


async def read(desk: Desk, **wanted: str) -> Any:  # Any: JSON
    answer = await desk.get(LOG, **wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_row_has_the_hash_that_its_content_and_the_one_before_give(
    coalition: Coalition,
) -> None:
    rows = (await read(await auditor(coalition)))["items"]

    assert [row["no"] for row in rows] == [*range(1, len(rows) + 1)]
    before = audit_log.FIRST_HASH
    for row in rows:
        computed = audit_log.row_hash(
            no=row["no"],
            at=datetime.fromisoformat(row["at"]),
            actor=row["actor"],
            action=row["action"],
            subject=row["subject"],
            facts=row["facts"],
            previous_hash=before,
        )
        assert (row["previous_hash"], row["hash"]) == (before.hex(), computed.hex())
        before = computed
    assert rows[-1]["action"] == "client.created"


async def test_pages_follow_each_other_and_one_subject_can_be_asked_for(
    coalition: Coalition,
) -> None:
    desk = await auditor(coalition)
    whole = await read(desk)
    assert whole["next_cursor"] is None

    first = await read(desk, limit="3")
    rest = await read(desk, cursor=str(first["next_cursor"]))
    assert first["items"] + rest["items"] == whole["items"]
    of_one = await read(desk, subject="partner:1")
    assert {row["subject"] for row in of_one["items"]} == {"partner:1"}
    assert (await read(desk, subject="partner:99"))["items"] == []
    assert (await read(desk, cursor=str(2**63 - 1)))["items"] == []


WRONG: list[dict[str, str]] = [
    {"limit": "0"},
    {"limit": "1001"},
    {"cursor": "-1"},
    {"cursor": str(2**63)},
    {"cursor": "1.5"},
    {"subject": ""},
    {"subject": "a\x00b"},
    {"subject": "x" * 201},
    {"actor": "staff:anna"},
]


async def test_a_wrong_query_is_refused(coalition: Coalition) -> None:
    desk = await auditor(coalition)
    for wanted in WRONG:
        answer = await desk.get(LOG, **wanted)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wanted


async def test_nobody_else_reads_the_log(coalition: Coalition) -> None:
    at = coalition.clock.now()
    others = [scope for scope in STAFF_SCOPES if scope != "audit:read"]
    finance = await open_desk(coalition.http, at, others)
    assert (await finance.get(LOG)).status_code == 403
    assert (await coalition.grocer.get(LOG)).status_code == 403
    assert (await coalition.http.get(LOG)).status_code == 401
