"""Whether a plan pays for its member, and what would suit it better. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from billing.benefits.value import Saved, Saving
from billing.plans.documents import Benefit, EarnMultiplier, MonthlyPoints, PlanDocument
from coalition.kernel.money import Money, Rounding, round_whole

SOONEST = Decimal("0.25")
"""Before this share of a period has passed nothing is advised: it is too early to tell."""


class Offer(NamedTuple):
    """Another plan on sale, and its price for the same interval in the same currency."""

    plan: PlanDocument
    price: Money


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What would have suited the member better so far: another plan, or none for a while.

    `better_by` is by how much, over the part of the period that has passed.
    """

    kind: Literal["smaller_plan", "pause"]
    plan: str | None
    better_by: Money


def advise(
    saved: Sequence[Saved],
    paid: Money,
    *,
    plan: PlanDocument,
    offers: Iterable[Offer],
    passed: Decimal,
) -> Advice | None:
    """Return the advice after the share `passed` (0..1) of a period that cost `paid`.

    A plan that has saved its price so far pays, and nothing is advised; neither is anything for one
    that cost nothing. Among smaller plans the one counts that would have left the most.
    """
    if paid.amount_minor <= 0 or passed < SOONEST:
        return None
    had = sum(one.value.amount_minor for one in saved)
    left = had - paid.amount_minor * passed
    if left >= 0:
        return None
    smaller = [
        (_would_save(saved, plan, offer.plan) - offer.price.amount_minor * passed, offer)
        for offer in offers
        if offer.plan.rank < plan.rank and offer.price.currency == paid.currency
    ]
    # To pause saves nothing and costs nothing.
    best, offer = max(smaller, key=lambda one: one[0], default=(Decimal(0), None))
    if offer is None or best < 0:
        return Advice(kind="pause", plan=None, better_by=_money(-left, paid.currency))
    better = _money(best - left, paid.currency)
    return Advice(kind="smaller_plan", plan=offer.plan.code, better_by=better)


def _would_save(saved: Iterable[Saved], plan: PlanDocument, other: PlanDocument) -> Decimal:
    """Return what another plan would have saved of what was: its own share of each benefit."""
    mine = {one.code: one for one in plan.benefits}
    theirs = {one.code: one for one in other.benefits}
    return sum(
        (
            one.value.amount_minor * _share(one.kind, mine.get(one.benefit), theirs[one.benefit])
            for one in saved
            if one.benefit in theirs
        ),
        Decimal(0),
    )


def _share(kind: Saving, mine: Benefit | None, other: Benefit) -> Decimal:
    """Return how much of what a benefit gave another of the same code would have given."""
    match kind, mine, other:
        case Saving.EARNING, EarnMultiplier(), EarnMultiplier():
            same = (mine.partner, mine.category) == (other.partner, other.category)
            ratio = (Decimal(other.factor) - 1) / (Decimal(mine.factor) - 1)
            return min(ratio, Decimal(1)) if same else Decimal(0)
        case Saving.MONTHLY, MonthlyPoints(), MonthlyPoints():
            return min(Decimal(other.points) / mine.points, Decimal(1))
        case Saving.USE, _, _ if type(mine) is type(other):
            return Decimal(1)
        case _:
            return Decimal(0)


def _money(amount: Decimal, currency: str) -> Money:
    return Money(round_whole(amount, Rounding.DOWN), currency)
