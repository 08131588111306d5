"""Earning rules on the command line: checked with line and key, tried, proposed, activated."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from coalition.kernel.clock import SystemClock
from tests.server.processes import within
from tests.server.test_serving import assert_stopped

FRUIT = """\
code: weekend-fruit
name: Double points on fruit at weekends
applies_to:
  partners: [Handlarn]
  categories: [fruit]
  weekdays: [sat, sun]
effect: {kind: multiplier, factor: "2"}
caps: {basket: 100}
funding:
  - {funder: operator, share: "0.5"}
  - {funder: issuer, share: "0.5"}
"""

_NOW = SystemClock().now().replace(hour=11, minute=0, second=0, microsecond=0)
SATURDAY = _NOW - timedelta(days=(_NOW.weekday() + 2) % 7 + 7)

BASKET = {
    "partner": "Handlarn",
    "amount_minor": 6000,
    "occurred_at": SATURDAY.isoformat(),
    "lines": [{"amount_minor": 2000, "category": "fruit"}],
}


@pytest.fixture
def fruit(tmp_path: Path) -> Path:
    """Return a file with a rule that is right."""
    path = tmp_path / "fruit.yaml"
    path.write_text(FRUIT, "utf-8")
    return path


def test_a_rule_is_proposed_approved_listed_shown_and_retired(data: Path, fruit: Path) -> None:
    at = ("--data", data)
    proposed = within("earning", "propose", fruit, "--prepared-by", "Anna", *at, "--json")
    assert proposed.status == 0, proposed.err
    assert proposed.document["act"] == "activate"
    assert proposed.document["document"]["applies_to"]["partners"] == [1]
    (waiting,) = within("earning", "waiting", *at, "--json").document["items"]
    assert waiting == proposed.document
    approval = waiting["approval_id"]
    alone = within("earning", "approve", approval, "--approved-by", "anna", *at)
    assert_stopped(alone, 1, "Who prepares does not approve; ask a second person")

    made = within("earning", "approve", approval, "--approved-by", "Bertil", *at, "--json")

    assert made.status == 0, made.err
    (row,) = within("earning", "list", *at, "--json").document["items"]
    assert (row["code"], row["version"], row["state"]) == ("weekend-fruit", 1, "holds")
    assert (row["partners"], row["combine"]) == ("Handlarn", "add")
    assert within("earning", "show", "weekend-fruit", *at, "--json").document["items"] == [
        made.document
    ]
    assert "effect.factor" in within("earning", "show", "weekend-fruit", *at).out

    retire = within("earning", "retire", "weekend-fruit", "--prepared-by", "anna", *at, "--json")
    assert retire.document["act"] == "retire"
    ended = within("earning", "approve", retire.document["approval_id"], "--approved-by", "b", *at)
    assert ended.status == 0, ended.err
    assert within("earning", "list", *at, "--json").document == {"items": []}
    states = [
        row["state"] for row in within("earning", "list", "--all", *at, "--json").document["items"]
    ]
    assert states == ["ended", "ended"]
    again = within("earning", "retire", "weekend-fruit", "--prepared-by", "anna", *at)
    assert_stopped(again, 1, "[rule_retired]")
    assert_stopped(within("earning", "show", "fish", *at), 2, "[rule_not_found]")


def test_a_proposal_that_is_rejected_never_holds(data: Path, fruit: Path) -> None:
    at = ("--data", data)
    proposed = within("earning", "propose", fruit, "--prepared-by", "anna", *at, "--json").document
    words = ("--rejected-by", "bertil", "--reason", "too dear")
    rejected = within("earning", "reject", proposed["approval_id"], *words, *at)
    assert (rejected.status, rejected.err) == (0, "The proposal is rejected.\n")
    assert "weekend-fruit" not in within("earning", "list", "--all", *at).out


def test_a_file_that_is_right_is_said_to_be(data: Path, fruit: Path) -> None:
    at = ("--data", data)
    assert within("earning", "check", fruit, *at).out == "The rule is right.\n"
    assert within("earning", "check", fruit, fruit, *at).out == "All 2 rules are right.\n"
    assert within("earning", "check", fruit, *at, "--json").document == {"ok": True, "problems": []}


@pytest.mark.parametrize(
    ("was", "now", "line", "key", "text"),
    [
        ("factor", "factr", 7, "effect.factr", "did you mean factor?"),
        ('"2"', "2", 7, "effect.factor", 'expected text; write it in quotes: "2"'),
        ("multiplier", "double", 7, "effect.kind", "'double' is not known"),
        ("Handlarn", "Nobody", 4, "applies_to.partners[0]", "there is no partner 'Nobody'"),
        ("sat", "saturday", 6, "applies_to.weekdays[0]", "expected one of mon, tue"),
        ("100", "0", 8, "caps.basket", "expected a whole number from 1"),
        ('"0.5"', '"0.6"', 9, "funding", 'the shares add up to 1.1; they must add up to "1"'),
        ("effect", "efect", 7, "efect", "did you mean effect?"),
    ],
    ids=lambda value: str(value).split("[")[0],
)
def test_a_bad_file_is_refused_with_line_key_and_remedy(
    data: Path, fruit: Path, *, was: str, now: str, line: int, key: str, text: str
) -> None:
    fruit.write_text(FRUIT.replace(was, now, 1), "utf-8")
    checked = within("earning", "check", fruit, "--data", data, "--json")
    assert checked.status == 2
    found = [row for row in checked.document["problems"] if row["key"] == key]
    assert [(row["line"], row["file"]) for row in found] == [(line, str(fruit))]
    assert text in found[0]["text"]
    refused = within("earning", "propose", fruit, "--prepared-by", "anna", "--data", data)
    assert_stopped(refused, 2, f"line {line}: {key}: ")


def test_a_condition_is_checked_with_its_line(data: Path, fruit: Path) -> None:
    fruit.write_text(f"{FRUIT}condition: basket.amont_minor > 3\n", "utf-8")
    checked = within("earning", "check", fruit, "--data", data)
    assert checked.status == 2
    assert "undeclared reference to 'basket.amont_minor'" in checked.out


def test_the_schema_is_that_of_the_documents(data: Path) -> None:
    shown = within("earning", "schema").document
    assert shown["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert shown["$defs"]["Multiplier"]["additionalProperties"] is False
    assert data.is_dir()


def test_a_draft_explains_a_basket(data: Path, fruit: Path) -> None:
    at = ("--data", data)
    shown = within("earning", "simulate", fruit, "--basket", json.dumps(BASKET), *at, "--json")
    assert shown.status == 0, shown.err
    assert shown.document["points"] == 80
    assert [reason["points"] for reason in shown.document["reasons"]] == [60, 20]
    assert shown.document["shares"] == [
        {"rule_no": 0, "funder": "Handlarn", "points": 60},
        {"rule_no": 1, "funder": "operator", "points": 10},
        {"rule_no": 1, "funder": "Handlarn", "points": 10},
    ]
    table = within("earning", "simulate", fruit, "--basket", json.dumps(BASKET), *at)
    assert "2 times the 20 points of the base rate for fruit, so 20 more" in table.out
    wrong = within("earning", "simulate", fruit, "--basket", '{"partner": 1}', *at)
    assert_stopped(wrong, 2, "this is no basket")


def test_a_draft_is_replayed_over_nothing(data: Path, fruit: Path) -> None:
    replayed = within("earning", "simulate", fruit, "--data", data, "--json")
    assert replayed.status == 0, replayed.err
    assert (replayed.document["partners"], replayed.document["rules"]) == ([], {})
    assert "all" in within("earning", "simulate", fruit, "--data", data).out


def test_a_draft_is_not_tried_where_the_calendar_ends(data: Path, fruit: Path) -> None:
    basket = json.dumps(BASKET | {"occurred_at": "9999-12-31T23:59:59Z"})
    for words in (("--until", "9999-12-31"), ("--from", "0001-01-01"), ("--basket", basket)):
        stopped = within("earning", "simulate", fruit, *words, "--data", data)
        assert_stopped(stopped, 2, "the calendar ends there; name a day nearer to today")
