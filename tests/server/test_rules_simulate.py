"""`coalition rules simulate` tries drafts on the members of a coalition that is there."""

from pathlib import Path

from tests.server.processes import within
from tests.server.test_member import enrolled
from tests.server.test_serving import assert_stopped


def test_a_transfer_is_tried_by_what_one_knows_and_said_in_the_readers_language(data: Path) -> None:
    at = ("--data", data)
    sender, _ = enrolled(data, "KORT1"), enrolled(data, "KORT2", email="ek@exempel.example")
    wish = "from=KORT1,to=KORT2,points=1500"
    tried = within("rules", "simulate", "hilton", "--transfer", wish, *at, "--json")
    assert tried.status == 0, tried.err
    (one,) = tried.document["transfers"]
    assert (one["from"], one["points"], one["allowed"]) == ("KORT1", 1500, False)
    assert "transfer.step" in [failure["rule"] for failure in one["failures"]]
    again = f"from={sender},to=EK@exempel.example,points=1500"
    assert within("rules", "simulate", "hilton", "--transfer", again, *at).status == 0
    nobodys = "from=KORT1,to=+46701234567,points=1500"
    assert_stopped(within("rules", "simulate", "hilton", "--transfer", nobodys, *at), 2, "no such")
    table = within("rules", "simulate", "hilton", "--transfer", wish, "--language", "sv", *at)
    assert "refused" in table.out
    assert "transfer.step" in table.out


def test_a_group_is_tried_by_roles(data: Path) -> None:
    at = ("--data", data)
    enrolled(data, "KORT1")
    enrolled(data, "KORT2")
    who = ("--group", "head=KORT1,friend=KORT2")
    head, friend = within("rules", "simulate", "etihad", *who, *at, "--json").document["group"]
    assert (head["role"], head["member"], head["allowed"]) == ("head", "KORT1", False)
    assert [failure["rule"] for failure in head["failures"]] == ["eligibility.head.min_age"]
    assert "eligibility.relationships" in [failure["rule"] for failure in friend["failures"]]
    assert "friend" in within("rules", "simulate", "etihad", *who, *at).out


def test_past_transfers_are_counted(data: Path) -> None:
    at = ("--data", data)
    found = within("rules", "simulate", "hyatt", "--days", "90", *at, "--json").document
    assert (found["transfers"], found["refused"], found["by_rule"]) == (0, 0, {})
    assert "all that were asked for" in within("rules", "simulate", "hyatt", "--days", "9", *at).out


def test_what_cannot_be_tried_is_said(data: Path) -> None:
    at = ("--data", data)
    enrolled(data, "KORT1")
    enrolled(data, "KORT2")
    wish = ("--transfer", "from=KORT1,to=KORT2,points=5")
    for words, says in (
        (("hilton",), "give --transfer, once or more, or --group, or --days"),
        (("hilton", *wish, "--days", "3"), "give --transfer, once or more, or --group, or --days"),
        (("hilton", "--transfer", "from=KORT1,points=5"), "is no transfer"),
        (("hilton", "--transfer", "from=KORT1,to=KORT2,points=0"), "is no transfer"),
        (("hilton", "--transfer", "from=KORT1,to=KORT9,points=5"), "There is no such member"),
        (("sas", *wish), "by pool_account members send each other nothing"),
        (("sas", "--group", "spouse=KORT1"), "is no group"),
        (("hilten", *wish), "hilten is no file and no preset"),
    ):
        assert_stopped(within("rules", "simulate", *words, *at), 2, says)
