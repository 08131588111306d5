"""Random histories: what a coalition agrees on, and what happens in it, as plain values.

An act says what to do by numbers alone; the world reads them modulo what there is.
"""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from hypothesis import strategies as st

from coalition.federation.terms import (
    Calendar,
    ContractTerms,
    ExpiryRule,
    Mode,
    ReversalPolicy,
    Vat,
    VolumeStep,
)

PARTNERS = 4
MEMBERS = 3
ZONES = ("Europe/Stockholm", "America/New_York", "Pacific/Auckland", "Asia/Kolkata")

_PRICES = ("0.01", "0.0105", "0.008765432", "0.123456789", "0", "0.0333")
_VATS: tuple[dict[str, Vat], ...] = (
    {},
    {"service_fee": Vat(rate=Decimal("0.25"))},
    {
        "service_fee": Vat(code="reduced", rate=Decimal("0.06")),
        "redemption": Vat(rate=Decimal("0.125")),
        "issuance": Vat(rate=Decimal("0.25")),
        "minimum": Vat(rate=Decimal("0.25")),
        "fixed": Vat(code="reduced", rate=Decimal("0.06")),
        "breakage": Vat(rate=Decimal("0.21")),
        "promotion": Vat(rate=Decimal("0.077")),
    },
)
_STEPS = (
    (),
    (),
    (VolumeStep(from_points=100, fee_per_point=Decimal("0.0007")),),
    (
        VolumeStep(from_points=50, fee_per_point=Decimal("0.0009")),
        VolumeStep(from_points=500, fee_per_point=Decimal("0.000333333")),
    ),
)


def _decimals(*texts: str) -> st.SearchStrategy[Decimal]:
    return st.sampled_from([Decimal(text) for text in texts])


@st.composite
def terms(draw: st.DrawFn) -> ContractTerms:
    """Draw the terms of a contract."""
    mode = draw(st.sampled_from(Mode))
    shares = ["0.3", "0.333333", "0.5", "0.999999"]
    rule = draw(st.sampled_from([None, ExpiryRule.END_OF_MONTH, *[ExpiryRule.MONTHS] * 3]))
    return ContractTerms(
        currency=draw(st.sampled_from(["EUR", "EUR", "SEK", "JPY"])),
        issue_price=draw(_decimals(*_PRICES)),
        redemption_price=draw(_decimals("0.0085", "0.01", "0.099999999", "0", "0.0333")),
        service_fee_per_point=draw(_decimals("0", "0.0008", "0.001", "0.000123457")),
        service_fee_percent=draw(_decimals("0", "0", "2.5", "0.333333")),
        mode=mode,
        prefunded_share=Decimal(draw(st.sampled_from(shares))) if mode is Mode.HYBRID else None,
        expiry_rule=rule,
        expiry_months=1 if rule else None,
        reversal_policy=draw(st.sampled_from([ReversalPolicy.DEBT, *[ReversalPolicy.RECOVER] * 2])),
        recover_percent=draw(st.sampled_from([50, 100])),
        calendar=draw(st.sampled_from(Calendar)),
        cut_off_grace_hours=draw(st.sampled_from([0, 0, 5, 40])),
        fixed_fee_minor=draw(st.sampled_from([0, 0, 100, 4999])),
        minimum_fee_minor=draw(st.sampled_from([0, 0, 50, 10_000])),
        volume_steps=draw(st.sampled_from(_STEPS)),
        vat=draw(st.sampled_from(_VATS)),
        breakage_share=draw(_decimals("0", "0.5", "0.333333", "1")),
    )


class Act(NamedTuple):
    """Something that happens; the numbers say what about."""

    what: str
    a: int
    b: int
    points: int
    back: timedelta


_ACTS = (
    *("issue",) * 6,
    *("split",) * 3,
    *("redeem",) * 7,
    *("reverse",) * 4,
    *("part",) * 2,
    *("batch",) * 2,
    *("regret",) * 2,
    *("hours", "days", "days", "days", "weeks", "weeks"),
    *("send", "send", "undo"),
    *("together",) * 4,
    *("shared",) * 3,
    *("bring",) * 2,
    *("adjust", "take", "convert", "recover", "expire", "expire", "merge"),
    *("drain",) * 3,
    *("drain_some",) * 2,
    *("seal", "seal_due", "seal_due", "close", "close", "close", "by_hand"),
    *("rate", "rate", "version", "default", "default"),
)

acts = st.builds(
    Act,
    what=st.sampled_from(_ACTS),
    a=st.integers(0, 50),
    b=st.integers(0, 50),
    points=st.sampled_from([1, 2, 3, 7, 33, 100, 100, 250, 999]),
    back=st.sampled_from(
        [
            *[timedelta(0)] * 4,
            *(timedelta(minutes=minutes) for minutes in (-4, 7)),
            *(timedelta(hours=hours) for hours in (3, 30)),
            *(timedelta(days=days) for days in (3, 20, 45, 399)),
        ]
    ),
)
histories = st.lists(acts, min_size=40, max_size=80)
coalitions = st.lists(
    st.tuples(terms(), st.sampled_from(ZONES)), min_size=PARTNERS, max_size=PARTNERS
)
spare_terms = st.lists(terms(), min_size=3, max_size=3)
