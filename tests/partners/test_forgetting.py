"""Forgetting: nothing of the person is left in a dump, and the books are right (I15)."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import textwrap
import zlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from coalition.kernel.database import Connection, transaction
from coalition.kernel.embedded_postgres.binaries import find_binaries
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.jobs.worker import run_worker
from coalition.ledger import audit
from coalition.ledger.refusals import HolderHasHolds
from coalition.members import privacy, relations
from coalition.members.privacy import Keeper, Piece
from coalition.members.refusals import UnknownErasure, UnknownMember
from coalition.oversight.refusals import ReasonNeeded
from partners.batches.disclosure import BatchesWait
from tests.partners.life import ANNA, BERTIL, KEEPERS, PERSON, a_full_life, copy_of
from tests.support.http import Coalition, Shop

BEFORE = {f"before {one.name}" for one in KEEPERS if one.prepare is not None}
"""What is done while the account is open."""

NAMING = [
    *("Exempelsson", "asa.exempelsson@exempel.example", "KORT97520001", "701234567", "Åsa"),
    *("1980-02-29", "gammal@exempel.example", "KORT97520002", "lives in the blue house"),
]
_REOPEN = "UPDATE holder SET state = 1 WHERE id = $1 AND merged_into IS NULL"


async def forgotten(member: MemberId, at: datetime) -> None:
    await privacy.ask(member, reason="a letter of the member", actor=ANNA, at=at)
    await privacy.erase(member, KEEPERS, at=at)


def dump(database_url: str) -> str:
    """Return the database as plain text, with what lies packed in it."""
    plain = subprocess.run(
        [find_binaries().folder / "pg_dump", "--format=plain", database_url],
        check=True,
        capture_output=True,
    ).stdout.decode()
    unpacked = [_text(bytes.fromhex(found)) for found in re.findall(r"\\\\x([0-9a-f]+)", plain)]
    return "\n".join([plain, *unpacked])


def _text(stored: bytes) -> str:
    with contextlib.suppress(zlib.error):
        stored += zlib.decompress(stored)
    return stored.decode("utf-8", "replace")


def named_in(text: str) -> list[str]:
    folded = text.casefold()
    return [naming for naming in NAMING if naming.casefold() in folded]


async def test_nothing_of_the_person_is_left_and_the_books_are_right(
    coalition: Coalition, at: datetime, database_url: str
) -> None:
    member = await a_full_life(coalition)
    other = await coalition.grocer.new_member("KORT11111111")
    await coalition.grocer.issue(other, 7)
    before = dump(database_url)
    assert "lives in the blue house" in before, "the dump is read well enough to find something"
    await forgotten(member, at)
    assert named_in(dump(database_url)) == []
    assert (await audit.run()).ok
    shown = await coalition.grocer.get(f"/v1/members/{member}")
    assert shown.json() == {
        "member_id": str(member),
        "balance": 0,
        "state": "closed",
        "personal": None,
    }
    for query in ("card=KORT97520001", "card=KORT97520002", "phone=%2B46701234567"):
        assert (await coalition.grocer.get(f"/v1/members?{query}")).status_code == 404
    again = await coalition.grocer.post("/v1/members", PERSON)
    assert again.status_code == 201, "the person may come back as somebody new"
    assert await coalition.grocer.balance(other) == 7
    copy = await copy_of(member, at)
    assert copy["personal_data"] is None
    assert copy["known_to"] == copy["standings"] == []
    assert [one["note"] for one in copy["consents"]] == [None, None]
    assert copy["balances"] == [{"currency": "POINT", "points": 0}]
    assert [one["kind"] for one in copy["postings"]].count("expire") == 2


async def test_an_erasure_is_on_record_and_asked_for_once(grocer: Shop, at: datetime) -> None:
    member = MemberId(UUID(await grocer.new_member()))
    with pytest.raises(UnknownErasure):
        await privacy.show(member)
    with pytest.raises(UnknownErasure):
        await privacy.erase(member, KEEPERS, at=at)
    with pytest.raises(ReasonNeeded):
        await privacy.ask(member, reason=" ", actor=ANNA, at=at)
    with pytest.raises(UnknownMember):
        await privacy.ask(MemberId(random_id()), reason="a letter", actor=ANNA, at=at)
    first = await privacy.ask(member, reason="a letter", actor=ANNA, at=at)
    again = await privacy.ask(member, reason="another", actor=BERTIL, at=at + timedelta(days=1))
    assert again == first
    assert (first.reason, first.asked_by, first.finished_at, first.steps) == (
        *("a letter", ANNA),
        *(None, []),
    )
    for _ in range(2):
        await privacy.erase(member, KEEPERS, at=at)
    (done,) = await privacy.list_latest()
    assert done.finished_at == at
    steps = {*BEFORE, "account", "leftovers"} | {one.name for one in KEEPERS}
    assert set(done.steps) == steps
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT actor, action FROM audit_log WHERE subject = $1 ORDER BY no",
            f"member:{member}",
        )
    assert [tuple(row) for row in rows] == [
        (ANNA, "member.erasure_asked"),
        ("system:privacy", "member.erased"),
    ]


async def test_nobody_is_forgotten_while_points_are_held_for_a_purchase(
    grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 50)
    held = await grocer.post("/v1/points/holds", grocer.payment(member, 20))
    assert held.status_code == 201, held.text
    with pytest.raises(HolderHasHolds):
        await privacy.ask(MemberId(UUID(member)), reason="a letter", actor=ANNA, at=at)
    assert await privacy.list_latest() == []


async def test_what_cannot_be_done_yet_is_done_later_and_the_rest_is_done_before(
    grocer: Shop, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partners.batches.upload.AT_ONCE_LINES", 0)
    member = MemberId(UUID(await grocer.new_member("KORT97520001")))
    line = {"receipt": "1", "card": "KORT97520001", "points": 3, "occurred_at": at.isoformat()}
    content = json.dumps(line).encode()
    sent = await grocer.send("/v1/batches", content, "application/x-ndjson")
    assert sent.status_code == 202, sent.text
    await privacy.ask(member, reason="a letter", actor=ANNA, at=at + timedelta(minutes=1))
    with pytest.raises(BatchesWait):
        await privacy.erase(member, KEEPERS, at=at + timedelta(minutes=1))
    standing = await privacy.show(member)
    assert standing.finished_at is None
    assert set(standing.steps) == {*BEFORE, "account", "members", "messages", "points", "guards"}
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM personal_data") == 0
        await connection.execute(
            "UPDATE batch SET state = 'done', refused = lines, finished_at = received_at"
        )
    await privacy.erase(member, KEEPERS, at=at + timedelta(hours=1))
    assert (await privacy.show(member)).finished_at == at + timedelta(hours=1)


async def test_an_erasure_that_was_killed_goes_on_where_it_was(
    coalition: Coalition, at: datetime, database_url: str
) -> None:
    member = await a_full_life(coalition)
    await privacy.ask(member, reason="a letter", actor=ANNA, at=at)
    program = """
        import asyncio, os, signal, sys
        from datetime import datetime
        from uuid import UUID
        from coalition.kernel.database import open_database
        from coalition.members import privacy
        from coalition.members.privacy import Keeper
        from server.apps import APPS
        from server import people
        from tests.support.http import SETTINGS

        async def die(connection, member_id, asked_at):
            await connection.execute("DELETE FROM standing")
            os.kill(os.getpid(), signal.SIGKILL)

        async def main(url, member, at):
            await open_database(url, apps=APPS, pool_size=2)
            mine = [
                one._replace(erase=die) if one.name == sys.argv[4] else one
                for one in people.keepers(SETTINGS)
            ]
            await privacy.erase(UUID(member), mine, at=datetime.fromisoformat(at))

        asyncio.run(main(*sys.argv[1:4]))
    """
    first = {*BEFORE, "account"}
    for step, done in (("members", first), ("points", first | {"members", "messages"})):
        killed = await asyncio.to_thread(
            subprocess.run,
            [
                *(sys.executable, "-c", textwrap.dedent(program)),
                *(database_url, str(member), at.isoformat(), step),
            ],
            check=False,
            env=os.environ | {"PYTHONPATH": str(Path.cwd())},
            capture_output=True,
        )
        assert killed.returncode == -9, killed.stderr.decode()
        standing = await privacy.show(member)
        assert set(standing.steps) == done
    await privacy.erase(member, KEEPERS, at=at)
    assert (await privacy.show(member)).finished_at == at
    assert named_in(dump(database_url)) == []
    assert (await audit.run()).ok


async def test_the_worker_does_an_erasure_that_was_asked_for(
    coalition: Coalition, at: datetime
) -> None:
    member = await a_full_life(coalition)
    await privacy.ask(member, reason="a letter", actor=ANNA, at=at)
    stop = asyncio.Event()
    seen: list[MemberId] = []
    done = asyncio.Event()

    async def export(connection: Connection, one: MemberId, when: datetime) -> AsyncIterator[Piece]:
        del connection, when
        yield "nothing", one

    async def last(connection: Connection, one: MemberId, asked_at: datetime) -> None:
        del connection
        assert asked_at == at
        seen.append(one)
        done.set()

    kind = privacy.job_kind((*KEEPERS, Keeper("last", export, last)))
    working = asyncio.create_task(run_worker([kind], clock=coalition.clock, stop=stop))
    async with asyncio.timeout(60):
        await done.wait()
    stop.set()
    await working
    assert (await privacy.show(member)).finished_at == at
    assert seen[0] == member
    assert len(seen) == 2, "the member who was merged is forgotten too"


async def test_a_command_and_a_worker_at_once_do_it_once(
    coalition: Coalition, at: datetime
) -> None:
    member = await a_full_life(coalition)
    await privacy.ask(member, reason="a letter", actor=ANNA, at=at)
    await asyncio.gather(*(privacy.erase(member, KEEPERS, at=at) for _ in range(3)))
    async with transaction() as connection:
        done = await connection.fetchval(
            "SELECT count(*) FROM audit_log WHERE action = 'member.erased'"
        )
        forfeited = await connection.fetchval("SELECT sum(points) FROM posting WHERE kind = 4")
    assert (done, forfeited) == (1, 105)
    assert (await audit.run()).ok


async def test_points_that_came_while_the_account_was_closed_are_forfeited_in_the_end(
    coalition: Coalition, at: datetime
) -> None:
    member = await a_full_life(coalition)
    await privacy.ask(member, reason="a letter", actor=ANNA, at=at)

    async def come_late(connection: Connection, one: MemberId, asked_at: datetime) -> None:
        """Do what a purchase does that was under way: it saw the account before it was closed."""
        del asked_at
        await connection.execute(_REOPEN, one)

    late = KEEPERS[0]._replace(name="late", erase=come_late)
    waiting = KEEPERS[-1]._replace(name="waiting", erase=_refuse)
    with pytest.raises(BatchesWait):
        await privacy.erase(member, [late, waiting], at=at)
    relations.forget()
    await coalition.grocer.issue(str(member), 9)
    async with transaction() as connection:
        await connection.execute("UPDATE holder SET state = 3 WHERE id = $1", member)
    await privacy.erase(member, KEEPERS, at=at)
    async with transaction() as connection:
        left = await connection.fetchval("SELECT sum(points_in - points_out) FROM lot")
        known = await connection.fetchval("SELECT count(*) FROM partner_member")
    assert (left, known) == (0, 0)
    assert (await audit.run()).ok


async def _refuse(connection: Connection, one: MemberId, asked_at: datetime) -> None:
    del connection, one, asked_at
    raise BatchesWait
