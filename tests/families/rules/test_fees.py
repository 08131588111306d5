"""What acts cost, by kind, payer, standing and channel, and that points for it have to be there."""

from typing import Any

import pytest

from coalition.families.evaluator.acts import FeeDue
from coalition.families.rule_sets.notation import Money, RuleSet
from coalition.families.rule_sets.vocabulary import Channel, Event
from tests.families.rules.world import (
    act,
    between,
    failures,
    group,
    judged,
    party,
    rule_set,
    told,
    within,
)

USD_15 = {"amount_minor": 1500, "currency": "USD"}


# Any: fees are written as in files.
def charged(*fees: dict[str, Any], mechanism: str = "p2p") -> RuleSet:
    return rule_set(mechanism, fees=list(fees))


def dollars(amount_minor: int, payer: str = "sender") -> FeeDue:
    return FeeDue(payer=payer, money=Money(amount_minor=amount_minor, currency="USD"))


@pytest.mark.parametrize(
    ("fee", "points", "due"),
    [
        ({"kind": "flat", "money": USD_15}, 1, dollars(1500)),
        ({"kind": "flat", "points": 30}, 1, FeeDue(payer="sender", points=30)),
        ({"kind": "flat", "points": 0}, 1, None),
        ({"kind": "flat", "money": {"amount_minor": 0, "currency": "USD"}}, 1, None),
        ({"kind": "flat"}, 1, None),
        ({"kind": "flat", "money": USD_15, "min": 9999}, 1, dollars(1500)),
        ({"kind": "per_block", "block": 1000, "money": USD_15}, 1000, dollars(1500)),
        ({"kind": "per_block", "block": 1000, "money": USD_15}, 1001, dollars(3000)),
        ({"kind": "per_block", "block": 1000, "money": USD_15, "max": 4000}, 9000, dollars(4000)),
        ({"kind": "per_block", "block": 1000, "money": USD_15, "min": 2000}, 500, dollars(2000)),
        ({"kind": "per_block", "block": 500, "points": 7}, 1001, FeeDue(payer="sender", points=21)),
        ({"kind": "percent", "percent": "2.5"}, 1000, FeeDue(payer="sender", points=25)),
        ({"kind": "percent", "percent": "2.5"}, 1001, FeeDue(payer="sender", points=26)),
        ({"kind": "percent", "percent": "0.000001"}, 1, FeeDue(payer="sender", points=1)),
        ({"kind": "percent", "percent": "10", "min": 50}, 100, FeeDue(payer="sender", points=50)),
        ({"kind": "percent", "percent": "10", "max": 5}, 100, FeeDue(payer="sender", points=5)),
        ({"kind": "percent"}, 100, None),
    ],
)
def test_a_fee_is_priced_by_its_kind(fee: dict[str, Any], points: int, due: FeeDue | None) -> None:
    assert judged(charged(fee), act(points=points)).fees == (() if due is None else (due,))


BRACKETS = {
    "kind": "bracket",
    "brackets": [
        {"up_to": 5000, "money": USD_15},
        {"up_to": 9000, "points": 70},
        {"money": {"amount_minor": 9900, "currency": "USD"}},
    ],
}


@pytest.mark.parametrize(
    ("points", "due"),
    [
        (5000, dollars(1500)),
        (5001, FeeDue(payer="sender", points=70)),
        (9000, FeeDue(payer="sender", points=70)),
        (9001, dollars(9900)),
    ],
)
def test_a_bracket_reaches_up_to_its_points(points: int, due: FeeDue) -> None:
    assert judged(charged(BRACKETS), act(points=points)).fees == (due,)


def test_what_no_bracket_reaches_has_no_price_and_is_refused() -> None:
    short = BRACKETS | {"brackets": BRACKETS["brackets"][:2]}
    failed = failures(charged({"kind": "flat", "points": 1}, short), act(points=9001))
    assert told(failed["fees.1.brackets"]) == (9000, 9001, None, None)
    nothing = failures(charged({"kind": "bracket"}), act(points=1))
    assert told(nothing["fees.0.brackets"]) == (None, 1, None, None)
    waived = short | {"waived": [{"channels": ["online"]}]}
    assert judged(charged(waived), act(points=9001)).passes


def test_whoever_pays_chooses_between_money_and_points() -> None:
    either = charged({"kind": "flat", "money": USD_15, "points": 300})
    assert judged(either, act(points=1)).fees == (dollars(1500),)
    in_points = judged(either, act(points=1, pays_in_points=True)).fees
    assert in_points == (FeeDue(payer="sender", points=300),)
    only_money = charged({"kind": "flat", "money": USD_15})
    assert judged(only_money, act(points=1, pays_in_points=True)).fees == (dollars(1500),)


@pytest.mark.parametrize("payer", ["sender", "receiver", "head", "member"])
def test_a_fee_is_waived_by_the_standing_of_whoever_pays_it(payer: str) -> None:
    waived = [{"tiers": ["gold"]}, {"plans": ["plus"], "segments": ["staff"]}]
    fees = charged({"kind": "flat", "money": USD_15, "payer": payer, "waived": waived})
    standings: list[tuple[dict[str, Any], bool]] = [
        ({}, False),
        ({"tier": "gold"}, True),
        ({"plan": "plus"}, False),
        ({"segments": frozenset({"staff"})}, False),
        ({"plan": "plus", "segments": frozenset({"staff"})}, True),
    ]
    number = {"receiver": 2, "head": 3}.get(payer, 1)
    for standing, is_free in standings:
        people = {one: party(one) for one in (1, 2, 3)}
        people[number] = party(number, **standing)
        parties = between(people[1], people[2], head=people[3], group=group())
        due = () if is_free else (dollars(1500, payer),)
        assert judged(fees, act(points=1), parties).fees == due


def test_nobody_has_no_standing() -> None:
    fee = {"kind": "flat", "money": USD_15, "payer": "head", "waived": [{"tiers": ["gold"]}]}
    assert judged(charged(fee), act(points=1)).fees == (dollars(1500, "head"),)


def test_a_fee_may_be_asked_only_through_a_channel_or_not_through_it() -> None:
    by_phone = charged({"kind": "flat", "money": USD_15, "only": {"channels": ["phone"]}})
    assert judged(by_phone, act(points=1)).fees == ()
    assert judged(by_phone, act(points=1, channel=Channel.PHONE)).fees == (dollars(1500),)
    free_online = charged({"kind": "flat", "money": USD_15, "waived": [{"channels": ["online"]}]})
    assert judged(free_online, act(points=1)).fees == ()
    assert judged(free_online, act(points=1, channel=Channel.STORE)).fees == (dollars(1500),)


def test_only_fees_of_the_event_are_asked_all_of_them() -> None:
    fees = charged(
        {"kind": "flat", "money": USD_15}, {"kind": "flat", "points": 3},
        {"kind": "flat", "points": 9, "on": "join", "payer": "member"},
    )  # fmt: skip
    assert len(judged(fees, act(points=1)).fees) == 2
    assert judged(fees, act(Event.JOIN), within()).fees == (FeeDue(payer="member", points=9),)


def test_points_for_a_fee_are_taken_beside_the_amount_and_have_to_be_there() -> None:
    fees = charged({"kind": "percent", "percent": "10"})
    assert judged(fees, act(points=1000), between(party(1, balance=1100))).passes
    failed = failures(fees, act(points=1000), between(party(1, balance=1099)))
    assert [*failed] == ["balance"]
    assert told(failed["balance"]) == (1099, 1100, None, None)


def test_a_fee_of_another_is_not_taken_of_whoever_acts() -> None:
    fees = charged({"kind": "flat", "points": 500, "payer": "receiver"})
    assert judged(fees, act(points=1000), between(party(1, balance=1000))).passes


def test_a_head_that_acts_itself_pays_of_its_own() -> None:
    fees = charged(
        {"kind": "flat", "points": 500, "on": "change", "payer": "head"}, mechanism="nominee_only"
    )
    poor = within(party(3, balance=499), head=party(3, balance=499))
    assert told(failures(fees, act(Event.CHANGE), poor)["balance"]) == (499, 500, None, None)


def test_a_fee_on_changes_is_asked_once_of_all_that_count_as_one() -> None:
    fees = rule_set(
        "nominee_only", join={"change_window_hours": 24},
        fees=[{"kind": "flat", "money": USD_15, "on": "change", "payer": "head"}],
    )  # fmt: skip
    assert judged(fees, act(Event.CHANGE), within()).fees == (dollars(1500, "head"),)
    soon = within(group=group(change_session_at=act().at))
    assert judged(fees, act(Event.CHANGE), soon).fees == ()
