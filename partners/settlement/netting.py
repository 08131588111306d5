"""Netting: what is left to pay of many claims, and who bears a partner's default. Pure.

Amounts are whole minor units of one currency. Positive pays, negative receives; partner 0 is the
operator, through whom every payment goes. See docs/adr/0033.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

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


class OpenClaim(NamedTuple):
    """What of a creditor's claim on a partner in default is open; `cycle` and `version` made it."""

    cycle: UUID
    version: int
    creditor_no: int
    defaulter_no: int
    amount_minor: int


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


def set_off(positions: Mapping[int, int], claims: Sequence[OpenClaim]) -> tuple[OpenClaim, ...]:
    """Return what of `claims`, the oldest default first, is paid by what defaulters would receive.

    What a partner receives goes to those who claim from it, within one default by the largest
    remainder, never more than is claimed or received. Who is paid so may owe claims itself, and
    pays them in turn.
    """
    held = dict(positions)
    left = {claim: claim.amount_minor for claim in claims}
    while _pay_some(held, left):
        pass
    return tuple(
        claim._replace(amount_minor=claim.amount_minor - left[claim])
        for claim in claims
        if claim.amount_minor > left[claim]
    )


def _pay_some(held: dict[int, int], left: dict[OpenClaim, int]) -> bool:
    """Pay claims once from what `held` has, by default; tell whether anything was paid."""
    paid = 0
    for (_, _, defaulter_no), of_default in groupby(left, key=_default_of):
        claims = list(of_default)
        open_minor = sum(left[claim] for claim in claims)
        some = min(max(0, -held.get(defaulter_no, 0)), open_minor)
        if some:
            shares = split(some, [left[one] for one in claims])
            for claim, share in zip(claims, shares, strict=True):
                left[claim] -= share
                _pay(held, claim, share)
            paid += some
    return paid > 0


def _default_of(claim: OpenClaim) -> tuple[UUID, int, int]:
    return claim.cycle, claim.version, claim.defaulter_no


def _pay(held: dict[int, int], claim: OpenClaim, amount_minor: int) -> None:
    held[claim.defaulter_no] = held.get(claim.defaulter_no, 0) + amount_minor
    if claim.creditor_no != OPERATOR:
        held[claim.creditor_no] = held.get(claim.creditor_no, 0) - amount_minor


def positions_after(positions: Mapping[int, int], paid: Iterable[OpenClaim]) -> dict[int, int]:
    """Return what partners pay and receive once claims are paid: the operator's part follows."""
    held = dict(positions)
    for claim in paid:
        _pay(held, claim, claim.amount_minor)
    return held
