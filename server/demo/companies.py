"""The five companies of the demo: invented names, and the terms each has agreed on."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from coalition.federation.terms import (
    Calendar,
    ContractTerms,
    CreditMode,
    Mode,
    RefundOrder,
    Vat,
    VolumeStep,
)
from coalition.points.bonuses.documents import (
    AppliesTo,
    FundingPart,
    Multiplier,
    RuleDocument,
    Weekday,
)
from server.founding import Earning

COALITION: Final = "Five Corners"
TIMEZONE: Final = "America/New_York"
CURRENCY: Final = "USD"
"""The purchases are in US dollars, so the coalition settles in them."""
PREPARES: Final = "staff:fiona"
APPROVES: Final = "staff:arthur"
"""The two persons of the operator who sign what takes two."""


@dataclass(frozen=True)
class Company:
    """A company: what it is strong in decides which stores of the data set are its own."""

    name: str
    trade: str
    departments: frozenset[str]
    terms: ContractTerms
    earns: Earning


_FEE_VAT: Final = {
    kind: Vat(code="services", rate=Decimal("0.06")) for kind in ("service_fee", "fixed", "minimum")
}


def _terms(issue_price: str, redemption_price: str, months: int, **more: Any) -> ContractTerms:
    # Any: a term of whatever type.
    agreed: dict[str, Any] = {"service_fee_per_point": Decimal("0.0005"), "vat": _FEE_VAT} | more
    return ContractTerms(
        currency=CURRENCY,
        issue_price=Decimal(issue_price),
        redemption_price=Decimal(redemption_price),
        expiry_months=months,
        **agreed,
    )


GROCER: Final = Company(
    name="Hearthside Grocers",
    trade="groceries",
    departments=frozenset(),
    terms=_terms(
        "0.0120",
        "0.0100",
        12,
        # The more it issues in a month, the less each further point costs.
        volume_steps=(
            VolumeStep(from_points=10_000, fee_per_point=Decimal("0.0004")),
            VolumeStep(from_points=50_000, fee_per_point=Decimal("0.0003")),
        ),
        credit_mode=CreditMode.WARN,
        credit_limit_minor=5_000_000,
    ),
    earns=Earning(1, Decimal(1)),
)
"""Whose goods are those that no other company names."""

COMPANIES: Final = (
    GROCER,
    Company(
        name="Milestone Fuel & Shop",
        trade="fuel",
        departments=frozenset({"FUEL", "MISCELLANEOUS", "AUTOMOTIVE"}),
        # Fuel earns points that are spent elsewhere: it issues only.
        terms=_terms(
            "0.0110",
            "0.0100",
            6,
            mode=Mode.ISSUER_ON_REDEMPTION,
            accepts=False,
            calendar=Calendar.HALF_MONTHLY,
            service_fee_per_point=Decimal(0),
            service_fee_percent=Decimal(4),
        ),
        earns=Earning(1, Decimal(1)),
    ),
    Company(
        name="Larkspur Drugstores",
        trade="drugstore",
        departments=frozenset({"DRUG GM", "COSMETICS", "NUTRITION", "PHOTO & VIDEO"}),
        terms=_terms(
            "0.0125",
            "0.0095",
            9,
            mode=Mode.HYBRID,
            prefunded_share=Decimal("0.5"),
            breakage_share=Decimal("0.25"),
            fixed_fee_minor=2_500,
        ),
        earns=Earning(2, Decimal(1)),
    ),
    Company(
        name="Orchard & Tide Market",
        trade="fresh food",
        departments=frozenset({"MEAT", "SEAFOOD", "PRODUCE", "FLORAL", "GARDEN CENTER"}),
        terms=_terms(
            "0.0120",
            "0.0100",
            24,
            refund_order=RefundOrder.PROPORTIONAL,
            calendar=Calendar.WEEKLY,
            cut_off_grace_hours=24,
        ),
        earns=Earning(3, Decimal(2)),
    ),
    Company(
        name="Copper Kettle Kitchen",
        trade="bakery and deli",
        departments=frozenset(
            {"DELI", "PASTRY", "SALAD BAR", "RESTAURANT", "CHEF SHOPPE", "SPIRITS"}
        ),
        # Whose fees come to little, so there is a least that they come to.
        terms=_terms("0.0115", "0.0090", 8, minimum_fee_minor=2_000),
        earns=Earning(1, Decimal(1)),
    ),
)
"""In this order they are founded; a history names them by their position."""

PROMOTION: Final = RuleDocument(
    code="saturday-bakes",
    name="Double points on Saturdays",
    effect=Multiplier(factor="2"),
    applies_to=AppliesTo(partners=("Copper Kettle Kitchen",), weekdays=(Weekday.SAT,)),
    funding=(
        FundingPart(funder="issuer", share="0.5"),
        FundingPart(funder=GROCER.name, share="0.3"),
        FundingPart(funder="operator", share="0.2"),
    ),
)
"""A campaign of the bakery that others help to pay for; the split is kept with the points."""
