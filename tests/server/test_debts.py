"""Debts and adjustments on the command line: one person proposes, another one does it."""

import asyncio
from pathlib import Path
from uuid import UUID

from coalition.kernel import embedded_postgres
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import open_database
from coalition.ledger.drafts import Posted, Reverse
from coalition.members import service as members
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from server.apps import APPS
from tests.server.processes import within
from tests.server.test_serving import assert_stopped
from tests.support.ledger import issue, post, redeem, reverse

KEYS = MemberKeys(blind_index_key=b"i" * 32, master_key=b"m" * 32)


def a_member_in_debt(data: Path) -> tuple[str, str]:
    """Return a member who owes 70 points, and the issue that was reversed."""

    async def make(url: str) -> tuple[UUID, UUID]:
        engine = await open_database(url, apps=APPS)
        try:
            at = SystemClock().now()
            enrolled = await members.enrol(Enrolment(card="card1"), partner_no=1, keys=KEYS, at=at)
            member = enrolled.member_id
            made, _ = await post([issue(member, 100, at), redeem(member, 70, at)], at)
            assert isinstance(made, Posted)
            plain = reverse(made.posting, at, partner_no=1)
            debts = {10: 0}
            await post(
                [Reverse(made.posting, plain.till, None, "reverse", at.date(), debts=debts)], at
            )
            return member, made.posting
        finally:
            await engine.close()

    server = embedded_postgres.start(data)
    try:
        member, made = asyncio.run(make(server.url))
    finally:
        server.stop()
    return str(member), str(made)


def test_a_debt_is_listed_written_off_and_recovered_by_two_persons(data: Path) -> None:
    member, made = a_member_in_debt(data)
    at = ("--data", data, "--json")
    (listed,) = within("debt", "list", "--member", member, *at).document["items"]
    assert (listed["issue"], listed["issuer"], listed["open"]) == (made, "Handlarn", 70)

    words = ("--reason", "our mistake", "--prepared-by", "Anna")
    asked = within("debt", "write-off", member, "--points", "20", *words, *at).document
    assert (asked["act"], asked["points"], asked["prepared_by"]) == ("write_off", 20, "staff:anna")
    alone = within("debt", "approve", asked["approval_id"], "--approved-by", "anna", *at)
    assert_stopped(alone, 1, "Who prepares does not approve; ask a second person")
    done = within("debt", "approve", asked["approval_id"], "--approved-by", "Bo", *at)
    assert done.document == {
        "act": "write_off",
        "member_id": member,
        "points": 20,
        "owes": 50,
    }

    words = ("--reason", "a gift", "--prepared-by", "anna")
    given = within("adjustment", "prepare", member, "30", *words, *at).document
    assert (given["points"], given["giver"]) == (30, "operator")
    (waits,) = within("adjustment", "list", *at).document["items"]
    assert waits["approval_id"] == given["approval_id"]
    posted = within("adjustment", "approve", given["approval_id"], "--approved-by", "bo", *at)
    assert (posted.document["points"], posted.document["balance"]) == (30, 30)

    words = ("--reason", "agreed", "--prepared-by", "anna")
    asked = within("debt", "recover", member, *words, *at).document
    assert asked["points"] == "all"
    (waits,) = within("debt", "waiting", *at).document["items"]
    assert waits["approval_id"] == asked["approval_id"]
    done = within("debt", "approve", asked["approval_id"], "--approved-by", "bo", *at)
    assert (done.document["points"], done.document["owes"]) == (30, 20)

    taken = within("adjustment", "prepare", member, "-1", *words, *at).document
    assert (taken["points"], taken["giver"]) == (-1, None)
    late = within("adjustment", "approve", taken["approval_id"], "--approved-by", "bo", *at)
    assert_stopped(late, 1, "[not_enough_points]")
    (left,) = within("debt", "list", *at).document["items"]
    assert (left["recovered"], left["written_off"], left["open"]) == (30, 20, 20)
    assert within("audit", "--data", data).status == 0


def test_what_is_rejected_is_never_done(data: Path) -> None:
    member, _ = a_member_in_debt(data)
    at = ("--data", data)
    words = ("--reason", "our mistake", "--prepared-by", "anna")
    no = ("--rejected-by", "bo", "--reason", "no")
    for kind, asking in (
        ("debt", ("debt", "recover", member)),
        ("adjustment", ("adjustment", "prepare", member, "5")),
    ):
        asked = within(*asking, *words, *at, "--json").document
        rejected = within(kind, "reject", asked["approval_id"], *no, *at)
        assert (rejected.status, rejected.err) == (0, "The proposal is rejected.\n")
        late = within(kind, "approve", asked["approval_id"], "--approved-by", "bo", *at)
        assert_stopped(late, 1, "[approval_decided]")
    assert "70" in within("debt", "list", *at).out


def test_the_policy_of_a_contract_is_an_option(data: Path) -> None:
    made = within(
        *("partner", "create", "--name", "Macken", "--reversal-policy", "recover"),
        *("--recover-percent", "40", "--data", data),
    )
    assert made.status == 0, made.err
    shown = within("partner", "contract", "show", "macken", "--data", data, "--json")
    (terms,) = shown.document["items"]
    assert (terms["reversal_policy"], terms["recover_percent"]) == ("recover", 40)
