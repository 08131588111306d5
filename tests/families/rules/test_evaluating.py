"""The whole evaluator: all failures at once, in the order of the notation, and what it reads."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coalition.families.evaluator import rules
from coalition.families.evaluator.acts import Act, GroupFacts, Parties, Party, Slot, Usage
from coalition.families.rule_sets import presets
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Event, Kind
from tests.families.rules.world import (
    AT,
    OSLO,
    act,
    between,
    group,
    judged,
    names,
    party,
    place,
    rule_set,
    used,
    within,
)

STRICT = rule_set(
    "sweep_to_head",
    direction="within_group",
    eligibility={"tiers": ["gold"], "min_age": 18, "receiver": {"plans": ["plus"]},
                 "head": {"min_balance": 10}},
    transfer={"min": 1000, "step": 1000, "purpose": "named_reward"},
    limits=[
        {"subject": "receiver", "measure": "amount", "window": "day", "max": 1},
        {"subject": "sender", "measure": "count", "window": "day", "max": 0},
    ],
    fees=[{"kind": "bracket", "brackets": [{"up_to": 1, "points": 1}]}],
    control={"step_up_above": 1, "blackouts": [{"first": "2026-11-22", "last": "2026-11-22"}]},
)  # fmt: skip


def test_every_failure_is_told_at_once_in_the_order_of_the_notation() -> None:
    poor = between(party(1, balance=500), head=party(3, balance=9), group=group(is_frozen=True))
    verdict = judged(STRICT, act(points=999), poor)
    assert names(verdict.failures) == [
        "mechanism",
        "direction",
        "group.separating",
        "eligibility.min_age",
        "eligibility.tiers",
        "eligibility.receiver.plans",
        "eligibility.head.min_balance",
        "transfer.min",
        "transfer.step",
        "transfer.purpose",
        "limits.receiver.amount.day",
        "limits.sender.count.day",
        "fees.0.brackets",
        "control.step_up_above",
        "control.blackouts",
        "balance",
    ]
    assert verdict.needs_step_up
    assert not verdict.passes


def test_the_example_of_the_specification() -> None:
    verdict = judged(
        presets.rule_set("hilton"), act(points=100), between(party(1, balance=150), party(2))
    )
    assert [failure.told() for failure in verdict.failures] == [
        {"rule": rule, "limit": 1000, "used": used, "remaining": None, "next_possible_at": None}
        for rule, used in (
            ("eligibility.min_balance", 150), ("transfer.min", 100), ("transfer.step", 100),
        )
    ]  # fmt: skip


def test_the_same_question_has_the_same_answer() -> None:
    before = used(("2026-11-01", 4500))
    assert judged(STRICT, usage=before) == judged(STRICT, usage=before)


def test_needs_are_named_by_the_fields_of_what_is_told() -> None:
    needed = rules.needs(presets.rule_set("hilton"), Event.TRANSFER)
    assert needed.facts >= {"actor.joined", "actor.was_active", "actor.balance", "receiver.joined"}
    assert (needed.personal, needed.standings, needed.earned, needed.cases) == (
        False, False, True, False,
    )  # fmt: skip
    kept = rules.needs(STRICT, Event.TRANSFER)
    assert kept.facts >= {"actor.tier", "actor.born", "receiver.plan", "head.balance"}
    assert (kept.personal, kept.standings) == (True, True)
    asked = rules.needs(rule_set(eligibility={"good_standing": True}), Event.TRANSFER)
    assert asked.cases


def test_what_a_change_may_ask_is_needed_as_well() -> None:
    document = rule_set(
        changes=[
            {"when": {"tiers": ["gold"]}, "of": "receiver", "set": {"eligibility.min_age": 18}},
            {"when": {"plans": ["plus"]}, "of": "head", "set": {"transfer.max": 9}},
        ]
    )
    needed = rules.needs(document, Event.TRANSFER)
    assert needed.facts >= {"receiver.tier", "head.plan", "actor.born"}
    assert "actor.tier" not in needed.facts


@pytest.mark.parametrize("name", presets.names())
@pytest.mark.parametrize("event", [*Event])
def test_every_preset_answers_every_event(name: str, event: Event) -> None:
    document = presets.rule_set(name)
    parties = within(receiver=party(2), actor_place=place(), receiver_place=place("head"))
    verdict = judged(document, act(event, points=2000), parties)
    assert verdict.passes == (not verdict.failures)
    for failure in verdict.failures:
        then = failure.next_possible_at
        assert then is None or (then > AT and then.tzinfo is not None)


FIELDS: dict[str, dict[str, Any]] = {
    "actor": {"born": date(2012, 1, 1), "country": "SE", "tier": "gold", "plan": "plus",
              "balance": 900, "earned": 5, "active_months": 1, "was_active": False, "groups": 3,
              "left_at": AT - timedelta(days=3), "has_open_case": True, "is_active": False,
              "address": b"a", "address_registered": True, "name": b"n", "transferable": 5,
              "segments": frozenset({"staff"}), "flags": frozenset({"identity_verified"})},
    "group": {"counts": {Kind.ADULT: 9}, "open_invitations": {Kind.ADULT: 2}, "pool": 77,
              "left": (Slot(Kind.ADULT, AT - timedelta(days=2)),), "is_frozen": True,
              "change_session_at": AT - timedelta(hours=1)},
    "act": {"purpose": "a flight", "relationship": "child", "evidence": True,
            "evidence_asked": True, "given_name": b"n", "has_guardian_in_group": True,
            "future_percent": 50, "new_receiver": True, "new_device": True,
            "stepped_up_at": AT, "received": 400},
}  # fmt: skip
FIELDS |= {"receiver": FIELDS["actor"], "head": FIELDS["actor"]}
WHOLE = rule_set(
    "pool_account",
    group={"members": {"min": 2, "max": 9}, "groups_per_member": 2,
           "spend": {"adult": {"scope": "pool"}}},
    join={"cooldown_days": 9, "slot_cooldown_days": 9, "lock_in_days": 9, "freeze_hours": 9,
          "change_window_hours": 24},
    contribution={"manual": True, "future_percent": [50], "lots": {"issuers": ["Grocer"]}},
    limits=[{"subject": "group", "measure": "changes", "window": "day", "on": "change", "max": 0}],
    changes=[{"when": {"tiers": ["gold"]}, "set": {"group.members.max": 1}}],
)  # fmt: skip
ASKING = [*(presets.rule_set(name) for name in presets.names()), STRICT, WHOLE]


@settings(max_examples=300, deadline=None)
@given(
    document=st.sampled_from(ASKING),
    event=st.sampled_from([*Event]),
    facts=st.sets(
        st.sampled_from([f"{who}.{field}" for who, some in FIELDS.items() for field in some])
    ),
)
def test_what_is_not_named_as_needed_changes_no_failure(
    document: RuleSet, event: Event, facts: set[str]
) -> None:
    needed = rules.needs(document, event).facts
    read = _told(event, facts & needed, document)
    assert _told(event, facts, document) == read


def _told(event: Event, facts: set[str], document: RuleSet) -> tuple[object, ...]:
    """Return the failures, approvals and hold where these facts are known, and others are not."""
    known: dict[str, dict[str, Any]] = {who: {} for who in FIELDS}
    for fact in facts:
        who, _, field = fact.partition(".")
        known[who][field] = FIELDS[who][field]
    wanted: Act = msgspec.structs.replace(act(event, points=600), **known["act"])
    there: GroupFacts = group(**known["group"])
    people: dict[str, Party] = {
        who: party(number, **known[who])
        for who, number in (("actor", 1), ("receiver", 2), ("head", 3))
    }
    parties = Parties(
        actor=people["actor"], receiver=people["receiver"], head=people["head"], group=there,
        actor_place=place(), receiver_place=place("head"),
    )  # fmt: skip
    verdict = rules.evaluate(document, wanted, parties, Usage(), OSLO)
    return verdict.failures, verdict.approvals, verdict.hold_hours, verdict.needs_step_up


def test_instants_are_told_in_the_rule_sets_zone() -> None:
    lisbon = rule_set(timezone="Europe/Lisbon", eligibility={"min_age": 18})
    young = between(party(1, born=date(2008, 12, 1)))
    (failure,) = judged(lisbon, None, young).failures
    assert failure.next_possible_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert str(failure.next_possible_at.tzinfo) == "Europe/Lisbon"
