"""What a partner may still owe or issue under its contract, and what of it is news. Pure."""

import math
from decimal import Decimal

import msgspec

from coalition.federation.terms import Contract, CreditMode
from coalition.kernel.money import Rounding, exponent, round_whole

_THROTTLED = (CreditMode.BLOCK, CreditMode.PREPAID)


class Limit(msgspec.Struct, frozen=True):
    """How a partner stands, in whole minor units of its contract's currency: a row of the table."""

    partner_no: int
    currency: str
    blocked: bool
    """It issues nothing until it owes less."""
    is_reached: bool
    """Nothing is left of its credit, or of what it paid in."""
    is_low: bool
    """Less is left than its low-water mark."""
    exposure_minor: int
    """What it owes in all, VAT included; negative: what it is owed."""
    prepaid_minor: int
    """What it has ever paid in beforehand."""
    spent_minor: int
    """What of that is used up, by charges that are booked and issues that are not drained yet."""
    leased_minor: int
    """What tills have in hand to issue for."""


class Owed(msgspec.Struct, frozen=True):
    """What the books say of a partner: its balance exactly, in major units, and what is under way.

    `undrained_minor` is what issues cost at most that no drain has priced yet.
    """

    balance: Decimal = Decimal(0)
    undrained_minor: int = 0
    leased_minor: int = 0


def left_of(contract: Contract, owed: Owed) -> int | None:
    """Return what is left in minor units: of the credit limit, or of what is paid in; or None."""
    scale = Decimal(10) ** exponent(contract.currency)
    if contract.credit_mode == CreditMode.PREPAID:
        return math.floor(-owed.balance * scale) - owed.undrained_minor
    if contract.credit_limit_minor is None:
        return None
    return contract.credit_limit_minor - round_whole(
        owed.balance * scale, Rounding.HALF_AWAY_FROM_ZERO
    )


def judge(contract: Contract, owed: Owed, *, prepaid_minor: int) -> Limit:
    """Return how the partner of `contract` stands, which is the version in force."""
    left = left_of(contract, owed)
    is_reached = left is not None and left <= 0
    mark = contract.low_water_minor
    scale = Decimal(10) ** exponent(contract.currency)
    is_prepaid = contract.credit_mode == CreditMode.PREPAID
    return Limit(
        partner_no=contract.partner_no,
        currency=contract.currency,
        blocked=is_reached and contract.credit_mode in _THROTTLED,
        is_reached=is_reached,
        is_low=left is not None and mark is not None and left < mark,
        exposure_minor=round_whole(owed.balance * scale, Rounding.HALF_AWAY_FROM_ZERO),
        prepaid_minor=prepaid_minor,
        spent_minor=prepaid_minor - left if is_prepaid and left is not None else 0,
        leased_minor=owed.leased_minor,
    )


def news(before: Limit | None, now: Limit) -> tuple[str, ...]:
    """Return the kinds of events that tell of what has changed: each crossing once."""
    was_low, was_reached = (before.is_low, before.is_reached) if before else (False, False)
    told = []
    if now.is_low and not was_low:
        told.append("credit.low_water")
    if now.is_reached and not was_reached:
        told.append("credit.limit_reached")
    if was_reached and not now.is_reached:
        told.append("credit.released")
    return tuple(told)
