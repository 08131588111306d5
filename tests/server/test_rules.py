"""Rule sets on the command line: checked with line and key, shown, proposed, approved, bound."""

from pathlib import Path

import pytest

from tests.server.processes import within
from tests.server.test_serving import assert_stopped

HOUSEHOLD = """\
title: Household of a shop
mechanism: pool_account
group:
  members: {min: 2, max: 6}
  spend:
    head: {scope: pool}
eligibility:
  address: same
contribution:
  existing: optional
  manual: true
  lots: {issuers: [Handlarn]}
limits:
  - {subject: member, measure: amount, window: calendar_month, max: 5000, on: contribute}
"""

GOLD = "preset: hilton\noverride: {transfer.max: 20000, limits.sender.count.calendar_year: null}\n"


@pytest.fixture
def household(tmp_path: Path) -> Path:
    """Return a file with a rule set that is right."""
    path = tmp_path / "household.yaml"
    path.write_text(HOUSEHOLD, "utf-8")
    return path


def test_a_rule_set_is_proposed_approved_bound_listed_and_shown(
    data: Path, household: Path
) -> None:
    at = ("--data", data)
    proposed = within("rules", "propose", household, "--prepared-by", "Anna", *at, "--json")
    assert proposed.status == 0, proposed.err
    assert (proposed.document["act"], proposed.document["rule_set"]) == ("activate", "household")
    assert proposed.document["document"]["contribution"]["lots"] == {"issuers": ["1"]}
    (waiting,) = within("rules", "waiting", *at, "--json").document["items"]
    assert waiting == proposed.document
    approval = waiting["approval_id"]
    alone = within("rules", "approve", approval, "--approved-by", "anna", *at)
    assert_stopped(alone, 1, "Who prepares does not approve; ask a second person")

    made = within("rules", "activate", approval, "--approved-by", "Bertil", *at, "--json")
    assert made.status == 0, made.err
    assert (made.document["act"], made.document["version"]) == ("activated", 1)
    bind = within("rules", "bind", "family", "household", "--prepared-by", "anna", *at, "--json")
    assert (bind.document["kind"], bind.document["rule_set"]) == ("family", "household")
    bound = within("rules", "approve", bind.document["approval_id"], "--approved-by", "b", *at)
    assert bound.status == 0, bound.err
    assert "bound" in bound.out

    first, *presets = within("rules", "list", *at, "--json").document["items"]
    assert (first["name"], first["version"], first["state"]) == ("household", 1, "holds")
    assert (first["kinds"], first["mechanism"]) == ("family", "pool_account")
    assert {one["state"] for one in presets} == {"preset"}
    assert len(presets) == 22
    shown = within("rules", "show", "household", *at, "--json").document
    assert shown["document"]["group"] == {
        "members": {"min": 2, "max": 6},
        "spend": {"head": {"scope": "pool"}},
    }
    assert (
        "Points move into an account of the group." in within("rules", "show", "household", *at).out
    )

    ends = within("rules", "bind", "family", "nothing", "--prepared-by", "anna", *at, "--json")
    within("rules", "approve", ends.document["approval_id"], "--approved-by", "bertil", *at)
    (first, *_) = within("rules", "list", *at, "--json").document["items"]
    assert first["kinds"] == ""


def test_a_preset_is_kept_with_other_numbers_and_a_further_version_ends_it(
    data: Path, tmp_path: Path
) -> None:
    at = ("--data", data)

    def activated(source: str | Path, *words: str) -> None:
        proposed = within("rules", "propose", source, *words, "--prepared-by", "a", *at, "--json")
        assert proposed.status == 0, proposed.err
        approval = proposed.document["approval_id"]
        assert within("rules", "approve", approval, "--approved-by", "b", *at).status == 0

    activated("hilton")
    file = tmp_path / "gold.yaml"
    file.write_text(GOLD, "utf-8")
    activated(file, "--name", "hilton", "--from", "2099-01-01")
    rows = within("rules", "list", *at, "--json").document["items"]
    assert [(one["version"], one["state"]) for one in rows[:2]] == [(1, "holds"), (2, "to come")]
    last = within("rules", "show", "hilton", *at, "--json").document
    assert last["document"]["transfer"]["max"] == 20_000
    assert len(last["document"]["limits"]) == 2
    first = within("rules", "show", "hilton", "--version", "1", *at, "--json").document
    assert first["document"]["transfer"]["max"] == 500_000
    activated("hyatt", "--name", "hilton")
    states = [
        one["state"] for one in within("rules", "list", "--all", *at, "--json").document["items"]
    ]
    assert states[:3] == ["ended", "to come", "holds"]
    assert_stopped(within("rules", "show", "hilten", *at), 2, "[rule_set_not_found]")


def test_a_proposal_that_is_rejected_never_holds(data: Path, household: Path) -> None:
    at = ("--data", data)
    proposed = within(
        "rules", "propose", household, "--prepared-by", "anna", *at, "--json"
    ).document
    words = ("--rejected-by", "bertil", "--reason", "too wide")
    rejected = within("rules", "reject", proposed["approval_id"], *words, *at)
    assert (rejected.status, rejected.err) == (0, "The proposal is rejected.\n")
    listed = within("rules", "list", "--all", *at, "--json").document["items"]
    assert {one["state"] for one in listed} == {"preset"}


def test_a_preset_is_said_in_three_languages(data: Path) -> None:
    at = ("--data", data)
    english = within("rules", "show", "avios_transfer", *at).out
    assert english.startswith("avios_transfer (preset): Avios, points sent between members\n")
    assert "Fees\n  A transfer costs 50.00 GBP; the sender pays.\n" in english
    swedish = within("rules", "show", "avios_transfer", "--language", "sv", *at).out
    assert "Avgifter\n  En överföring kostar 50,00 GBP; avsändaren betalar.\n" in swedish
    norwegian = within("rules", "show", "avios_transfer", "--language", "nb", *at).out
    assert "Gebyrer\n  En overføring koster 50,00 GBP; avsenderen betaler.\n" in norwegian


def test_a_file_that_is_right_is_said_to_be(data: Path, household: Path) -> None:
    at = ("--data", data)
    assert within("rules", "check", household, *at).out == "The rule set is right.\n"
    assert within("rules", "check", household, "hilton", *at).out == (
        "All 2 rule sets are right.\n"
    )
    assert within("rules", "check", household, *at, "--json").document == {
        "ok": True,
        "problems": [],
    }


@pytest.mark.parametrize(
    ("was", "now", "line", "key", "text"),
    [
        ("mechanism", "mechanisme", 2, "mechanisme", "did you mean mechanism?"),
        ("pool_account", "pooling", 2, "mechanism", "expected one of"),
        ("min: 2", "min: 7", 4, "group.members", "turn them round"),
        ("head: {", "boss: {", 6, "group.spend.boss", "there are: head, spouse"),
        ("address: same", "address: near", 8, "eligibility.address", "expected"),
        ("Handlarn", "Nobody", 12, "contribution.lots.issuers[0]", "no partner 'Nobody'"),
        ("calendar_month", "calendar_week", 14, "limits[0].window", "rolling 30 days"),
        ("amount,", "groups_joined,", 14, "limits[0].on", "write on: join"),
        ("5000", '"5000"', 14, "limits[0].max", "expected a whole number"),
    ],
    ids=lambda value: str(value).split("[")[0],
)
def test_a_bad_file_is_refused_with_line_key_and_remedy(
    data: Path, household: Path, *, was: str, now: str, line: int, key: str, text: str
) -> None:
    household.write_text(HOUSEHOLD.replace(was, now, 1), "utf-8")
    checked = within("rules", "check", household, "--data", data, "--json")
    assert checked.status == 2
    found = [row for row in checked.document["problems"] if row["key"] == key]
    assert [(row["line"], row["file"]) for row in found] == [(line, str(household))]
    assert text in found[0]["text"]
    refused = within("rules", "propose", household, "--prepared-by", "anna", "--data", data)
    assert_stopped(refused, 2, f"line {line}: {key}: ")


def test_a_preset_with_wrong_numbers_is_refused_with_line_key_and_remedy(
    data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text("preset: hilton\noverride:\n  transfer.mox: 5\n  transfer.step: 0\n", "utf-8")
    problems = within("rules", "check", file, "--data", data, "--json").document["problems"]
    assert [(one["line"], one["key"]) for one in problems] == [
        (3, "override.transfer.mox"),
        (4, "override.transfer.step"),
    ]
    assert "there are: lots, max, may_move_on" in problems[0]["text"]
    neither = within("rules", "check", "hilten", "--data", data)
    assert_stopped(neither, 2, "hilten is no file and no preset; presets are: avios_transfer")


def test_the_schema_is_that_of_the_documents(data: Path) -> None:
    shown = within("rules", "schema").document
    assert shown["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert shown["$defs"]["RuleSet"]["additionalProperties"] is False
    assert {"$ref": "#/$defs/PresetUse"} in shown["anyOf"]
    assert data.is_dir()


def test_without_a_coalition_files_are_checked_and_presets_are_shown(
    household: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(household.parent)
    monkeypatch.delenv("COALITION_DATA_DIRECTORY", raising=False)
    monkeypatch.delenv("COALITION_DATABASE_URL", raising=False)
    wrong = household.with_name("wrong.yaml")
    wrong.write_text("title: Wrong\nmechanism: p2p\ntransfer: {min: 5, max: 4}\n", "utf-8")

    assert within("rules", "check", household).status == 0
    found = within("rules", "check", wrong, "--json")
    assert found.status == 2
    assert [(one["line"], one["key"]) for one in found.document["problems"]] == [
        (3, "transfer.min")
    ]
    listed = within("rules", "list", "--json").document["items"]
    assert {one["state"] for one in listed} == {"preset"}
    assert within("rules", "show", "hilton").status == 0
    assert_stopped(within("rules", "show", "household"), 2, "there is no coalition in")
