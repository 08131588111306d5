"""Conditions in CEL: what is refused when a rule is saved, and how a failing one fails closed."""

import pytest
from structlog.testing import capture_logs

from coalition.points.bonuses import conditions
from coalition.points.bonuses.conditions import BadConditionError, compiled, known_of
from coalition.points.bonuses.evaluation import ActiveRules, evaluate
from tests.points.bonuses.world import Bought, active, base_rates, basket, document, numbered

LINES: list[Bought] = [
    (2000, "fruit", 3),
    (500, "dairy"),
    (700, "fruit"),
]


@pytest.mark.parametrize(
    "source",
    [
        "basket.partner == 1 && basket.store == 'S1' && basket.currency == 'EUR'",
        "basket.amount_minor >= 6000",
        "basket.categories.exists(c, c == 'dairy')",
        "basket.amount_of['fruit'] == 2700 && basket.items_of['fruit'] == 4",
        "basket.lines.exists_one(line, line.sku == '' && line.category == 'dairy')",
        "basket.lines.all(line, line.quantity > 0 && line.no <= 3 && line.amount_minor < 2001)",
        "basket.lines[0].category.startsWith('fru')",
        "basket.measures['visits'] == 2 && !('hours' in basket.measures)",
        "member.tier == 'gold' && member.plan == ''",
        "'student' in member.segments && size(member.flags) == 0",
        "time.date == '2026-10-03' && time.weekday == 'sat'",
        "time.year == 2026 && time.month == 10 && time.day == 3",
        "time.hour == 17 && time.minute == 0 // o'clock",
        "'map(' != \"filter(\" && '\\'' != ''",
    ],
)
def test_a_condition_sees_the_basket_the_member_and_the_time(source: str) -> None:
    bought = basket(
        lines=LINES, measures={"visits": 2}, tier="gold", segments=frozenset({"student"})
    )
    condition = compiled(source)
    assert condition.judge(known_of(bought, condition.names)) is True
    assert condition.judge(known_of(bought)) is True


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("basket.amount_minor", "it yields int; a condition yields a bool"),
        ("basket.amont_minor > 1", "undeclared reference to 'basket.amont_minor'"),
        ("basket.amount_minor > '1'", "found no matching overload"),
        ("((", "Syntax error"),
        ("true" + " " * 1000, "it is 1004 characters long; at most 1000 are taken"),
        ("size(basket.lines.map(l, l.no)) > 1", "map() may cost too much"),
        ("size(basket.lines.filter(l, l.no > 1)) > 1", "filter() may cost too much"),
        ("basket.store.matches('(a{1,30}){1,30}')", "matches() may cost too much"),
        (
            "basket.lines.exists(l, basket.lines.all(m, l.no <= m.no))",
            "all() stands inside another one",
        ),
        (
            " || ".join(["basket.lines.exists(l, l.no > 1)"] * 5),
            "it asks through 5 lists; at most 4 are taken",
        ),
        ("basket.lines.exists(l, l.catgory == 'x')", "a line has no 'catgory'"),
        (r"r'\' != '' && basket.lines.map(l, 1) != []", "write texts in plain quotes"),
        ("'''fruit''' != ''", "write texts in plain quotes"),
        ("basket.lines[0].catgory == 'x'", "a line has no 'catgory'"),
        ("!" * 10 + "(" * 40 + "true" + ")" * 40, "recursion"),
    ],
)
def test_a_condition_that_is_not_right_is_refused_with_the_remedy(source: str, text: str) -> None:
    with pytest.raises(BadConditionError) as refused:
        compiled(source)
    assert text in str(refused.value)


def test_macros_one_after_the_other_are_taken() -> None:
    source = "basket.lines.exists(l, (l.no > 2)) && basket.categories.all(c, c != '')"
    condition = compiled(source)
    assert condition.judge(known_of(basket(lines=LINES))) is True
    assert condition.names == {"basket.lines", "basket.categories"}
    assert not condition.uses_member
    assert compiled("member.tier == ''").uses_member


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("basket.measures['hours'] > 1", 'Key not found in map : "hours"'),
        ("basket.amount_minor / (basket.partner - 1) > 1", "divide by zero"),
        ("basket.amount_minor * 9223372036854775807 > 1", "integer overflow"),
        ("basket.lines[7].no == 1", "index error"),
        ("basket.lines[0].category < 3", "No matching overloads"),
    ],
)
def test_a_condition_that_cannot_be_judged_does_not_hold_and_says_why(
    source: str, why: str
) -> None:
    verdict = compiled(source).judge(known_of(basket(lines=LINES)))
    assert isinstance(verdict, str)
    assert why.casefold() in verdict.casefold()


def test_what_the_library_itself_cannot_do_does_not_hold_either() -> None:
    longest = basket(lines=[(1, "fruit")] * 11_000)
    verdict = compiled("basket.lines.all(l, l.no > 0)").judge(known_of(longest))
    assert verdict == "Iteration budget exceeded"


def test_a_rule_whose_condition_fails_is_left_out_logged_once_and_told() -> None:
    rules = active(
        document("broken", name="Broken", condition="basket.measures['hours'] > 1"),
        document("sound", name="Sound", condition="basket.amount_minor > 1"),
        document("other", condition="basket.amount_minor < 1"),
    )
    with capture_logs() as logs:
        found = evaluate(rules, basket(), {})
        evaluate(rules, basket(), {})
    assert [(reason.points, reason.text) for reason in found.reasons[1:]] == [
        (10, "Sound: 10 points for the basket"),
        (
            0,
            'Broken: nothing, its condition could not be judged (Key not found in map : "hours")',
        ),
    ]
    assert [(entry["event"], entry["rule"]) for entry in logs] == [
        ("rule_condition_failed", "broken")
    ]


def test_a_rule_that_the_library_no_longer_takes_is_left_out_and_the_others_hold() -> None:
    versions = numbered([document("old", condition="basket.gone"), document("sound")])
    with capture_logs() as logs:
        rules = ActiveRules(versions, base_rates())
    assert evaluate(rules, basket(), {}).points == 70
    assert [entry["rule"] for entry in logs] == ["old"]


@pytest.mark.parametrize("tier", ["gold", None])
@pytest.mark.parametrize("amount_minor", [1, 9000])
@pytest.mark.parametrize(
    "source",
    [
        "member.tier == 'gold' && basket.amount_minor > 5000",
        "basket.amount_minor > 5000 || member.tier == 'gold'",
        "member.tier == 'gold' ? basket.amount_minor > 5000 : basket.partner == 1",
        "!(basket.amount_minor > 5000 || member.tier == 'gold')",
        "basket.measures['visits'] > 1 || member.tier == 'gold'",
        "basket.lines.all(line, line.no > 1) && member.tier == ''",
        "basket.store == 'S1'",
        "1 / (basket.partner - 1) > 1 || basket.amount_minor > 5000",
    ],
)
def test_what_place_and_member_decide_beforehand_is_what_the_whole_basket_says(
    source: str, amount_minor: int, tier: str | None
) -> None:
    bought = basket(amount_minor, tier=tier)
    verdict = compiled(source).judge(known_of(bought))
    found = evaluate(active(document(condition=source)), bought, {})
    gained = [reason.points for reason in found.reasons if reason.rule.startswith("rule:")]
    if isinstance(verdict, str):
        assert gained == [0], "it cannot be judged, and says so"
    else:
        assert gained == ([10] if verdict else [])


def test_a_line_without_a_category_counts_in_no_category() -> None:
    bought = basket(lines=[(2000, None), (500, "dairy")])
    source = "basket.categories == ['dairy'] && basket.lines[0].category == ''"
    assert compiled(source).judge(known_of(bought)) is True


def test_the_names_of_variables_are_those_of_the_guide() -> None:
    groups = {name.partition(".")[0] for name in conditions.VARIABLES}
    assert groups == {"basket", "member", "time"}
