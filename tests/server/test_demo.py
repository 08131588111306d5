"""The demo as a newcomer meets it: told through the door, proved, served, remembered."""

import json
import os
import subprocess
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

import httpx
import pytest

from coalition.access.credentials import new_secret
from coalition.kernel.database import Engine, transaction
from coalition.kernel.settings import Settings
from coalition.ledger import audit, posting
from server.commands.demo import to_try
from server.demo import journey, made_up, telling
from server.demo.history import ZONE, months_of
from server.demo.keepsake import Audited, Credential, Keepsake, Loaded
from tests.server.processes import Serving, coalition, patiently, serving
from tests.server.test_serving import assert_stopped, token

NOW = datetime(2026, 11, 21, 22, tzinfo=UTC)
KEYS = {"COALITION_BLIND_INDEX_KEY": "11" * 32, "COALITION_MASTER_KEY": "22" * 32}


async def test_the_books_hold_what_the_story_says(
    database: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    history = made_up.make(12, NOW)
    *_, last, final = months_of(history.baskets)
    history.baskets[:] = [*last.baskets, *final.baskets]
    done: list[int] = []
    settings = Settings.load(os.environ, database_url=database_url)
    told = await telling.tell(history, settings, told=done.append)
    assert told.refused == {}
    assert sum(done) == len(history.baskets)
    assert (await audit.run()).ok
    ends = history.baskets[-1].at.astimezone(ZONE).date()
    async with transaction() as connection:
        members = [row[0] for row in await connection.fetch("SELECT id FROM member")]
        balances = await posting.balances(connection, members, currency_no=1, today=ends)
    expected = [wallet.balance for wallet in told.wallets.values()]
    assert sorted(balances.values()) == sorted(expected)
    assert sum(expected) > 0


def first_document(demo: Serving) -> Any:  # Any: JSON
    """Return the document that a demo prints when it serves, before it ends."""
    assert demo.process.stdout is not None
    lines = iter(demo.process.stdout)
    return json.loads("".join([*takewhile(lambda line: line != "}\n", lines), "}"]))


def signed_in(url: str, login: dict[str, str]) -> dict[str, str]:
    """Return the header of a member who has signed in by a login of the demo."""
    body = {name: login[name] for name in ("email", "password")}
    answer = httpx.post(f"{url}/v1/sign-in", json=body)
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def member_sees(url: str, headers: dict[str, str], address: str) -> Any:  # Any: JSON
    answer = httpx.get(f"{url}{address}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_demo_is_told_served_and_remembered(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    arguments = ("demo", "--made-up", "--households", "6", "--data", data, "--json")
    # What is left of one that was interrupted.
    (data / "postgres" / "data").mkdir(parents=True)
    (data / "demo.json").write_text('{"unfinished": true}')
    with serving(*arguments) as demo:
        ended_early = coalition(*arguments, "--afresh", "--no-serve")
        assert_stopped(ended_early, 3, "a demo is running in")
        document = first_document(demo)
        assert document["url"] == demo.url
        headers = token(demo.url, document["client"])
        shown = httpx.get(f"{demo.url}/v1/members?card={document['card']}", headers=headers)
        assert shown.json()["balance"] > 0
        member, guardian = (signed_in(demo.url, login) for login in document["logins"])
        (family,) = member_sees(demo.url, guardian, "/v1/families")["items"]
        assert (family["rule_set"], family["points"]) == ("sas", 3_800)
        assert len(member_sees(demo.url, guardian, "/v1/wards")["items"]) == 1
        wish = {"to": document["logins"][1]["member_id"], "points": 1_000}
        address = f"{demo.url}/v1/transfers"
        sent = httpx.post(address, json=wish, headers=member | {"idempotency-key": "try"})
        assert sent.json()["state"] == "completed", sent.text
        ended = demo.end()
    assert (ended.status, ended.out) == (0, "")
    assert [login["role"] for login in document["logins"]] == ["member", "guardian"]
    proved = coalition("audit", "--data", data, "--json").document
    assert proved == document["audit"] | {"breaches": []}
    assert document["audit"]["ok"]
    assert document["audit"]["checks"] > len(audit.CHECKS)
    assert document["loaded"]["members"] == 6 + 4
    assert document["loaded"]["partners"] == 5
    assert document["settled"]["statements"] > 100
    assert document["settled"]["cycles"] >= 11
    other = coalition("demo", "--full", "--no-serve", "--data", data)
    assert_stopped(other, 2, "has 6 households; begin again with --afresh")
    again = coalition(*arguments, "--no-serve")
    assert again.document == document | {"url": None}


def test_the_lines_to_try_can_be_copied_from_a_narrow_terminal() -> None:
    kept = Keepsake(
        source="The Complete Journey",
        note="a slice",
        households=500,
        card="HOUSE00400",
        client=Credential(f"client_{'0' * 32}", new_secret(), "Corner Shop"),
        loaded=Loaded(500, 5, 1000, 1.0),
        audit=Audited(ok=True, checks=11),
        refused={},
    )
    _, _, lines = to_try(kept, "http://127.0.0.1:8000").partition("Try it:\n")
    assert max(map(len, lines.splitlines())) <= 80
    subprocess.run(["sh", "-n"], input=lines, text=True, check=True)


@pytest.mark.slow
def test_the_whole_real_history_is_told_without_a_refusal_and_proved(tmp_path: Path) -> None:
    words = ("demo", "--full", "--no-serve", "--json", "--data", tmp_path / "demo")
    ended = patiently(600, *words)
    assert ended.status == 0, ended.err
    assert ended.document["audit"]["ok"]
    assert ended.document["refused"] == {}
    # And the four who can sign in, of whom three are a family.
    assert ended.document["loaded"]["members"] == journey.ALL_HOUSEHOLDS + 4
    assert ended.document["loaded"]["postings"] > 150_000
    assert ended.document["settled"]["cycles"] >= 11
