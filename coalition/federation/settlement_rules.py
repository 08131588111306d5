"""What makes the terms of settlement valid: fees, VAT, credit, payment; pure, like `rules`."""

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Final

from coalition.federation.terms import (
    VAT_KINDS,
    ContractTerms,
    CreditMode,
    Vat,
    VolumeStep,
)
from coalition.kernel.money import AMOUNT_MINOR_MAX

PRICE_PLACES: Final = Decimal("0.000000001")
PRICE_LIMIT: Final = Decimal(10**9)
SHARE_PLACES: Final = Decimal("0.000001")
PERCENT_MAX: Final = 100
PAYMENT_DAYS_MAX: Final = 366
GRACE_HOURS_MAX: Final = 744
STEPS_MOST: Final = 100
STEP_POINTS_MAX: Final = 10**15

_VAT_CODE = re.compile(r"[A-Za-z0-9._-]{1,32}")
_MINOR: Final = ("fixed_fee_minor", "minimum_fee_minor", "low_water_minor")
_LIMITED: Final = frozenset({CreditMode.WARN, CreditMode.BLOCK})


def is_held_by(value: Decimal, *, places: Decimal, limit: Decimal) -> bool:
    """Tell whether `value` is 0 ≤ value < limit and loses nothing at these decimal places."""
    return (
        value.is_finite()
        and 0 <= value < limit
        and value.quantize(places, rounding=ROUND_HALF_EVEN) == value
    )


def settled(terms: ContractTerms) -> dict[str, object]:
    """Return the terms of settlement at the places they are written with, by field."""
    return {
        "service_fee_percent": terms.service_fee_percent.quantize(SHARE_PLACES),
        "breakage_share": terms.breakage_share.quantize(SHARE_PLACES),
        "volume_steps": tuple(
            VolumeStep(
                from_points=step.from_points,
                fee_per_point=step.fee_per_point.quantize(PRICE_PLACES),
            )
            for step in terms.volume_steps
        ),
        "vat": {
            kind: Vat(code=terms.vat[kind].code, rate=terms.vat[kind].rate.quantize(SHARE_PLACES))
            for kind in VAT_KINDS
            if kind in terms.vat
        },
    }


def problems(terms: ContractTerms) -> Iterator[tuple[str, str]]:
    """Find what is wrong with the terms of settlement: the pointer, and what would be right."""
    if not _is_up_to(terms.service_fee_percent, Decimal(PERCENT_MAX)):
        yield (
            "service_fee_percent",
            f"service_fee_percent is 0 to {PERCENT_MAX}, with at most six decimals",
        )
    if not _is_up_to(terms.breakage_share, Decimal(1)):
        yield "breakage_share", "breakage_share is 0 to 1, with at most six decimals"
    for field in _MINOR:
        if not 0 <= (getattr(terms, field) or 0) <= AMOUNT_MINOR_MAX:
            yield field, f"{field} is 0 to {AMOUNT_MINOR_MAX} minor units"
    if not 0 <= terms.payment_days <= PAYMENT_DAYS_MAX:
        yield "payment_days", f"payment_days is 0 to {PAYMENT_DAYS_MAX}"
    if not 0 <= terms.cut_off_grace_hours <= GRACE_HOURS_MAX:
        yield "cut_off_grace_hours", f"cut_off_grace_hours is 0 to {GRACE_HOURS_MAX}"
    yield from _step_problems(terms.volume_steps)
    yield from _vat_problems(terms.vat)
    yield from _credit_problems(terms)


def _step_problems(steps: tuple[VolumeStep, ...]) -> Iterator[tuple[str, str]]:
    if len(steps) > STEPS_MOST:
        yield "volume_steps", f"there are at most {STEPS_MOST} volume_steps"
    for position, step in enumerate(steps):
        if not 1 <= step.from_points <= STEP_POINTS_MAX:
            pointer = f"volume_steps/{position}/from_points"
            yield pointer, f"a volume step is from 1 to {STEP_POINTS_MAX} points"
        if not is_held_by(step.fee_per_point, places=PRICE_PLACES, limit=PRICE_LIMIT):
            pointer = f"volume_steps/{position}/fee_per_point"
            yield pointer, f"fee_per_point is at least 0, below {PRICE_LIMIT}, to nine decimals"
    if any(one.from_points >= next_one.from_points for one, next_one in pairwise(steps)):
        yield "volume_steps", "volume_steps ascend by from_points, each named once"


def _vat_problems(vat: dict[str, Vat]) -> Iterator[tuple[str, str]]:
    for kind, one in vat.items():
        if kind not in VAT_KINDS:
            yield f"vat/{kind}", f"VAT stands beside one of {', '.join(VAT_KINDS)}"
        if not _VAT_CODE.fullmatch(one.code) or one.code == "none":
            yield (
                f"vat/{kind}/code",
                "a VAT code has 1 to 32 letters, digits, ., _ or -, and is not 'none'",
            )
        if not is_held_by(one.rate, places=SHARE_PLACES, limit=Decimal(1)):
            yield (
                f"vat/{kind}/rate",
                "a VAT rate is at least 0 and below 1 (0.25 is 25 percent), to six decimals",
            )


def _credit_problems(terms: ContractTerms) -> Iterator[tuple[str, str]]:
    limit, field = terms.credit_limit_minor, "credit_limit_minor"
    if terms.credit_mode in _LIMITED:
        if limit is None or not 0 <= limit <= AMOUNT_MINOR_MAX:
            yield field, f"{terms.credit_mode} asks for a {field} of 0 to {AMOUNT_MINOR_MAX}"
    elif limit is not None:
        yield field, f"a {field} goes with the credit_mode warn or block; leave it out"
    if terms.low_water_minor is not None and terms.credit_mode == CreditMode.NONE:
        yield (
            "low_water_minor",
            "low_water_minor goes with the credit_mode warn, block or prepaid; leave it out",
        )


def _is_up_to(value: Decimal, most: Decimal) -> bool:
    return value == most or is_held_by(value, places=SHARE_PLACES, limit=most)
