"""Staff at the operator's door: one proposes rule sets, another approves them, a third reads."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

import pytest

from coalition.families.rule_sets import presets
from coalition.kernel.database import Engine
from tests.families.registered import book
from tests.support.http import Coalition, Desk, open_coalition, open_desk

SETS, BINDINGS, WAITING = (
    f"/v1/admin/{name}" for name in ("rule-sets", "rule-bindings", "rule-approvals")
)
HILTON = {"preset": "hilton", "override": {"transfer.max": 9000}}


@pytest.fixture
def coalition(runner: asyncio.Runner, database: Engine, at: datetime) -> Iterator[Coalition]:
    """Yield a coalition of two partners, served in this process."""
    opened = runner.run(open_coalition(at))
    yield opened
    runner.run(opened.close())


async def desks(coalition: Coalition, at: datetime) -> tuple[Desk, Desk, Desk]:
    """Return whoever prepares, approves and only reads."""
    scopes = ("rules:prepare", "rules:approve", "rules:read")
    first, second, third = [await open_desk(coalition.http, at, [one]) for one in scopes]
    return first, second, third


async def test_a_rule_set_is_proposed_seen_approved_and_bound(
    coalition: Coalition, at: datetime
) -> None:
    anna, bertil, cecilia = await desks(coalition, at)
    proposed = await anna.post(SETS, {"name": "ours", "preset": HILTON})
    assert proposed.status_code == 201, proposed.text
    assert proposed.json()["prepared_by"] == anna.actor
    assert proposed.json()["document"]["transfer"]["max"] == 9000
    (waiting,) = (await bertil.get(WAITING)).json()["items"]
    assert waiting == proposed.json()
    approval = f"{WAITING}/{waiting['approval_id']}"
    assert (await anna.post(f"{approval}/approve")).status_code == 403

    approved = await bertil.post(f"{approval}/approve")
    assert approved.status_code == 200, approved.text
    assert {"state": "applied", "rule_set": "ours", "version": 1}.items() <= approved.json().items()
    bound = await anna.post(BINDINGS, {"kind": "p2p", "rule_set": "ours"})
    assert bound.status_code == 201, bound.text
    done = await bertil.post(f"{WAITING}/{bound.json()['approval_id']}/approve")
    assert (done.json()["kind"], done.json()["rule_set"]) == ("p2p", "ours")

    first, *shipped = (await cecilia.get(SETS)).json()["items"]
    assert (first["name"], first["state"], first["kinds"]) == ("ours", "holds", ["p2p"])
    assert [one["name"] for one in shipped] == list(presets.names())
    (one,) = (await cecilia.get(f"{SETS}/ours", language="sv")).json()["items"]
    assert one["document"]["title"] == "Hilton Honors, points sent between members"
    said = {part["heading"]: part["sentences"] for part in one["said"]}
    assert said["Så fungerar det"] == ["Medlemmar skickar poäng till varandra."]
    found = (await book()).bound("p2p", coalition.clock.now())
    assert found is not None
    assert found.rule_set.transfer.max == 9000


async def test_a_proposal_that_is_rejected_or_sent_twice_is_one(
    coalition: Coalition, at: datetime
) -> None:
    anna, bertil, _ = await desks(coalition, at)
    body = {"name": "ours", "rules": {"title": "Ours", "mechanism": "p2p"}}
    first = await anna.post(SETS, body, key="once")
    again = await anna.post(SETS, body, key="once")
    assert (again.status_code, again.json()) == (201, first.json())
    approval = f"{WAITING}/{first.json()['approval_id']}"
    rejected = await bertil.post(f"{approval}/reject", {"reason": "not as agreed"})
    assert (rejected.json()["state"], rejected.json()["decided_by"]) == ("rejected", bertil.actor)
    late = await bertil.post(f"{approval}/approve")
    assert (late.status_code, late.json()["code"]) == (409, "approval_decided")
    assert (await bertil.get(WAITING)).json() == {"items": []}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"name": "Ours", "preset": HILTON}, "invalid", "/name"),
        ({"name": "ours"}, "invalid_rule_set", "/rules"),
        ({"name": "ours", "preset": {"preset": "hilten"}}, "invalid_rule_set", "/preset"),
        (
            {"name": "ours", "preset": HILTON | {"override": {"transfer.step": 999}}},
            "invalid_rule_set",
            "/override",
        ),
        (
            {"name": "ours", "rules": {"title": "x", "mechanism": "pool_view"}},
            "invalid_rule_set",
            "/group/spend",
        ),
        (
            {"name": "ours", "rules": {"title": "x", "mechanism": "p2p", "colour": 1}},
            "invalid",
            "/rules",
        ),
    ],
    ids=["name", "nothing", "no preset", "numbers", "rules", "unknown key"],
)
async def test_what_is_wrong_is_answered_by_key(
    coalition: Coalition, at: datetime, *, body: dict[str, object], code: str, pointer: str
) -> None:
    anna, *_ = await desks(coalition, at)
    answer = await anna.post(SETS, body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)


async def test_nobody_reads_or_decides_without_the_scope(
    coalition: Coalition, at: datetime
) -> None:
    anna, _, cecilia = await desks(coalition, at)
    finance = await open_desk(coalition.http, at, ["settlement:approve"])
    assert (await finance.get(SETS)).status_code == 403
    assert (await finance.get(WAITING)).status_code == 403
    assert (await cecilia.post(SETS, {"name": "ours", "preset": HILTON})).status_code == 403
    unknown = await cecilia.get(f"{SETS}/nobodys")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "rule_set_not_found")
    (shown,) = (await cecilia.get(f"{SETS}/sas")).json()["items"]
    assert shown["state"] == "preset"
    approval = f"{WAITING}/0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11"
    missing = await anna.post(f"{approval}/reject", {"reason": "why not"})
    assert missing.json()["code"] == "approval_not_found"
