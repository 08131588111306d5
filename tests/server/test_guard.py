"""Guards on the command line: rules by two persons, cases decided, reports read."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from coalition.kernel.clock import FixedClock, SystemClock
from coalition.kernel.settings import Settings
from coalition.ledger.partitions import ensure_partition
from coalition.members import service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from coalition.points.guards import watching
from server.databases import do
from server.place import Place
from tests.points.guards.world import issue, redeem, waiting_deliveries
from tests.points.world import World
from tests.server.processes import Ended, within
from tests.server.test_serving import assert_stopped

LARGE = {
    "name": "large-redemption",
    "measure": "points_of_one_redemption",
    "subject": ["member"],
    "most": 500,
}


def guard(data: Path, *words: str | Path) -> Ended:
    return within("guard", *words, "--data", data)


def propose(data: Path, **more: object) -> Ended:
    file = data / "rule.json"
    file.write_text(json.dumps(LARGE | more))
    return guard(data, "propose", file, "--by", "Anna", "--json")


def activate(data: Path, **more: object) -> None:
    (proposed,) = propose(data, **more).document["items"]
    assert guard(data, "approve", proposed["approval_id"], "--by", "Bertil").status == 0


def test_a_rule_is_another_version_once_a_second_person_approves_it(data: Path) -> None:
    shipped = guard(data, "list", "--json").document["items"]
    assert len(shipped) == 10
    assert {one["mode"] for one in shipped} == {"report"}
    (proposed,) = propose(data, mode="confirm").document["items"]
    assert (proposed["act"], proposed["guard"]) == ("activate", "large-redemption")
    assert proposed["document"] == LARGE | {"mode": "confirm"}
    assert guard(data, "waiting", "--json").document["items"] == [proposed]
    assert_stopped(
        guard(data, "approve", proposed["approval_id"], "--by", " ANNA"),
        1,
        "[second_person_needed]",
    )
    approved = guard(data, "approve", proposed["approval_id"], "--by", "Bertil", "--json").document
    assert (approved["version"], approved["mode"], approved["most"]) == (2, "confirm", 500)
    versions = guard(data, "show", "large-redemption", "--json").document["items"]
    assert [(one["version"], one["retired_at"] is None) for one in versions] == [
        (1, False),
        (2, True),
    ]
    assert (versions[1]["proposed_by"], versions[1]["approved_by"]) == (
        *("staff:anna", "staff:bertil"),
    )
    assert len(guard(data, "list", "--json").document["items"]) == 10
    assert len(guard(data, "list", "--retired", "--json").document["items"]) == 11
    assert "points_of_one_redemption" in guard(data, "list").out


def test_a_guard_ends_by_two_persons_and_a_proposal_may_be_rejected(data: Path) -> None:
    retire = ("retire", "large-redemption", "--by", "Anna", "--json")
    (first,) = guard(data, *retire).document["items"]
    why = ("--by", "Bertil", "--reason", "it is of use")
    rejected = guard(data, "reject", first["approval_id"], *why)
    assert (rejected.status, rejected.err) == (0, "The proposal is rejected.\n")
    (second,) = guard(data, *retire).document["items"]
    assert second["act"] == "retire"
    ended = guard(data, "approve", second["approval_id"], "--by", "Bertil", "--json")
    assert ended.document == {"name": "large-redemption", "retired": True}
    assert len(guard(data, "list", "--json").document["items"]) == 9
    assert_stopped(guard(data, *retire[:-1]), 2, "[guard_not_found]")
    assert_stopped(guard(data, "show", "no-such"), 2, "[guard_not_found]")


def test_a_document_that_is_wrong_is_refused_with_its_field(data: Path) -> None:
    assert_stopped(propose(data, window={"hours": 1}), 2, "needs no window")
    assert_stopped(propose(data, measure="luck"), 2, "measure")
    assert_stopped(propose(data, partner=77), 2, "[partner_not_found]")


def test_the_schema_is_json_without_a_database() -> None:
    shown = within("guard", "schema").document
    assert "GuardDocument" in json.dumps(shown)


@pytest.fixture
def hit(data: Path) -> UUID:
    """Let a member redeem more at once than is usual; return the member."""
    activate(data)

    async def work(settings: Settings) -> UUID:
        at = SystemClock().now()
        world = World(grocer=1, fuel=1, clock=FixedClock(at))
        keys = MemberKeys.of(settings)
        made = await service.enrol(Enrolment(card="ANNA"), partner_no=1, keys=keys, at=at)
        await ensure_partition(at)
        anna = made.member_id
        await _sell(world, anna, at)
        return anna

    return do(Place(environ={}, data=data), work)


async def _sell(world: World, anna: UUID, at: datetime) -> None:
    await world.ask(issue(anna, 5000, at - timedelta(minutes=9), cashier="kim"))
    for number, minutes in (("R1", 5), ("R2", 2)):
        command = redeem(anna, 600, at - timedelta(minutes=minutes), receipt=number, cashier="kim")
        assert (await world.ask(command))["points"] == 600
    await watching.watch(await waiting_deliveries(), at)


def test_a_case_is_shown_frozen_and_decided(data: Path, hit: UUID) -> None:
    (case,) = guard(data, "cases", "--json").document["items"]
    assert (case["rule"], case["version"], case["member_id"]) == ("large-redemption", 2, str(hit))
    shown = guard(data, "case", "show", case["id"], "--json").document
    assert [one["reached"] for one in shown["hits"]] == [600, 600]
    assert shown["hits"][0]["cashiers"] == ["kim"]
    assert "large-redemption" in guard(data, "case", "show", case["id"]).out
    frozen = guard(data, "case", "freeze", case["id"], "--by", "Anna")
    assert (frozen.status, frozen.err) == (0, f"The member {hit} is frozen.\n")
    assert within("member", "show", "--id", str(hit), "--data", data, "--json").document[
        "state"
    ] == ("frozen")
    assert guard(data, "case", "unfreeze", case["id"], "--by", "Anna").status == 0
    words = ("--note", "a canteen", "--by", "Anna")
    assert guard(data, "case", "clear", case["id"], *words).err == "The case is cleared.\n"
    assert_stopped(guard(data, "case", "confirm", case["id"], *words), 1, "[guard_case_decided]")
    assert guard(data, "cases", "--json").document == {"items": []}
    (decided,) = guard(data, "cases", "--state", "all", "--json").document["items"]
    assert (decided["state"], decided["note"]) == ("cleared", "a canteen")
    assert "staff:anna" in guard(data, "cases", "--state", "cleared", "--partner", "Handlarn").out


def test_a_case_is_confirmed_with_a_note(data: Path, hit: UUID) -> None:
    (case,) = guard(data, "cases", "--json").document["items"]
    assert_stopped(guard(data, "case", "confirm", case["id"], "--by", "Anna"), 2, "--note")
    words = ("--note", f"own card of {hit}", "--by", "Anna")
    assert guard(data, "case", "confirm", case["id"], *words).err == "The case is confirmed.\n"
    assert guard(data, "cases", "--json").document == {"items": []}


def test_a_guard_that_has_ended_meanwhile_ends_once(data: Path) -> None:
    retire = ("retire", "large-redemption", "--by", "Anna", "--json")
    first, second = (guard(data, *retire).document["items"][0] for _ in range(2))
    assert guard(data, "approve", first["approval_id"], "--by", "Bertil").status == 0
    late = guard(data, "approve", second["approval_id"], "--by", "Bertil")
    assert_stopped(late, 2, "[guard_not_found]")


def test_reports_name_cashiers_and_pairs(data: Path, hit: UUID) -> None:
    (kim,) = guard(data, "cashiers", "--json").document["items"]
    assert (kim["partner"], kim["cashier"], kim["member"]) == ("Handlarn", "kim", str(hit))
    assert (kim["issued_points"], kim["manual_percent"], kim["member_percent"]) == (5000, 100, 100)
    (pair,) = guard(data, "near-duplicates", "--json").document["items"]
    assert (pair["first_receipt"], pair["second_receipt"], pair["apart_s"]) == ("R1", "R2", 180)
    assert (pair["partner"], pair["kind"], pair["amount"]) == ("Handlarn", "redeem", 600)
    assert guard(data, "near-duplicates", "--minutes", "2", "--json").document == {"items": []}
    assert "kim" in guard(data, "cashiers", "--partner", "Handlarn").out
    assert "R2" in guard(data, "near-duplicates").out
