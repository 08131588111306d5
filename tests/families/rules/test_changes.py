"""Other numbers for who has a tier, plan or segment: any, by its path, and the last one counts."""

from typing import Any

import pytest

from coalition.families.evaluator import rules
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Channel, Event
from tests.families.rules.world import (
    OSLO,
    act,
    between,
    failures,
    group,
    judged,
    party,
    rule_set,
    used,
    within,
)

GOLD = {"tiers": ["gold"]}
BASE: dict[str, Any] = {
    "transfer": {"max": 1000},
    "limits": [{"subject": "sender", "measure": "amount", "window": "day", "max": 1500}],
    "fees": [{"kind": "flat", "money": {"amount_minor": 1500, "currency": "USD"}}],
}


# Any: changes are written as in files.
def changed(*changes: dict[str, Any]) -> RuleSet:
    return rule_set(**BASE, changes=list(changes))


@pytest.mark.parametrize(
    ("standing", "when"),
    [
        ({"tier": "gold"}, {"tiers": ["gold", "platinum"]}),
        ({"plan": "plus"}, {"plans": ["plus"]}),
        ({"segments": frozenset({"staff"})}, {"segments": ["staff"]}),
        ({"tier": "gold", "plan": "plus"}, {"tiers": ["gold"], "plans": ["plus"]}),
    ],
)
@pytest.mark.parametrize(("of", "number"), [("sender", 1), ("member", 1), ("receiver", 2)])
def test_a_number_is_another_for_who_has_a_standing(
    standing: dict[str, Any], when: dict[str, Any], of: str, number: int
) -> None:
    rules_with = changed({"when": when, "of": of, "set": {"transfer.max": 1200}})
    people = {one: party(one) for one in (1, 2)}
    assert [*failures(rules_with, act(points=1200), between(people[1], people[2]))] == [
        "transfer.max"
    ]
    people[number] = party(number, **standing)
    assert judged(rules_with, act(points=1200), between(people[1], people[2])).passes


def test_a_head_has_a_standing_where_there_is_one() -> None:
    rules_with = changed({"when": GOLD, "of": "head", "set": {"transfer.max": 1200}})
    led = between(head=party(3, tier="gold"), group=group())
    assert judged(rules_with, act(points=1200), led).passes
    assert not judged(rules_with, act(points=1200)).passes


def test_a_number_is_another_through_a_channel() -> None:
    rules_with = changed({"when": {"channels": ["staff"]}, "set": {"transfer.max": 1200}})
    assert judged(rules_with, act(points=1200, channel=Channel.STAFF)).passes
    assert not judged(rules_with, act(points=1200)).passes


def test_limits_are_changed_by_name_and_fees_by_position() -> None:
    rules_with = changed({
        "when": GOLD,
        "set": {"limits.sender.amount.day": 9000, "fees.0.money.amount_minor": 500},
    })  # fmt: skip
    gold, before = between(party(1, tier="gold")), used(("2026-11-22", 1000))
    verdict = judged(rules_with, act(points=1000), gold, before)
    assert verdict.passes
    assert [fee.money and fee.money.amount_minor for fee in verdict.fees] == [500]
    assert not judged(rules_with, act(points=1000), usage=before).passes


def test_none_takes_a_rule_away() -> None:
    rules_with = changed({
        "when": GOLD, "set": {"limits.sender.amount.day": None, "transfer.max": None},
    })  # fmt: skip
    gold = between(party(1, tier="gold"))
    assert judged(rules_with, act(points=9000), gold).passes
    assert rules.wanted_usage(rules_with, act(points=1), gold, OSLO) == []


def test_of_several_changes_the_last_one_counts() -> None:
    rules_with = changed(
        {"when": GOLD, "set": {"transfer.max": None, "limits.sender.amount.day": None}},
        {"when": {"plans": ["plus"]}, "set": {"transfer.max": 400, "limits.sender.amount.day": 5}},
    )
    both = between(party(1, tier="gold", plan="plus"))
    assert [*failures(rules_with, act(points=500), both)] == [
        "transfer.max", "limits.sender.amount.day",
    ]  # fmt: skip


def test_a_larger_group_comes_with_a_plan_of_its_head() -> None:
    larger = rule_set(
        "pool_view", group={"members": {"max": 2}},
        changes=[{"when": {"plans": ["plus"]}, "of": "head", "set": {"group.members.max": 3}}],
    )  # fmt: skip
    assert not judged(larger, act(Event.JOIN), within()).passes
    assert judged(larger, act(Event.JOIN), within(head=party(3, plan="plus"))).passes


def test_whoever_has_the_same_changes_is_judged_by_the_very_same_rule_set() -> None:
    rules_with = changed({"when": GOLD, "set": {"transfer.max": 1200}})
    gold, other = between(party(1, tier="gold")), between(party(7, tier="gold"))
    one = rules.effective(rules_with, act(points=1), gold)
    assert one is rules.effective(rules_with, act(points=2), other)
    assert one.transfer.max == 1200
    assert rules.effective(rules_with, act(points=1), between()) is rules_with
