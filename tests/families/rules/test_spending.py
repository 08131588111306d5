"""Redeeming in a group: the own points or the pool by role, kind or member, and for whom."""

from typing import Any

import pytest

from coalition.families.evaluator.spending import may_spend_pool, spend_rule
from coalition.families.rule_sets.notation import Group, RuleSet
from coalition.families.rule_sets.vocabulary import Event, Kind
from tests.families.rules.world import act, failures, group, judged, party, place, rule_set, told
from tests.families.rules.world import within as in_group

POOL, OWN = {"scope": "pool"}, {"scope": "own"}


# Any: rights are written as in files.
def spending(mechanism: str = "pool_view", **spend: dict[str, Any]) -> RuleSet:
    return rule_set(mechanism, group={"spend": spend})


def redeem(points: int, **facts: Any) -> Any:
    return act(Event.REDEEM, points, **facts)


@pytest.mark.parametrize(
    ("role", "kind", "word"),
    [
        ("child", Kind.ADULT, "child"),
        ("spouse", Kind.MINOR, "minor"),
        ("spouse", Kind.ADULT, "member"),
    ],
)
def test_rights_are_by_role_else_by_kind_else_those_of_any_member(
    role: str, kind: Kind, word: str
) -> None:
    rules = spending(child=POOL, minor=POOL, member=POOL)
    assert spend_rule(rules.group, place(role, kind=kind))[0] == word
    assert may_spend_pool(rules.group, place(role, kind=kind))


def test_who_is_not_named_spends_its_own() -> None:
    few = in_group(party(1, balance=100), actor_place=place())
    assert judged(spending(head=POOL), redeem(100), few).passes
    failed = failures(spending(head=POOL), redeem(101), few)
    assert told(failed["group.spend.member.scope"]) == ("own", 101, None, None)
    assert told(failed["balance"]) == (100, 101, None, None)


def test_who_does_not_belong_to_the_group_spends_its_own() -> None:
    rules = spending(member=POOL)
    assert not may_spend_pool(rules.group, None)
    assert [*failures(rules, redeem(101), in_group(party(1, balance=100)))] == [
        "group.spend.member.scope", "balance",
    ]  # fmt: skip


def test_a_role_may_spend_nothing_at_all() -> None:
    rules = spending(child={"scope": "none"})
    child = in_group(actor_place=place("child"))
    failed = failures(rules, redeem(1), child)
    assert [*failed] == ["group.spend.child.scope"]
    assert told(failed["group.spend.child.scope"]) == ("none", 1, None, None)


def test_the_pool_is_what_all_can_spend_together() -> None:
    few = in_group(party(1, balance=100), group=group(pool=400), actor_place=place())
    assert judged(spending(adult=POOL), redeem(400), few).passes
    failed = failures(spending(adult=POOL), redeem(401), few)
    assert told(failed["balance"]) == (400, 401, None, None)


def test_what_lies_in_an_account_of_the_group_is_beside_the_members_own() -> None:
    few = in_group(party(1, balance=100), group=group(pool=400), actor_place=place())
    rules = spending("pool_account", adult=POOL)
    assert judged(rules, redeem(500), few).passes
    assert told(failures(rules, redeem(501), few)["balance"]) == (500, 501, None, None)


def test_outside_of_any_group_there_is_no_pool() -> None:
    alone = in_group(party(1, balance=100), group=None, actor_place=place())
    assert [*failures(spending(adult=POOL), redeem(101), alone)] == ["balance"]


@pytest.mark.parametrize(("rule", "name"), [("revocable", "revocable"), ("by_grant", "by_grant")])
def test_a_right_is_taken_away_or_not_yet_given(rule: str, name: str) -> None:
    rules = spending(adult=POOL | {rule: True})
    without = in_group(party(1, balance=100), actor_place=place(may_spend=False))
    failed = failures(rules, redeem(101), without)
    assert [*failed] == [f"group.spend.adult.{name}"]
    assert judged(rules, redeem(100), without).passes
    assert judged(rules, redeem(101), in_group(party(1, balance=100), actor_place=place())).passes
    assert not may_spend_pool(rules.group, place(may_spend=False))


def test_some_spend_only_for_themselves() -> None:
    rules = spending(adult=POOL | {"only_for_self": True})
    there = in_group(actor_place=place())
    assert judged(rules, redeem(5), there).passes
    failed = failures(rules, redeem(5, for_self=False), there)
    assert told(failed["group.spend.adult.only_for_self"]) == (None, None, None, None)
    assert judged(spending(adult=POOL), redeem(5, for_self=False), there).passes


def test_a_rule_set_without_rights_lets_each_spend_its_own() -> None:
    assert spend_rule(Group(), place())[1].scope == "own"
