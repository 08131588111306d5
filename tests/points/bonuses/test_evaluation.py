"""What baskets earn: each effect, each way to combine, caps, funding, and why, in sentences."""

import pytest

from coalition.kernel.money import Rounding
from coalition.points.bonuses.evaluation import BASE, ActiveRules, Share, Usage, evaluate
from coalition.points.rules import EarningRule, EarningRules
from tests.points.bonuses.world import (
    AT,
    BEGIN,
    FRUIT_AND_MORE,
    GROCER,
    active,
    base_rates,
    basket,
    bonus,
    document,
    earned,
    multiplier,
    numbered,
    texts,
)

BASE_TEXT = (60, "1 point per 1.00 EUR of 60.00 EUR, rounded down")


def test_without_rules_a_basket_earns_the_base_rate() -> None:
    found = earned()
    assert (found.points, found.shares, found.usage) == (60, (Share(BASE, 1, 60),), ())
    assert texts(found) == [BASE_TEXT]
    assert found.reasons[0].rule == "earning:1"
    assert (found.is_ruled, found.rate) == (True, base_rates().at(1, "EUR", AT))


def test_a_basket_that_earns_nothing_says_so() -> None:
    found = earned(amount_minor=99)
    assert (found.points, found.shares) == (0, ())
    assert texts(found) == [(0, "1 point per 1.00 EUR of 0.99 EUR, rounded down")]


def test_where_no_rate_and_no_rule_has_a_say_nothing_is_ruled() -> None:
    assert not earned(currency="SEK").is_ruled
    other = earned(bonus(5, applies_to={"currency": "EUR"}), currency="SEK")
    assert (other.is_ruled, other.points, other.reasons) == (False, 0, [])


def test_a_bonus_comes_on_top_of_the_base() -> None:
    found = earned(bonus(10))
    assert found.shares == (Share(BASE, 1, 60), Share(1, 1, 10))
    assert texts(found) == [BASE_TEXT, (10, "Rule 1: 10 points for the basket")]
    assert found.reasons[1].rule == "rule:rule-1@1"


def test_a_bonus_may_be_for_each_line_or_item_that_counts() -> None:
    of_fruit = {"applies_to": {"categories": ["fruit"]}}
    found = earned(
        {"effect": {"kind": "bonus", "points": 5, "per": "line"}},
        {"effect": {"kind": "bonus", "points": 5, "per": "item"}} | of_fruit,
        {"effect": {"kind": "bonus", "points": 1, "per": "basket"}} | of_fruit,
        lines=FRUIT_AND_MORE,
    )
    assert texts(found)[1:] == [
        (15, "Rule 1: 5 points for each of 3 lines"),
        (20, "Rule 2: 5 points for each of 4 items for fruit"),
        (1, "Rule 3: 1 point for the basket for fruit"),
    ]


def test_multipliers_of_the_base_add_up_and_do_not_multiply_each_other() -> None:
    found = earned(multiplier("2"), multiplier("3"))
    assert found.points == 60 + 60 + 120
    assert texts(found)[1] == (
        60,
        "Rule 1: 2 times the 60 points of the base rate, so 60 more",
    )


def test_a_multiplier_of_what_was_earned_so_far_depends_on_the_order() -> None:
    so_far = {"effect": {"kind": "multiplier", "factor": "2", "of": "so_far"}}
    after = earned(bonus(10), so_far)
    before = earned(bonus(10), so_far | {"stacking": {"order": 1}})
    assert (after.points, before.points) == (140, 130)
    assert texts(after)[2] == (70, "Rule 2: 2 times the 70 points so far, so 70 more")


def test_a_multiplier_of_categories_counts_the_base_of_their_lines() -> None:
    found = earned(multiplier("1.5", applies_to={"categories": ["fruit"]}), lines=FRUIT_AND_MORE)
    assert texts(found)[1] == (
        13,
        "Rule 1: 1.5 times the 27 points of the base rate for fruit, rounded down, so 13 more",
    )


@pytest.mark.parametrize(
    ("rounding", "points"),
    [("down", 13), ("up", 14), ("half_even", 14), ("half_away_from_zero", 14)],
)
def test_a_rule_rounds_as_its_document_names_it(rounding: str, points: int) -> None:
    found = earned(multiplier("1.5", rounding=rounding), amount_minor=2700)
    assert found.points == 27 + points


def test_a_half_is_rounded_to_the_even_point() -> None:
    assert earned(multiplier("1.5", rounding="half_even"), amount_minor=2500).points == 25 + 12
    assert earned(multiplier("1.4", rounding="half_even"), amount_minor=1400).points == 14 + 6
    assert (
        earned(multiplier("1.4", rounding="half_away_from_zero"), amount_minor=1100).points
        == 11 + 4
    )


RATE = {
    "effect": {"kind": "rate", "points": 3, "per_minor": 200},
    "applies_to": {"currency": "EUR"},
}


def test_a_rate_stands_in_place_of_the_base_rate() -> None:
    found = earned(RATE, multiplier("2"))
    assert found.shares == (Share(1, 1, 90), Share(2, 1, 90))
    assert texts(found)[0] == (90, "Rule 1: 3 points per 2.00 EUR of 60.00 EUR, rounded down")


def test_a_rate_may_be_added_to_the_base_rate() -> None:
    found = earned(RATE | {"stacking": {"combine": "add"}}, lines=FRUIT_AND_MORE)
    assert found.points == 60 + 90
    of_fruit = {"applies_to": {"currency": "EUR", "categories": ["fruit"]}}
    some = earned(RATE | of_fruit | {"stacking": {"combine": "add"}}, lines=FRUIT_AND_MORE)
    assert texts(some)[1] == (
        40,
        "Rule 1: 3 points per 2.00 EUR of 27.00 EUR for fruit, rounded down",
    )


def test_a_rate_of_categories_leaves_the_base_rate_for_the_rest() -> None:
    of_fruit = {"applies_to": {"currency": "EUR", "categories": ["fruit"]}}
    of_both = {"applies_to": {"currency": "EUR", "categories": ["fruit", "dairy"]}}
    found = earned(RATE | of_fruit, RATE | of_both, RATE, lines=FRUIT_AND_MORE)
    assert texts(found) == [
        (40, "Rule 1: 3 points per 2.00 EUR of 27.00 EUR for fruit, rounded down"),
        (7, "Rule 2: 3 points per 2.00 EUR of 5.00 EUR for dairy, fruit, rounded down"),
        (42, "Rule 3: 3 points per 2.00 EUR of 28.00 EUR, rounded down"),
    ]
    partly = earned(RATE | of_fruit, RATE | of_fruit, multiplier("2"), lines=FRUIT_AND_MORE)
    assert texts(partly) == [
        (33, "1 point per 1.00 EUR of 33.00 EUR, rounded down"),
        (40, "Rule 1: 3 points per 2.00 EUR of 27.00 EUR for fruit, rounded down"),
        (0, "Rule 2: nothing, Rule 1 stands in place of the base rate already"),
        (73, "Rule 3: 2 times the 73 points of the base rate, so 73 more"),
    ]


def test_a_multiplier_of_lines_rounds_each_rate_by_itself() -> None:
    fruit = document(
        "fruit",
        effect={"kind": "rate", "points": 1, "per_minor": 10},
        applies_to={"currency": "EUR", "categories": ["fruit"]},
    )
    double = document(
        "double",
        effect={"kind": "multiplier", "factor": "2"},
        applies_to={"categories": ["fruit", "dairy"]},
    )
    bought = basket(298, lines=[(99, "fruit"), (199, "dairy")])
    found = evaluate(active(fruit, double), bought, {})
    assert [share.points for share in found.shares] == [1, 9, 9 + 1]


def test_a_multiplier_of_lines_counts_whatever_rate_they_have() -> None:
    of_fruit = {"applies_to": {"currency": "EUR", "categories": ["fruit"]}}
    doubled = multiplier("2", applies_to={"categories": ["fruit", "dairy"]})
    found = earned(RATE | of_fruit, doubled, lines=FRUIT_AND_MORE)
    assert found.reasons[2].points == 40 + 5
    whole = earned(RATE, doubled, lines=FRUIT_AND_MORE)
    assert whole.reasons[1].points == 48
    elsewhere = earned(doubled, lines=FRUIT_AND_MORE, currency="SEK")
    assert elsewhere.points == 0


def test_a_rate_whose_lines_others_have_taken_leaves_the_rest_to_those_after_it() -> None:
    rates = [
        document(
            code,
            effect={"kind": "rate", "points": points, "per_minor": 100},
            applies_to={"currency": "EUR", "categories": [category]},
        )
        for code, points, category in (
            ("one", 2, "fruit"),
            ("two", 3, "fruit"),
            ("three", 4, "fish"),
        )
    ]
    bought = basket(300, lines=[(100, "fruit"), (200, "fish")])
    found = evaluate(active(*rates), bought, {})
    assert [(share.rule_no, share.points) for share in found.shares] == [(1, 2), (3, 8)]


def test_lines_that_come_to_more_than_the_basket_leave_nothing_to_the_base_rate() -> None:
    fruit = document(
        effect={"kind": "rate", "points": 5, "per_minor": 100},
        applies_to={"currency": "EUR", "categories": ["fruit"]},
    )
    point_per_cent = EarningRules([EarningRule(1, GROCER, "EUR", 1, 1, Rounding.DOWN, BEGIN)])
    bought = basket(200, lines=[(300, "fruit")])
    found = evaluate(ActiveRules(numbered([fruit]), point_per_cent), bought, {})
    assert [(share.rule_no, share.points) for share in found.shares] == [(1, 15)]


def test_of_two_rates_for_everything_the_first_in_order_holds() -> None:
    better = RATE | {"effect": {"kind": "rate", "points": 9, "per_minor": 200}}
    found = earned(better, RATE | {"stacking": {"order": 1}})
    assert texts(found) == [
        (90, "Rule 2: 3 points per 2.00 EUR of 60.00 EUR, rounded down"),
        (0, "Rule 1: nothing, Rule 2 stands in place of the base rate already"),
    ]


def test_points_for_visits_and_hours_need_no_purchase() -> None:
    visit = {"effect": {"kind": "per_measure", "points": 10, "measure": "visits"}}
    hours = {"effect": {"kind": "per_measure", "points": 5, "measure": "hours", "per": 2}}
    found = earned(visit, hours, amount_minor=0, measures={"visits": 2, "hours": 5})
    assert texts(found)[1:] == [
        (20, "Rule 1: 10 points per visits of 2"),
        (12, "Rule 2: 5 points per 2 hours of 5"),
    ]
    assert earned(visit, amount_minor=0).points == 0


def test_points_may_be_for_the_quantity_of_lines() -> None:
    of_fruit = {"applies_to": {"categories": ["fruit"]}}
    each = {"effect": {"kind": "per_measure", "points": 2, "measure": "quantity"}}
    found = earned(each | of_fruit, each, lines=FRUIT_AND_MORE)
    assert [reason.points for reason in found.reasons] == [60, 8, 10]


def test_a_measure_or_a_bonus_may_stand_in_place_of_the_base_rate() -> None:
    instead = {"stacking": {"combine": "replaces_base"}}
    visit = {"effect": {"kind": "per_measure", "points": 10, "measure": "visits"}} | instead
    doubled = multiplier("2", applies_to={"categories": ["fruit"]})
    found = earned(visit, doubled, measures={"visits": 1}, lines=FRUIT_AND_MORE)
    assert (found.points, len(found.reasons)) == (10, 1)
    assert earned(bonus(7) | instead, multiplier("3")).points == 21


def test_of_a_group_only_the_best_rule_counts_and_the_others_say_so() -> None:
    best = {"stacking": {"combine": "best_of", "group": "weekend"}}
    found = earned(bonus(10) | best, multiplier("2") | best, bonus(60) | best, bonus(1))
    assert texts(found)[1:] == [
        (0, "Rule 1: nothing, Rule 2 counts instead, the best of its group"),
        (60, "Rule 2: 2 times the 60 points of the base rate, so 60 more"),
        (0, "Rule 3: nothing, Rule 2 counts instead, the best of its group"),
        (1, "Rule 4: 1 point for the basket"),
    ]


def test_groups_are_judged_apart() -> None:
    found = earned(
        *(
            bonus(points, stacking={"combine": "best_of", "group": group})
            for points, group in [(1, "a"), (2, "b"), (3, "a"), (4, "b")]
        )
    )
    assert found.points == 60 + 3 + 4


def test_the_best_of_a_group_is_what_is_left_within_the_caps() -> None:
    best = {"stacking": {"combine": "best_of", "group": "weekend"}}
    found = earned(bonus(100) | best | {"caps": {"basket": 5}}, bonus(10) | best)
    assert found.points == 60 + 10


def test_nothing_is_looked_at_after_a_rule_that_stops() -> None:
    stop = bonus(10, stacking={"order": 50, "combine": "stop"})
    assert earned(bonus(1), stop, bonus(2, stacking={"order": 50}), RATE).points == 60 + 10
    assert earned(stop | {"applies_to": {"currency": "SEK"}}, bonus(1)).points == 60 + 1


def test_equal_orders_go_by_the_older_rule() -> None:
    stop = bonus(10, stacking={"combine": "stop"})
    assert earned(bonus(1), stop, bonus(2)).points == 60 + 1 + 10


def test_a_cap_of_the_basket_bites_and_says_so() -> None:
    found = earned(multiplier("3", caps={"basket": 100}, name="All"))
    assert texts(found)[1] == (
        100,
        "All: 3 times the 60 points of the base rate, so 120 more; capped at 100 points a basket",
    )
    assert found.usage == ()


PERIODS = [
    ("day", "day:2026-10-03", "a day"),
    ("week", "week:2026-W40", "a week"),
    ("month", "month:2026-10", "a month"),
    ("year", "year:2026", "a year"),
    ("campaign", "campaign", "in all"),
]


@pytest.mark.parametrize(("period", "name", "text"), PERIODS, ids=[one[0] for one in PERIODS])
def test_a_cap_of_a_period_counts_what_was_used_before(period: str, name: str, text: str) -> None:
    rules = active(document("capped", name="Capped", caps={period: 25}))
    bought = basket()
    assert rules.caps_for(bought) == ((1, name),)
    first = evaluate(rules, bought, {})
    assert (first.points, first.usage) == (70, (Usage(1, name, 10),))
    third = evaluate(rules, bought, {(1, name): 20})
    assert third.usage == (Usage(1, name, 5),)
    assert texts(third)[1][1].endswith(f"; capped at 25 points {text}, of which 20 were used")
    spent = evaluate(rules, bought, {(1, name): 30})
    assert (spent.points, spent.usage, spent.shares) == (60, (), (Share(BASE, 1, 60),))
    assert spent.reasons[1].points == 0


def test_points_that_just_reach_a_cap_are_not_said_to_be_capped() -> None:
    for caps in ({"basket": 10}, {"month": 10}):
        (_, reason) = evaluate(active(document(caps=caps)), basket(), {}).reasons
        assert reason.points == 10
        assert "capped" not in reason.text


def test_of_several_caps_the_tightest_bites() -> None:
    rules = active(document("capped", caps={"basket": 9, "day": 100, "month": 8, "year": 8}))
    found = evaluate(rules, basket(), {(1, "month:2026-10"): 3, (1, "year:2026"): 1})
    assert found.points == 60 + 5
    assert found.reasons[1].text.endswith("capped at 8 points a month, of which 3 were used")
    assert {usage.points for usage in found.usage} == {5}


def test_counters_are_asked_for_only_where_a_rule_may_apply() -> None:
    capped = {"caps": {"day": 5}}
    rules = active(
        document("elsewhere", applies_to={"partners": [2]}, **capped),
        document("at-night", applies_to={"hours": ["02:00-03:00"]}, **capped),
        document("here", **capped),
        document("uncapped"),
    )
    assert rules.caps_for(basket()) == ((3, "day:2026-10-03"),)


def test_the_operator_and_partners_pay_whole_points_by_largest_remainder() -> None:
    funding = [
        {"funder": "operator", "share": "0.5"},
        {"funder": "issuer", "share": "0.25"},
        {"funder": 2, "share": "0.25"},
    ]
    found = earned(bonus(11, funding=funding))
    assert found.shares[1:] == (Share(1, 0, 5), Share(1, 1, 3), Share(1, 2, 3))
    tied = earned(bonus(10, funding=funding))
    assert tied.shares[1:] == (Share(1, 0, 5), Share(1, 1, 3), Share(1, 2, 2))


def test_the_issuer_that_is_also_named_pays_both_parts() -> None:
    funding = [{"funder": "issuer", "weight": 1}, {"funder": 1, "weight": 2}]
    assert earned(bonus(9, funding=funding)).shares[1:] == (Share(1, 1, 9),)


def test_one_funder_pays_all_and_nobody_pays_nothing() -> None:
    one = earned(bonus(9, funding=[{"funder": "operator", "share": "1"}]))
    assert one.shares[1:] == (Share(1, 0, 9),)
    halves = [{"funder": "operator", "weight": 1}, {"funder": "issuer", "weight": 9}]
    assert earned(bonus(1, funding=halves)).shares[1:] == (Share(1, 1, 1),)
