"""Netting: what is left to pay of many claims, and who bears a partner's default. Pure.

Amounts are whole minor units of one currency. Positive pays, negative receives; partner 0 is the
operator, through whom every payment goes. See docs/adr/0033.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from coalition.kernel.money import split
from partners.settlement.kinds import OPERATOR


class Leg(NamedTuple):
    """What one party of a cycle pays (positive) or receives in all."""

    partner_no: int
    amount_minor: int


class Claim(NamedTuple):
    """What one partner has to pay another."""

    debtor_no: int
    creditor_no: int
    amount_minor: int


class Netted(NamedTuple):
    """What payments between partners come to when each pays or receives once."""

    gross_minor: int
    gross_payments: int
    legs: tuple[Leg, ...]

    @property
    def cash_legs(self) -> int:
        """Return how many partners pay or receive anything."""
        return sum(1 for leg in self.legs if leg.partner_no != OPERATOR and leg.amount_minor)


class Covered(NamedTuple):
    """Who bears a loss, in this order; the three add up to the loss but for what is `uncovered`."""

    guarantee_minor: int
    reserve_minor: int
    haircuts: dict[int, int]
    """By creditor; nobody bears more than it would have received. Without those who bear none."""
    uncovered_minor: int

    @property
    def haircut_minor(self) -> int:
        """Return what the creditors bear together."""
        return sum(self.haircuts.values())


def net(positions: Mapping[int, int]) -> tuple[Leg, ...]:
    """Return a leg for each partner and the operator's first, which makes the sum zero.

    The operator's leg is there also when it is nothing: a cycle always says what it means for the
    operator. So is that of a partner whose claims cancel out.
    """
    assert OPERATOR not in positions, "the operator's leg follows from the others"
    legs = tuple(Leg(no, amount) for no, amount in sorted(positions.items()))
    return (Leg(OPERATOR, -sum(positions.values())), *legs)


def net_bilateral(claims: Iterable[Claim]) -> Netted:
    """Return what claims between partners come to when everything is paid through the operator."""
    held = list(claims)
    positions: dict[int, int] = defaultdict(int)
    for debtor_no, creditor_no, amount_minor in held:
        assert amount_minor > 0, "a claim is of some money"
        assert debtor_no != creditor_no, "nobody owes itself"
        positions[debtor_no] += amount_minor
        positions[creditor_no] -= amount_minor
    return Netted(sum(claim.amount_minor for claim in held), len(held), net(positions))


def waterfall(
    loss_minor: int, guarantee_minor: int, reserve_minor: int, creditors: Mapping[int, int]
) -> Covered:
    """Share a loss: first the guarantee, then the reserve, then those who would have received.

    `creditors` have what each would have received (positive); they share by it, by the largest
    remainder with ties to the lower number, and none loses more than all of it.
    """
    assert min(loss_minor, guarantee_minor, reserve_minor) >= 0, "a waterfall falls"
    assert all(credit >= 0 for credit in creditors.values()), "a creditor receives"
    guarantee = min(loss_minor, guarantee_minor)
    reserve = min(loss_minor - guarantee, reserve_minor)
    left = loss_minor - guarantee - reserve
    borne = min(left, sum(creditors.values()))
    haircuts: dict[int, int] = {}
    if borne:
        ordered = sorted(creditors.items())
        shares = split(borne, [credit for _, credit in ordered])
        haircuts = {no: share for (no, _), share in zip(ordered, shares, strict=True) if share}
    return Covered(guarantee, reserve, haircuts, left - borne)
