"""Families, transfers and logins of members on the command line."""

from pathlib import Path
from typing import Any
from uuid import UUID

from coalition.access.refusals import SignInFailed
from coalition.families.groups import forming
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.groups import Groups
from coalition.families.transfers.transferring import Transfers
from coalition.families.transfers.wishes import TransferAnswer, Wish
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.ledger import posting
from coalition.ledger.partitions import ensure_partition
from coalition.members import service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from server import people
from server.databases import do
from server.place import Place
from tests.families.groups.world import ADULT, account
from tests.families.registered import activated, bound, written
from tests.server.processes import Ended, within
from tests.server.test_serving import assert_stopped

PASSWORD = "four words of mine"


def enrolled(data: Path, card: str, **person: Any) -> str:
    async def work(settings: Settings) -> str:
        wanted = Enrolment(card=card, born=ADULT, **person)
        keys, at = MemberKeys.of(settings), SystemClock().now()
        return str((await service.enrol(wanted, partner_no=1, keys=keys, at=at)).member_id)

    return do(Place(environ={}, data=data), work)


def ruled(data: Path) -> None:
    """Let families be pools, and transfers wait for staff."""

    async def work(_: Settings) -> None:
        at = SystemClock().now()
        await activated("family", account(), at)
        await bound("family", "family", SystemClock().now())
        waits = written(control={"approvals": [{"by": "staff"}]})
        await activated("p2p", waits, SystemClock().now())
        await bound("p2p", "p2p", SystemClock().now())

    do(Place(environ={}, data=data), work)


def formed(data: Path, head: str, other: str) -> str:
    async def work(settings: Settings) -> str:
        newcomers = [Newcomer(member=UUID(other), role="spouse")]
        made = await Groups(keys=MemberKeys.of(settings)).do(
            lambda c, b: forming.form(c, "family", UUID(head), b, founders=newcomers),
            SystemClock().now(),
        )
        return str(made.id)

    return do(Place(environ={}, data=data), work)


def sent(data: Path, sender: str, receiver: str, points: int) -> str:
    """Give the sender points, and let it ask for a transfer that waits."""

    async def work(settings: Settings) -> str:
        clock = SystemClock()
        at = clock.now()
        await ensure_partition(at)
        wish = Wish(
            sender=MemberId(UUID(sender)),
            receiver=MemberId(UUID(receiver)),
            points=points,
            requested_by=f"member:{sender}",
        )
        async with transaction(posting.PINNED) as connection:
            transfers = Transfers(keys=MemberKeys.of(settings), clock=clock)
            (answer,) = await transfers.make(connection, [wish], at)
        assert isinstance(answer, TransferAnswer), answer
        return str(answer.transfer_id)

    return do(Place(environ={}, data=data), work)


def test_a_family_is_listed_and_shown(data: Path) -> None:
    ruled(data)
    head, other = enrolled(data, "HEAD"), enrolled(data, "OTHER")
    group = formed(data, head, other)

    (row,) = within("family", "list", "--data", data, "--json").document["items"]
    shown = within("family", "show", group, "--data", data, "--json").document

    assert (row["group_id"], row["members"], row["state"]) == (group, 2, "active")
    assert [place["member_id"] for place in shown["places"]] == [head, other]
    assert "spouse" in within("family", "show", group, "--data", data).out
    assert within("family", "list", "--state", "closed", "--data", data, "--json").document == {
        "items": []
    }
    assert_stopped(within("family", "show", head, "--data", data), 2, "[unknown_group]")


def test_staff_turn_a_transfer_down(data: Path) -> None:
    def run(*words: str) -> Ended:
        return within("transfer", *words, "--data", data)

    ruled(data)
    head, other = enrolled(data, "HEAD"), enrolled(data, "OTHER")
    given = ("adjustment", "prepare", head, "50", "--reason", "a gift", "--prepared-by", "anna")
    proposed = within(*given, "--data", data, "--json").document
    accepted = ("adjustment", "approve", proposed["approval_id"], "--approved-by", "bertil")
    assert within(*accepted, "--data", data).status == 0
    waiting, other_one = sent(data, head, other, 20), sent(data, head, other, 5)

    assert run("approve", waiting, "--by", "Anna", "--json").document["state"] == "completed"
    rejected = run("reject", other_one, "--by", "Anna", "--reason", "odd", "--json")

    assert rejected.document["state"] == "rejected"
    steps = run("show", other_one, "--json").document["steps"]
    assert [(step["by"], step["reason"]) for step in steps][-1] == ("staff:anna", "odd")
    assert run("rings", "--json").document["rings"] == []
    assert_stopped(run("show", head), 2, "[unknown_transfer]")


def test_a_member_gets_a_code_and_signs_in_by_it(data: Path) -> None:
    member = enrolled(data, "HEAD", email="asa@exempel.example")
    bare = enrolled(data, "BARE")

    given = within("member", "login", member, "--by", "Anna", "--data", data, "--json").document

    assert given["member_id"] == member
    assert within("member", "login", bare, "--by", "Anna", "--data", data).status == 2
    other = ("--email", "bare@exempel.example", "--by", "Anna", "--data", data)
    assert within("member", "login", bare, *other).status == 0

    async def work(settings: Settings) -> None:
        sign_ins, at = people.sign_ins(settings), SystemClock().now()
        await sign_ins.set_password(given["code"], PASSWORD, at)
        try:
            await sign_ins.sign_in("asa@exempel.example", "another", at)
        except SignInFailed:
            return
        raise AssertionError

    do(Place(environ={}, data=data), work)


def test_guardians_are_appointed_listed_and_dismissed(data: Path) -> None:
    child, parent = enrolled(data, "CHILD1"), enrolled(data, "PARENT1")
    pair = (child, parent, "--by", "anna", "--data", data)
    made = within("guardian", "appoint", *pair, "--json")
    assert made.status == 1, "who is born as an adult is guarded by nobody"
    assert "not_a_minor" in made.err
    listed = within("guardian", "list", child, "--data", data, "--json")
    assert listed.document == {"items": []}
    ended = within("guardian", "dismiss", *pair)
    assert "unknown_guardian" in ended.err
