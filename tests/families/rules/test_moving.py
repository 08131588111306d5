"""Points that move: by which mechanism and direction, how many, which, and what for."""

from typing import Any

import pytest

from coalition.families.evaluator.acts import Parties
from coalition.families.evaluator.relations import relationship_between
from coalition.families.rule_sets.vocabulary import Event, Role
from tests.families.rules.world import (
    act,
    between,
    failures,
    group,
    judged,
    party,
    place,
    rule_set,
    told,
    within,
)


@pytest.mark.parametrize(
    "mechanism",
    ["pool_view", "pool_account", "sweep_to_head", "linked_wallet", "nominee_only"],
)
def test_points_are_sent_only_where_the_mechanism_sends_them(mechanism: str) -> None:
    (failure,) = judged(rule_set(mechanism)).failures
    assert failure.rule == "mechanism"
    assert told(failure) == (mechanism, "transfer", None, None)


@pytest.mark.parametrize("mechanism", ["p2p", "pool_view", "head_pull"])
def test_points_are_brought_only_into_an_account(mechanism: str) -> None:
    rules = rule_set(mechanism, contribution={"manual": True})
    assert [*failures(rules, act(Event.CONTRIBUTE, 5), within())] == ["mechanism"]


def placed(sender: str, receiver: str) -> Parties:
    return between(group=group(), actor_place=place(sender), receiver_place=place(receiver))


def test_a_child_sends_to_a_parent() -> None:
    rules = rule_set(direction="child_to_parent")
    for parties in (placed("child", "head"), placed("child", "spouse")):
        assert judged(rules, None, parties).passes
    for parties in (placed("head", "child"), placed("child", "child"), between()):
        (failure,) = judged(rules, None, parties).failures
        assert failure.rule == "direction"
        assert told(failure) == ("child_to_parent", None, None, None)
    assert judged(rules, act(points=1, relationship="parent")).passes
    told_so = act(points=1, relationship="guardian")
    assert judged(rules, told_so, placed("friend", "relative")).passes


def test_a_member_sends_to_the_head() -> None:
    for rules in (rule_set(direction="member_to_head"), rule_set("head_pull")):
        assert judged(rules, None, placed("child", "head")).passes
        for parties in (placed("head", "child"), placed("child", "spouse"), between()):
            (failure,) = judged(rules, None, parties).failures
            assert told(failure)[0] == "member_to_head"


def test_members_of_one_group_send_to_each_other() -> None:
    rules = rule_set(direction="within_group")
    assert judged(rules, None, placed("child", "friend")).passes
    for parties in (between(actor_place=place()), between(receiver_place=place()), between()):
        assert not judged(rules, None, parties).passes


def test_what_is_sent_at_once_has_a_least_a_most_and_a_step() -> None:
    rules = rule_set(transfer={"min": 1000, "max": 5000, "step": 500})
    for points in (1000, 1500, 5000):
        assert judged(rules, act(points=points)).passes
    failed = failures(rules, act(points=999))
    assert [*failed] == ["transfer.min", "transfer.step"]
    assert told(failed["transfer.min"]) == (1000, 999, None, None)
    assert told(failed["transfer.step"]) == (500, 999, None, None)
    failed = failures(rules, act(points=5001))
    assert [*failed] == ["transfer.max", "transfer.step"]
    assert told(failed["transfer.max"]) == (5000, 5001, None, None)


def test_points_may_be_for_a_named_reward_alone() -> None:
    rules = rule_set(transfer={"purpose": "named_reward"})
    (failure,) = judged(rules).failures
    assert failure.rule == "transfer.purpose"
    assert told(failure) == ("named_reward", None, None, None)
    assert judged(rules, act(points=5, purpose="a night in Oslo")).passes


def test_received_points_may_have_to_stay() -> None:
    rules = rule_set(transfer={"may_move_on": False})
    some = between(party(1, balance=1000))
    assert judged(rules, act(points=1000), some).passes
    assert judged(rules, act(points=700, received=300), some).passes
    (failure,) = judged(rules, act(points=701, received=300), some).failures
    assert failure.rule == "transfer.may_move_on"
    assert told(failure) == (700, 701, None, None)
    assert judged(rule_set(), act(points=1000, received=1000), some).passes


@pytest.mark.parametrize(
    ("part", "event", "mechanism"),
    [("transfer", Event.TRANSFER, "p2p"), ("contribution", Event.CONTRIBUTE, "pool_account")],
)
def test_only_some_points_may_move(part: str, event: Event, mechanism: str) -> None:
    lots: dict[str, Any] = {part: {"lots": {"issuers": ["Grocer"]}}}
    if part == "contribution":
        lots[part] |= {"manual": True}
    rules = rule_set(mechanism, **lots)
    some = between(party(1, balance=1000, transferable=600), group=group())
    assert judged(rules, act(event, 600), some).passes
    (failure,) = judged(rules, act(event, 601), some).failures
    assert failure.rule == f"{part}.lots"
    assert told(failure) == (600, 601, None, None)
    all_of_them = between(party(1, balance=1000, transferable=1000), group=group())
    assert [*failures(rules, act(event, 1001), all_of_them)] == ["balance"]
    assert judged(rules, act(event, 700), between(party(1, balance=700), group=group())).passes


def test_points_that_are_not_there_are_told_last() -> None:
    rules = rule_set(transfer={"max": 100}, eligibility={"tiers": ["gold"]})
    failed = failures(rules, act(points=151), between(party(1, balance=150)))
    assert [*failed] == ["eligibility.tiers", "transfer.max", "balance"]
    assert told(failed["balance"]) == (150, 151, None, None)


@pytest.mark.parametrize(
    ("contribution", "passes"),
    [({}, False), ({"existing": "none"}, False), ({"existing": "optional"}, True),
     ({"existing": "all"}, True), ({"manual": True}, True)],
)  # fmt: skip
def test_members_bring_points_where_the_rules_say_so(
    contribution: dict[str, Any], passes: bool  # noqa: FBT001 - a parameter of the cases above
) -> None:  # fmt: skip
    rules = rule_set("pool_account", contribution=contribution)
    assert judged(rules, act(Event.CONTRIBUTE, 5), within()).passes is passes
    if not passes:
        assert [*failures(rules, act(Event.CONTRIBUTE, 5), within())] == ["contribution.manual"]


@pytest.mark.parametrize("event", [Event.JOIN, Event.CHANGE])
def test_a_share_of_what_will_be_earned_is_one_of_those_offered(event: Event) -> None:
    rules = rule_set("sweep_to_head", contribution={"future_percent": [25, 50]})
    assert judged(rules, act(event, future_percent=50), within()).passes
    assert judged(rules, act(event), within()).passes
    (failure,) = judged(rules, act(event, future_percent=0), within()).failures
    assert failure.rule == "contribution.future_percent"
    assert told(failure) == ("25, 50", 0, None, None)
    nothing_offered = rule_set("pool_view")
    assert judged(nothing_offered, act(event, future_percent=0), within()).passes
    (failure,) = judged(nothing_offered, act(event, future_percent=5), within()).failures
    assert told(failure) == ("0", 5, None, None)


@pytest.mark.parametrize(
    ("sender", "receiver", "word"),
    [
        ("head", "child", "child"),
        ("head", "friend", "friend"),
        ("child", "head", "parent"),
        ("parent", "head", "child"),
        ("spouse", "head", "spouse"),
        ("partner", "head", "partner"),
        ("sibling", "head", "sibling"),
        ("relative", "head", "relative"),
        ("friend", "head", "friend"),
        ("child", "child", "sibling"),
        ("child", "spouse", "parent"),
        ("partner", "child", "child"),
        ("child", "parent", "grandparent"),
        ("parent", "child", "grandchild"),
        ("child", "sibling", "uncle_aunt"),
        ("sibling", "child", "nephew_niece"),
        ("sibling", "sibling", "sibling"),
        ("sibling", "parent", "parent"),
        ("parent", "sibling", "child"),
        ("spouse", "parent", "in_law"),
        ("sibling", "partner", "in_law"),
        ("parent", "parent", None),
        ("friend", "child", None),
        ("head", "head", None),
        ("stranger", "head", None),
    ],
)
def test_roles_tell_what_two_members_are_to_each_other(
    sender: str, receiver: str, word: str | None
) -> None:
    assert relationship_between(sender, receiver) == word


def test_what_two_are_to_each_other_is_told_both_ways_or_not_at_all() -> None:
    for one in Role:
        for other in Role:
            there, back = relationship_between(one, other), relationship_between(other, one)
            assert (there is None) == (back is None)
