"""Members on the command line: frozen, closed, given other cards; the audit log says by whom."""

from pathlib import Path
from typing import Any

import pytest

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
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

    async def work(settings: Settings) -> str:
        made = await service.enrol(
            Enrolment(card="LOST"),
            partner_no=1,
            keys=MemberKeys.of(settings),
            at=SystemClock().now(),
        )
        return str(made.member_id)

    return do(Place(environ={}, data=data), work)


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


def acts(data: Path) -> list[tuple[str, str, str]]:
    """Return who did what to what, by the audit log."""

    async def work(_: Settings) -> list[tuple[str, str, str]]:
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT actor, action, subject FROM audit_log ORDER BY no"
            )
        return [tuple(row) for row in rows]

    return do(Place(environ={}, data=data), work)
