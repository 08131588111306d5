"""Conditions by example: each for who acts, the receiver and the head, and exactly at its edge."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from coalition.families.evaluator.acts import Act, Failure, Parties
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Event, Kind
from tests.families.rules.world import (
    AT,
    act,
    between,
    failures,
    group,
    judged,
    names,
    party,
    place,
    rule_set,
    told,
    within,
)

HOME, AWAY = b"home", b"away"


# Any: conditions are written as in files.
def asked(wanted: Act | None = None, parties: Parties | None = None, **conditions: Any) -> Failure:
    """Return the one failure of these conditions."""
    (failure,) = judged(_rules(wanted, conditions), wanted, parties).failures
    return failure


def passes(wanted: Act | None = None, parties: Parties | None = None, **conditions: Any) -> bool:
    return judged(_rules(wanted, conditions), wanted, parties).passes


def _rules(wanted: Act | None, conditions: dict[str, Any]) -> RuleSet:
    joins = wanted is not None and wanted.event is Event.JOIN
    return rule_set("pool_view" if joins else "p2p", eligibility=conditions)


@pytest.mark.parametrize(
    ("condition", "enough", "too_little", "limit", "measured"),
    [
        ({"countries": ["EE", "FI"]}, {"country": "FI"}, {"country": "SE"}, "EE, FI", "SE"),
        ({"countries": ["EE"]}, {"country": "EE"}, {"country": None}, "EE", None),
        ({"tiers": ["gold", "platinum"]}, {"tier": "gold"}, {"tier": "blue"},
         "gold, platinum", "blue"),
        ({"plans": ["plus"]}, {"plan": "plus"}, {"plan": None}, "plus", None),
        ({"segments": ["staff", "vip"]}, {"segments": frozenset({"vip"})},
         {"segments": frozenset({"new"})}, "staff, vip", None),
        ({"identity_verified": True}, {"flags": frozenset({"identity_verified"})}, {},
         None, None),
        ({"good_standing": True}, {}, {"is_active": False}, None, None),
        ({"good_standing": True}, {}, {"has_open_case": True}, None, None),
        ({"min_active_months": 3}, {"active_months": 3}, {"active_months": 2}, 3, 2),
        ({"min_earned": 1}, {"earned": 1}, {"earned": 0}, 1, 0),
        ({"min_balance": 1000}, {"balance": 1000}, {"balance": 999}, 1000, 999),
        ({"max_age": 25}, {"born": date(2000, 11, 23)}, {"born": date(2000, 11, 22)}, 25, 26),
        ({"max_age": 25}, {"born": date(2010, 1, 1)}, {"born": None}, 25, None),
        ({"max_age": 0}, {"born": date(2026, 1, 1)}, {"born": date(2025, 1, 1)}, 0, 1),
        ({"min_age": 18}, {"born": date(2008, 11, 22)}, {"born": None}, 18, None),
    ],
)  # fmt: skip
def test_a_condition_holds_at_its_edge_and_not_beyond(
    condition: dict[str, Any], enough: dict[str, Any], too_little: dict[str, Any],
    limit: object, measured: object,
) -> None:  # fmt: skip
    small = act(points=1)
    assert passes(small, between(party(1, **enough)), **condition)
    failure = asked(small, between(party(1, **too_little)), **condition)
    (name,) = condition
    assert failure.rule == f"eligibility.{name}"
    assert told(failure) == (limit, measured, None, None)
    receiving = {"receiver": condition}
    assert passes(small, between(None, party(2, **enough)), **receiving)
    failure = asked(small, between(None, party(2, **too_little)), **receiving)
    assert failure.rule == f"eligibility.receiver.{name}"
    heading = {"head": condition}
    assert passes(small, between(head=party(3, **enough), group=group()), **heading)
    failure = asked(small, between(head=party(3, **too_little), group=group()), **heading)
    assert failure.rule == f"eligibility.head.{name}"


def test_who_is_frozen_or_stopped_sends_nothing_even_where_no_rule_asks_for_good_standing() -> None:
    frozen = party(1, is_active=False)
    failed = failures(rule_set(), act(points=1), between(frozen))
    assert told(failed["eligibility.good_standing"]) == (None, None, None, None)
    assert judged(rule_set(), act(points=1), between(party(1, has_open_case=True))).passes
    assert judged(rule_set("pool_view"), act(Event.LEAVE), within(frozen)).passes
    assert judged(rule_set(), act(points=1), between(None, party(2, is_active=False))).passes


def test_a_condition_of_nought_asks_nothing() -> None:
    assert passes(min_age=0, min_balance=0, min_earned=0, min_active_months=0)


def test_a_head_that_is_not_there_is_not_asked() -> None:
    assert passes(head={"min_age": 18})


def test_an_age_is_reached_at_the_first_instant_of_the_birthday() -> None:
    young = between(party(1, born=date(2008, 11, 23)))
    failure = asked(None, young, min_age=18)
    assert told(failure) == (18, 17, None, "2026-11-23T00:00:00+01:00")
    midnight = datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert passes(act(points=1000, at=midnight), young, min_age=18)
    before = datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC)
    assert not passes(act(points=1000, at=before), young, min_age=18)


def test_a_minor_with_a_guardian_in_the_group_may_be_younger() -> None:
    conditions = {"min_age": 18, "min_age_with_guardian": 6}
    child = within(party(1, born=date(2018, 1, 1)))
    assert passes(act(Event.JOIN, has_guardian_in_group=True), child, **conditions)
    alone = asked(act(Event.JOIN), child, **conditions)
    assert told(alone) == (18, 8, None, "2036-01-01T00:00:00+01:00")
    small = within(party(1, born=date(2022, 1, 1)))
    failure = asked(act(Event.JOIN, has_guardian_in_group=True), small, **conditions)
    assert told(failure) == (6, 4, None, "2028-01-01T00:00:00+01:00")


def test_a_guardian_in_the_group_makes_no_adult_younger() -> None:
    conditions = {"min_age": 21, "min_age_with_guardian": 6}
    adult = within(party(1, born=date(2006, 1, 1)))
    failure = asked(act(Event.JOIN, has_guardian_in_group=True), adult, **conditions)
    assert failure.limit == 21


@pytest.mark.parametrize(
    ("was_active", "limit", "then"),
    [(True, 30, "2026-12-11T00:00:00+01:00"), (False, 90, "2027-02-09T00:00:00+01:00")],
)
def test_an_account_is_so_many_days_old_with_and_without_activity(
    was_active: bool, limit: int, then: str  # noqa: FBT001 - a parameter of the cases above
) -> None:  # fmt: skip
    joined = datetime(2026, 11, 11, 20, tzinfo=UTC)
    days = {"min_account_days": {"active": 30, "idle": 90}}
    new = between(party(1, joined=joined, was_active=was_active))
    assert told(asked(None, new, **days)) == (limit, 11, None, then)
    assert passes(act(points=1000, at=datetime.fromisoformat(then)), new, **days)


def test_relationships_are_to_the_other_side_of_a_transfer() -> None:
    family: dict[str, Any] = {"relationships": ["spouse", "child"]}
    assert passes(act(points=1, relationship="child"), **family)
    failure = asked(act(points=1, relationship="friend"), **family)
    assert failure.rule == "eligibility.relationships"
    assert told(failure) == ("spouse, child", "friend", None, None)
    assert told(asked(act(points=1), **family))[1] is None
    receiver = asked(act(points=1), receiver=family)
    assert receiver.rule == "eligibility.receiver.relationships"


def test_relationships_are_to_the_head_when_one_joins_and_not_asked_again_inside() -> None:
    family: dict[str, Any] = {"relationships": ["spouse", "child"]}
    assert not passes(act(Event.JOIN, relationship="friend"), within(), **family)
    assert passes(act(Event.JOIN, relationship="child"), within(), **family)
    pull = rule_set("head_pull", eligibility=family)
    inside = between(group=group(), actor_place=place("child"), receiver_place=place("head"))
    assert judged(pull, act(points=1), inside).passes


def test_a_group_that_only_sends_points_asks_the_sender_and_not_who_joins() -> None:
    rules_of_group = rule_set(eligibility={"relationships": ["child"], "min_balance": 10})
    assert judged(rules_of_group, act(Event.JOIN), within(party(1, balance=0))).passes
    inside = between(group=group())
    assert [*failures(rules_of_group, act(points=1), inside)] == ["eligibility.relationships"]


def test_a_head_is_nothing_to_itself() -> None:
    all_of_two: dict[str, Any] = {
        "relationships": ["child"],
        "evidence": "required",
        "address": "same",
    }
    head = within(party(3), head=party(3))
    assert passes(act(Event.JOIN), head, **all_of_two)


def test_a_relationship_is_proved_always_or_once_somebody_asks() -> None:
    for evidence in ("required", "on_request"):
        assert passes(act(points=1, evidence=True, evidence_asked=True), evidence=evidence)
        failure = asked(act(points=1, evidence_asked=True), evidence=evidence)
        assert failure.rule == "eligibility.evidence"
        assert failure.limit == evidence
    assert passes(act(points=1), evidence="on_request")
    assert not passes(act(points=1), evidence="required")


def test_an_address_is_the_same_and_where_asked_registered() -> None:
    same = between(party(1, address=HOME), party(2, address=HOME))
    assert passes(None, same, address="same")
    failure = asked(None, between(party(1, address=HOME), party(2, address=AWAY)), address="same")
    assert failure.rule == "eligibility.address"
    assert told(failure) == ("same", None, None, None)
    assert not passes(None, between(), address="same")
    assert not passes(None, same, address="registered_same")
    one = party(1, address=HOME, address_registered=True)
    assert not passes(None, between(one, party(2, address=HOME)), address="registered_same")
    two = party(2, address=HOME, address_registered=True)
    assert passes(None, between(one, two), address="registered_same")
    assert passes(None, between(one, two), receiver={"address": "registered_same"})


def test_an_address_in_a_group_is_the_heads() -> None:
    lives_there = within(party(1, address=HOME), head=party(3, address=HOME))
    lives_apart = within(party(1, address=AWAY), head=party(3, address=HOME))
    assert passes(act(Event.JOIN), lives_there, address="same")
    assert not passes(act(Event.JOIN), lives_apart, address="same")
    assert not passes(act(Event.JOIN), within(head=None), address="same")


@pytest.mark.parametrize("event", [Event.CONTRIBUTE, Event.REDEEM])
def test_an_address_may_be_checked_always_and_not_only_when_joining(event: Event) -> None:
    lives_apart = within(party(1, address=AWAY), head=party(3, address=HOME))
    manual, once = {"manual": True}, {"address": "same"}
    asks_once = rule_set("pool_account", contribution=manual, eligibility=once)
    assert judged(asks_once, act(event, 5), lives_apart).passes
    conditions = once | {"address_checked": "always"}
    always = rule_set("pool_account", contribution=manual, eligibility=conditions)
    assert names(judged(always, act(event, 5), lives_apart).failures) == ["eligibility.address"]


def test_an_address_that_was_checked_when_joining_is_not_asked_of_a_transfer_inside() -> None:
    inside = {"group": group(), "actor_place": place(), "receiver_place": place("head")}
    apart = between(party(1, address=AWAY), party(2, address=HOME), **inside)
    once = {"address": "same"}
    assert judged(rule_set("head_pull", eligibility=once), None, apart).passes
    always = once | {"address_checked": "always"}
    assert not judged(rule_set("head_pull", eligibility=always), None, apart).passes


def test_the_name_that_the_sender_gives_is_the_receivers() -> None:
    asked_name = {"receiver": {"name_match": True}}
    known = between(None, party(2, name=b"anna"))
    assert passes(act(points=1, given_name=b"anna"), known, **asked_name)
    for wanted in (act(points=1, given_name=b"bo"), act(points=1)):
        assert asked(wanted, known, **asked_name).rule == "eligibility.receiver.name_match"
    assert not passes(act(points=1), between(), **asked_name)


def test_a_contribution_asks_what_concerns_its_member_alone() -> None:
    pool = rule_set(
        "pool_account",
        contribution={"manual": True},
        eligibility={
            "relationships": ["child"], "evidence": "required", "address": "same",
            "min_balance": 50, "head": {"tiers": ["gold"]},
        },
    )  # fmt: skip
    poor = within(party(1, balance=49))
    assert names(judged(pool, act(Event.CONTRIBUTE, 5), poor).failures) == [
        "eligibility.min_balance"
    ]


@pytest.mark.parametrize("event", [Event.REDEEM, Event.LEAVE, Event.CHANGE, Event.CARD])
def test_who_belongs_to_a_group_is_not_asked_again(event: Event) -> None:
    strict = rule_set(
        "pool_view", eligibility={"tiers": ["gold"], "min_age": 18, "head": {"min_age": 18}}
    )
    assert judged(strict, act(event, 5 if event is Event.REDEEM else 0), within()).passes


def test_a_join_asks_of_the_member_and_of_the_head_and_of_no_receiver() -> None:
    strict = rule_set(
        "pool_view",
        eligibility={
            "tiers": ["gold"], "head": {"tiers": ["gold"]}, "receiver": {"tiers": ["gold"]},
        },
    )  # fmt: skip
    assert [*failures(strict, act(Event.JOIN), within())] == [
        "eligibility.tiers", "eligibility.head.tiers",
    ]  # fmt: skip


def test_a_child_that_joins_is_known_by_its_age_not_by_its_place() -> None:
    parties = within(party(1, born=date(2015, 5, 5)), actor_place=place("child", kind=Kind.ADULT))
    conditions = {"min_age": 18, "min_age_with_guardian": 2}
    assert passes(act(Event.JOIN, at=AT, has_guardian_in_group=True), parties, **conditions)
