"""What is said of plans that are not right: where, and what would be."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.plans import checking
from billing.plans.checking import complaints
from billing.plans.documents import EarnMultiplier
from coalition.points.bonuses.checking import Known
from tests.billing.plans.written import DOUBLE, MONTHLY, STUDENT, plan

KNOWN = Known(
    {"1": 1, "alva": 1, "2": 2, "bergman": 2}, frozenset(), ZoneInfo("UTC"),
    ("Alva", "Bergman"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ({"prices": []}, "prices", "a plan has a price"),
        ({"prices": [MONTHLY | {"currency": "XXX"}]}, "prices.0.currency", "ISO 4217"),
        ({"prices": [MONTHLY, MONTHLY]}, "prices.1", "keep one of them"),
        ({"prices": [STUDENT]}, "prices.0.eligibility", "one for all"),
        ({"benefits": [DOUBLE | {"factor": "two"}]}, "benefits.0.factor", "a decimal in quotes"),
        ({"benefits": [DOUBLE | {"factor": "1"}]}, "benefits.0.factor", "more than 1"),
        ({"benefits": [DOUBLE | {"partner": "Nobody"}]}, "benefits.0.partner", "Alva, Bergman"),
        ({"benefits": [DOUBLE, DOUBLE]}, "benefits.1.code", "take another"),
        (
            {"benefits": [DOUBLE | {"funding": {"Nobody": 1}}]},
            "benefits.0.funding.Nobody",
            "there is no partner",
        ),
        (
            {"benefits": [DOUBLE | {"funding": {"Alva": 1, "1": 2}}]},
            "benefits.0.funding",
            "named twice",
        ),
        (
            {
                "benefits": [
                    {
                        "benefit": "monthly_points",
                        "code": "m",
                        "points": 1,
                        "funding": {"issuer": 1},
                    }
                ]
            },
            "benefits.0.funding.issuer",
            "name partners, or operator",
        ),
        ({"name": "Plus\nBcc: all@points.example"}, "name", "one line"),
        ({"grace_days": 1, "grace_after_trial_days": 3}, "grace_after_trial_days", "not longer"),
    ],
)
def test_a_plan_that_is_not_right_is_told_where_and_what_would_be(
    keys: dict[str, Any], where: str, words: str
) -> None:
    found = complaints(plan(**keys), KNOWN)
    said = {".".join(map(str, one.path)): one.text for one in found}
    assert words in said[where]


def test_a_plan_that_is_right_is_told_nothing() -> None:
    assert complaints(plan(prices=[MONTHLY, STUDENT]), KNOWN) == []
    assert complaints(plan(benefits=[DOUBLE | {"partner": "Nobody"}]), None) == []


def test_partners_are_kept_by_number() -> None:
    written = DOUBLE | {"partner": "alva", "funding": {"Bergman": 2, "operator": 1}}
    (benefit,) = checking.settled(plan(benefits=[written]), KNOWN).benefits
    assert isinstance(benefit, EarnMultiplier)
    assert (benefit.partner, benefit.funding) == ("1", {"2": 2, "operator": 1})
