"""When a plan does not pay, its member hears what would have suited better."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from billing.benefits.value import Saved, Saving
from billing.figures.rules import Advice, Offer, advise
from billing.plans.documents import PlanDocument
from coalition.kernel.money import Money
from tests.billing.benefits.world import DOUBLE, MONTHLY, SHIPPING, plan

PLUS = plan("plus", DOUBLE, MONTHLY, SHIPPING, rank=2)
LESS = plan("less", DOUBLE | {"factor": "1.5"}, MONTHLY | {"points": 10}, rank=1)
NOTHING = plan("nothing", rank=0)
PAID = Money(10_000, "SEK")


def saved(benefit: str, kind: Saving, amount_minor: int) -> Saved:
    money = Money(amount_minor, "SEK")
    return Saved(benefit=benefit, kind=kind, points=0, uses=0, value=money)


def offers(**minor: int) -> list[Offer]:
    plans: dict[str, PlanDocument] = {"plus": PLUS, "less": LESS, "nothing": NOTHING}
    return [Offer(plans[code], Money(amount, "SEK")) for code, amount in minor.items()]


def told(*parts: Saved, passed: str = "0.5", paid: Money = PAID, **minor: int) -> Advice | None:
    return advise(parts, paid, plan=PLUS, offers=offers(**minor), passed=Decimal(passed))


EARNED = saved("double", Saving.EARNING, 2_000)
GIVEN = saved("monthly", Saving.MONTHLY, 1_000)
SENT = saved("shipping", Saving.USE, 1_000)


def test_a_plan_that_pays_is_left_alone() -> None:
    assert told(EARNED, GIVEN, SENT, saved("shipping", Saving.USE, 1_000), less=1) is None


@pytest.mark.parametrize(
    "why", [{"passed": "0.24"}, {"paid": Money(0, "SEK")}, {"paid": Money(-5, "SEK")}]
)
def test_nothing_is_said_too_early_or_of_what_cost_nothing(why: dict[str, Any]) -> None:
    assert told(**why) is None


def test_a_smaller_plan_keeps_its_share_of_each_benefit() -> None:
    # It would have saved 1,000 and 100 for half of 1,500; the plan saved 4,000 for 5,000.
    found = told(EARNED, GIVEN, SENT, less=1_500, plus=10_000)
    expected = Advice(kind="smaller_plan", plan="less", better_by=Money(1_350, "SEK"))
    assert found == expected


def test_a_plan_that_nobody_uses_is_paused() -> None:
    # A smaller plan would have cost more than it saves, too; to pause leaves nothing unpaid.
    assert told(SENT, less=1_500) == Advice(kind="pause", plan=None, better_by=Money(4_000, "SEK"))
    assert told() == Advice(kind="pause", plan=None, better_by=Money(5_000, "SEK"))


def test_a_free_plan_is_better_than_none_if_it_saves_anything() -> None:
    found = told(EARNED, nothing=0, less=100)
    assert found is not None
    assert (found.kind, found.plan) == ("smaller_plan", "less")


def test_another_partners_benefit_is_another_benefit() -> None:
    elsewhere = plan("less", DOUBLE | {"partner": "3"}, rank=1)
    offer = Offer(elsewhere, Money(100, "SEK"))
    found = advise([EARNED], PAID, plan=PLUS, offers=[offer], passed=Decimal("0.5"))
    assert found is not None
    assert found.kind == "pause"
    dear = Offer(msgspec.structs.replace(elsewhere, rank=3), Money(0, "SEK"))
    assert advise([EARNED], PAID, plan=PLUS, offers=[dear], passed=Decimal(1)) == Advice(
        kind="pause", plan=None, better_by=Money(8_000, "SEK")
    )
