"""Members on the command line: frozen, closed, given other cards; the audit log says by whom."""

import json
from pathlib import Path
from typing import Any

import pytest

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.kernel.settings import Settings
from coalition.members import service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from server.databases import do
from server.place import Place
from tests.server.processes import Ended, within
from tests.server.test_serving import assert_stopped


@pytest.fixture
def member(data: Path) -> str:
    """Return a member with the card LOST."""
    return enrolled(data, "LOST")


def test_a_member_is_frozen_unfrozen_and_closed_by_somebody(data: Path, member: str) -> None:
    def run(*words: str) -> Ended:
        return within("member", *words, "--data", data)

    def state() -> Any:  # Any: JSON
        return run("show", "--id", member, "--json").document["state"]

    assert run("freeze", member).status == 2
    assert run("freeze", member, "--by", "Anna").err == "The member is frozen.\n"
    assert state() == "frozen"
    assert run("unfreeze", member, "--by", "Anna").err == "The member is active.\n"
    assert state() == "active"
    assert run("close", member, "--by", "Anna").err == "The member is closed.\n"
    assert state() == "closed"
    assert_stopped(run("unfreeze", member, "--by", "Anna"), 1, "[member_closed]")
    assert acts(data)[-3:] == [
        ("staff:anna", f"member.{act}", f"member:{member}")
        for act in ("frozen", "unfrozen", "closed")
    ]


def test_a_lost_card_is_replaced_and_another_added(data: Path, member: str) -> None:
    def run(*words: str) -> Ended:
        return within("member", *words, "--data", data)

    replaced = run("card", "replace", member, "LOST", "FOUND", "--by", "Anna")
    assert replaced.err == "The member has the new card in place of the old one.\n"
    added = run("card", "add", member, "SECOND", "--by", "Anna")
    assert added.err == "The member has the card.\n"
    for card in ("FOUND", "SECOND"):
        assert run("show", "--card", card, "--json").document["member_id"] == member
    assert run("show", "--card", "LOST").status == 2
    assert acts(data)[-2:] == [
        ("staff:anna", f"member_card.{act}", f"member:{member}") for act in ("replaced", "added")
    ]


def test_what_a_member_agrees_to_is_written_down_by_staff(data: Path, member: str) -> None:
    def run(*words: str) -> Ended:
        return within("member", "consent", *words, "--data", data)

    said = ("--text-version", "2026-11.sv", "--by", "Anna")
    mails = ("--purpose", "marketing", "--channel", "email", *said)
    granted = run("grant", member, *mails, "--note", "by phone")
    assert granted.err == "The consent is written down.\n"
    withdrawn = run("withdraw", member, *mails)
    assert withdrawn.err == "The withdrawal is written down.\n"
    shared = run("grant", member, "--purpose", "sharing", "--with", "handlarn", *said)
    assert shared.status == 0, shared.err
    items = run("show", member, "--json").document["items"]
    assert [
        (one["purpose"], one["channel"], one["recipient"], one["granted"]) for one in items
    ] == [
        ("marketing", "email", None, True),
        ("marketing", "email", None, False),
        ("sharing", None, "Handlarn", True),
    ]
    assert items[0]["note"] == "by phone"
    assert "by phone" in run("show", member).out
    assert_stopped(run("grant", member, "--purpose", "sharing", *said), 2, "[invalid_consent]")
    assert_stopped(run("grant", member, *mails, "--with", "Handlarn"), 2, "[invalid_consent]")
    assert_stopped(run("grant", member, *mails, "--note", "x" * 501), 2, "[invalid_consent]")
    assert run("grant", member, "--purpose", "Ads!", *said).status == 2
    assert acts(data)[-3:] == [
        ("staff:anna", f"member_consent.{act}", f"member:{member}")
        for act in ("granted", "withdrawn", "granted")
    ]


def test_what_a_member_is_to_the_coalition_is_granted_and_ended(data: Path, member: str) -> None:
    def run(*words: str) -> Ended:
        return within("member", "standing", *words, "--data", data)

    until = ("--from", "2026-01-01", "--until", "2099-12-31T12:00")
    granted = run("grant", member, "tier", "gold", *until, "--by", "Anna")
    assert granted.err == "The standing is granted.\n"
    assert run("grant", member, "flag", "staff", "--by", "Anna").status == 0
    now = run("show", member, "--json").document
    assert (now["tier"], now["plan"], now["segments"], now["flags"]) == (
        "gold",
        None,
        [],
        ["staff"],
    )
    assert now["facts"][0]["valid_until"] == "2099-12-31T12:00:00Z"
    assert "Now: tier gold, flag staff" in run("show", member).out
    assert run("end", member, "tier", "gold", "--by", "Anna").err == "The standing has ended.\n"
    assert run("end", member, "flag", "staff", "--by", "Anna").status == 0
    assert "Now: nothing" in run("show", member).out
    wrong = run("grant", member, "tier", "gold", "--until", "2020-01-01", "--by", "Anna")
    assert_stopped(wrong, 2, "[invalid_standing]")
    assert acts(data)[-1] == ("staff:anna", "member_standing.ended", f"member:{member}")


def test_two_members_become_one_by_two_persons(data: Path, member: str) -> None:
    def run(*words: str) -> Ended:
        return within("member", *words, "--data", data)

    other = enrolled(data, "OTHER")
    why = ("--reason", "showed both cards", "--prepared-by", "Anna")
    row = run("merge", "propose", member, other, *why, "--json").document
    assert (row["from_id"], row["into_id"], row["prepared_by"]) == (member, other, "staff:anna")
    assert run("merge", "waiting", "--json").document["items"] == [row]
    assert "showed both cards" in run("merge", "waiting").out
    approval = row["approval_id"]
    alone = run("merge", "approve", approval, "--approved-by", "ANNA")
    assert_stopped(alone, 1, "[second_person_needed]")
    done = run("merge", "approve", approval, "--approved-by", "Bertil", "--json")
    assert done.document == {"from_id": member, "into_id": other, "points": 0, "owed": 0}
    assert run("show", "--card", "LOST", "--json").document["member_id"] == other
    assert_stopped(run("freeze", member, "--by", "Anna"), 1, "[member_merged]")
    third = enrolled(data, "THIRD")
    again = run("merge", "propose", third, other, *why, "--json").document["approval_id"]
    no = run("merge", "reject", again, "--rejected-by", "Bertil", "--reason", "siblings")
    assert no.err == "The merge is rejected.\n"
    assert run("merge", "waiting", "--json").document["items"] == []


def test_a_member_gets_a_copy_and_is_then_forgotten(
    data: Path, member: str, tmp_path: Path
) -> None:
    def run(*words: str | Path) -> Ended:
        return within("member", *words, "--data", data)

    target = tmp_path / "copy.json"
    copied = run("export", member, "--to", target, "--by", "Anna")
    assert copied.err == f"The copy is written to {target}.\n"
    assert target.stat().st_mode & 0o777 == 0o600
    document = json.loads(target.read_bytes())
    assert document["personal_data"] == {"cards": ["LOST"]}
    assert run("export", member, "--to", target, "--by", "Anna").status == 2, "it is there already"
    assert run("export", member, "--by", "Anna").document["personal_data"] == {"cards": ["LOST"]}
    nobody = run("export", str(random_id()), "--to", tmp_path / "none", "--by", "Anna")
    assert_stopped(nobody, 2, "[member_not_found]")
    assert not (tmp_path / "none").exists()
    nowhere = run("export", member, "--to", tmp_path / "none" / "copy.json", "--by", "Anna")
    assert_stopped(nowhere, 2, "there is no directory")
    later = run("erase", member, "--reason", "a letter", "--by", "Anna", "--later")
    assert later.err == "The worker goes on with it.\n"
    done = run("erase", member, "--reason", "a letter", "--by", "Anna", "--json")
    assert done.err == "The member is forgotten.\n"
    assert done.document["finished_at"] is not None
    assert run("erasures", "--json").document["items"] == [done.document]
    assert "a letter" in run("erasures").out
    assert run("export", member, "--by", "Anna").document["personal_data"] is None
    said = [act for who, act, _ in acts(data) if who in {"staff:anna", "system:privacy"}]
    assert said == [
        *("member.exported", "member.exported"),
        *("member.erasure_asked", "member.erased", "member.exported"),
    ]


def test_the_doctor_names_an_erasure_that_nobody_does(data: Path, member: str) -> None:
    def found() -> Any:  # Any: JSON
        (finding,) = (
            one
            for one in within("doctor", "--data", data, "--json").document["findings"]
            if one["check"] == "erasures"
        )
        return finding["ok"], finding["found"]

    async def long_ago(_: Settings) -> None:
        async with transaction() as connection:
            await connection.execute("UPDATE erasure SET asked_at = asked_at - interval '2 days'")

    assert found() == (True, "0 not done")
    asking = ("--reason", "a letter", "--by", "Anna", "--data", data)
    within("member", "erase", member, *asking, "--later")
    assert found() == (True, "1 not done")
    do(Place(environ={}, data=data), long_ago)
    assert found() == (False, "1 not done")
    within("member", "erase", member, *asking)
    assert found() == (True, "0 not done")


def enrolled(data: Path, card: str, email: str | None = None) -> str:
    """Return a further member with this card."""

    async def work(settings: Settings) -> str:
        made = await service.enrol(
            Enrolment(card=card, email=email),
            partner_no=1,
            keys=MemberKeys.of(settings),
            at=SystemClock().now(),
        )
        return str(made.member_id)

    return do(Place(environ={}, data=data), work)


def acts(data: Path) -> list[tuple[str, str, str]]:
    """Return who did what to what, by the audit log."""

    async def work(_: Settings) -> list[tuple[str, str, str]]:
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT actor, action, subject FROM audit_log ORDER BY no"
            )
        return [tuple(row) for row in rows]

    return do(Place(environ={}, data=data), work)
