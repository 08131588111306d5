"""From which amount on a basket without lines, measures and own bonuses meets a rule at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from coalition.members.standings import NOBODY, Standings
from coalition.points.bonuses import active as module
from coalition.points.bonuses.evaluation import ActiveRules, evaluate
from tests.points.bonuses.naive import Purchase, Version
from tests.points.bonuses.test_against_naive import as_basket, as_kept, purchases, rule_versions
from tests.points.bonuses.world import AT, GROCER, active, base_rates, document

NEVER = 1 << 63
GOLD = Standings(tier="gold")


def least(rules: ActiveRules, member: Standings = NOBODY, **place: str) -> int:
    plain = place.get("store", "S1"), place.get("currency", "EUR"), member
    return rules.least_minor(GROCER, AT, plain)


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({}, 0),
        ({"applies_to": {"least": {"amount_minor": 2000}, "currency": "EUR"}}, 2000),
        ({"condition": "basket.amount_minor >= 3000"}, 3000),
        ({"condition": "basket.amount_minor > 3000 && time.hour > 8"}, 3001),
        ({"condition": "basket.amount_minor == 25 && member.tier == ''"}, 25),
        ({"condition": "basket.amount_minor < 3000"}, 0),
        ({"condition": "basket.amount_minor != 3000"}, 0),
        ({"condition": "basket.partner > 0 && time.day > 1"}, 0),
        ({"condition": "basket.amount_minor > 3000 || time.hour > 8"}, 0),
        ({"condition": "basket.amount_minor > 3000 && 'x' in member.flags"}, NEVER),
        ({"applies_to": {"weekdays": ["mon"]}}, 0),
        ({"applies_to": {"categories": ["fruit"]}}, NEVER),
        ({"applies_to": {"currency": "SEK"}}, NEVER),
        ({"applies_to": {"partners": [GROCER], "stores": ["S2"]}}, NEVER),
        ({"applies_to": {"tiers": ["gold"]}}, NEVER),
    ],
    ids=str,
)
def test_a_rule_is_met_from_what_it_asks_for_at_the_least(
    fields: dict[str, Any], amount: int
) -> None:
    assert least(active(document(**fields))) == amount


def test_of_several_rules_the_one_that_asks_for_least_decides() -> None:
    asked = [{"applies_to": {"least": {"amount_minor": n}, "currency": "EUR"}} for n in (700, 300)]
    rules = active(*(document(f"from-{no}", **fields) for no, fields in enumerate(asked)))
    assert least(rules) == 300


def test_it_is_remembered_for_place_currency_and_member_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED_MOST", 2)
    rules = active(
        document("gold", applies_to={"tiers": ["gold"]}),
        document("there", applies_to={"partners": [GROCER], "stores": ["S2"]}),
        document("abroad", applies_to={"currency": "SEK"}),
    )
    for _ in range(2):
        assert least(rules) == NEVER
        assert least(rules, GOLD) == 0
        assert least(rules, store="S2") == 0
        assert least(rules, currency="SEK") == 0
        assert least(rules, Standings(plan="gold")) == NEVER


@given(written=rule_versions(), bought=purchases(), amount=st.integers(0, 7000))
def test_below_it_no_rule_has_a_say(written: list[Version], bought: Purchase, amount: int) -> None:
    rules = ActiveRules(map(as_kept, written), base_rates())
    member = Standings(bought.tier, bought.plan, bought.segments, bought.flags)
    found = rules.least_minor(bought.partner, bought.at, (bought.store, bought.currency, member))
    if found:
        least = min(amount, found - 1)
        plain = structs.replace(as_basket(bought), amount_minor=least, lines=(), measures={})
        assert evaluate(rules, plain, {}).gains == ()
