"""Rule sets with mistakes: refused with the line, the key and what would be right."""

from typing import Any

import pytest

from coalition.families.rule_sets.checking import complaints
from coalition.families.rule_sets.documents import PresetUse, expanded
from coalition.families.rule_sets.notation import RuleSet
from server import documents
from tests.families.mistakes import MISTAKES
from tests.families.registered import varied, written


def said(rules: RuleSet) -> list[tuple[str, str]]:
    return [(".".join(map(str, one.path)), one.text) for one in complaints(rules, frozenset())]


@pytest.mark.parametrize(
    ("mechanism", "keys", "where", "remedy"),
    [pytest.param(*one, id=f"{no} {one[2]}") for no, one in enumerate(MISTAKES)],
)
def test_a_mistake_is_named_by_its_key_with_what_would_be_right(
    mechanism: str, keys: dict[str, Any], where: str, remedy: str
) -> None:
    texts = [text for place, text in said(written(mechanism, **keys)) if place == where]
    assert any(remedy in text for text in texts), said(written(mechanism, **keys))


@pytest.mark.parametrize(
    ("path", "number", "remedy"),
    [
        ("transfer.mox", 5, "there are: lots, max, may_move_on"),
        ("limits.pair.count.day", 5, "there are: limits.sender.amount.calendar_year"),
        ("transfer.purpose", 5, "is no number"),
        ("eligibility.receiver.money", 5, "there are: address"),
        ("fees.0.money.amount_minor", 5, "there are 0 there"),
        ("group.spend.head.scope", 5, "leads to no number"),
        ("join.lock_in_days", -1, "-1 cannot stand there"),
        ("transfer.max", 1500, "no multiple of the step"),
        ("transfer.max", 0, "0 cannot stand there"),
        ("title", 1, "is no number"),
    ],
)
def test_a_change_for_some_is_judged_as_the_rules_it_makes(
    path: str, number: int, remedy: str
) -> None:
    rules = varied("hilton", changes=[{"when": {"plans": ["plus"]}, "set": {path: number}}])
    ((where, text),) = said(rules)
    assert where == f"changes.0.set.{path}"
    assert remedy in text


def test_any_number_can_be_changed_for_some() -> None:
    numbers = {
        "transfer.min": None,
        "transfer.max": 900_000,
        "limits.sender.amount.calendar_year": None,
        "limits.sender.count.calendar_year": 12,
        "group.members.max": 20,
        "eligibility.min_balance": None,
        "eligibility.min_account_days.active": 0,
        "eligibility.receiver.min_account_days.idle": 5,
        "join.lock_in_days": 7,
        "control.step_up_above": 10_000,
        "control.hold.new_receiver_hours": 24,
        "exits.at_age": 21,
    }
    assert said(varied("hilton", changes=[{"when": {"tiers": ["gold"]}, "set": numbers}])) == []
    fee = {"fees.0.money.amount_minor": 0}
    assert said(varied("avios_transfer", changes=[{"when": {"plans": ["x"]}, "set": fee}])) == []
    percent = written(
        fees=[{"kind": "percent", "percent": "2.5"}],
        changes=[{"when": {"segments": ["staff"]}, "set": {"fees.0.percent": 1}}],
    )
    assert said(percent) == []


def test_partners_are_known_by_name_or_number_and_the_issuer_by_word() -> None:
    rules = written(transfer={"spend_on": ["issuer", "GROCER", "2"]})
    assert complaints(rules, frozenset({"grocer", "2"})) == []
    assert complaints(written(transfer={"spend_on": ["Grocer"]})) == []


FILE = """\
title: Family
mechanism: pool_view
group:
  members: {min: 5, max: 2}
  spend: {head: {scope: pool}}
limits:
  - {subject: group, measure: changes, window: rolling 0 months, max: 1}
colour: red
"""


def test_a_file_is_refused_by_line_and_key() -> None:
    with pytest.raises(documents.BadDocumentError) as refused:
        documents.convert(documents.read(FILE.encode()), RuleSet)
    problems = [(one.line, one.key) for one in refused.value.problems]
    assert (7, "limits[0].window") in problems
    assert (8, "colour") in problems

    mended = FILE.replace("rolling 0 months", "rolling 6 months").replace("colour: red\n", "")
    node = documents.read(mended.encode())
    found = [node.problem(*one) for one in complaints(documents.convert(node, RuleSet))]
    assert [(one.line, one.key) for one in found] == [
        (4, "group.members"),
        (7, "limits[0].on"),
        (7, "limits[0].on"),
    ]


@pytest.mark.parametrize(
    ("use", "where", "remedy"),
    [
        (PresetUse(preset="hilten"), "preset", "there are: avios_transfer, ba_household"),
        (PresetUse(preset="hilton", override={"transfer.mix": 1}), "override", "there are: lots"),
        (PresetUse(preset="hilton", override={"transfer.min": -1}), "override", "cannot stand"),
    ],
)
def test_a_preset_is_named_as_it_is_shipped_and_changed_where_it_has_numbers(
    use: PresetUse, where: str, remedy: str
) -> None:
    rules, found = expanded(use)
    assert rules is None
    assert (found[0].path[0], remedy in found[0].text) == (where, True)


def test_a_preset_takes_other_numbers_and_another_title() -> None:
    use = PresetUse(preset="hilton", override={"transfer.max": 9000, "transfer.min": None},
                    title="Ours")  # fmt: skip
    rules, found = expanded(use)
    assert found == []
    assert rules is not None
    assert (rules.title, rules.transfer.max, rules.transfer.min) == ("Ours", 9000, None)
    assert rules.transfer.step == 1000
