"""The five companies of the demo: invented names, and the terms each has agreed on."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from coalition.federation.terms import ContractTerms, Mode, RefundOrder
from server.founding import Earning

COALITION: Final = "Five Corners"
TIMEZONE: Final = "America/New_York"
CURRENCY: Final = "USD"
"""The purchases are in US dollars, so the coalition settles in them."""


@dataclass(frozen=True)
class Company:
    """A company: what it is strong in decides which stores of the data set are its own."""

    name: str
    trade: str
    departments: frozenset[str]
    terms: ContractTerms
    earns: Earning


def _terms(
    issue_price: str,
    redemption_price: str,
    months: int,
    mode: Mode = Mode.OPERATOR_FUND,
    *,
    share: str | None = None,
    accepts: bool = True,
    refund_order: RefundOrder = RefundOrder.REVERSE,
) -> ContractTerms:
    return ContractTerms(
        currency=CURRENCY,
        issue_price=Decimal(issue_price),
        redemption_price=Decimal(redemption_price),
        service_fee_per_point=Decimal("0.0005"),
        accepts=accepts,
        mode=mode,
        prefunded_share=Decimal(share) if share else None,
        expiry_months=months,
        refund_order=refund_order,
    )


GROCER: Final = Company(
    name="Hearthside Grocers",
    trade="groceries",
    departments=frozenset(),
    terms=_terms("0.0120", "0.0100", 12),
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
        terms=_terms("0.0110", "0.0100", 6, Mode.ISSUER_ON_REDEMPTION, accepts=False),
        earns=Earning(1, Decimal(1)),
    ),
    Company(
        name="Larkspur Drugstores",
        trade="drugstore",
        departments=frozenset({"DRUG GM", "COSMETICS", "NUTRITION", "PHOTO & VIDEO"}),
        terms=_terms("0.0125", "0.0095", 9, Mode.HYBRID, share="0.5"),
        earns=Earning(2, Decimal(1)),
    ),
    Company(
        name="Orchard & Tide Market",
        trade="fresh food",
        departments=frozenset({"MEAT", "SEAFOOD", "PRODUCE", "FLORAL", "GARDEN CENTER"}),
        terms=_terms("0.0120", "0.0100", 24, refund_order=RefundOrder.PROPORTIONAL),
        earns=Earning(3, Decimal(2)),
    ),
    Company(
        name="Copper Kettle Kitchen",
        trade="bakery and deli",
        departments=frozenset(
            {"DELI", "PASTRY", "SALAD BAR", "RESTAURANT", "CHEF SHOPPE", "SPIRITS"}
        ),
        terms=_terms("0.0115", "0.0090", 8),
        earns=Earning(1, Decimal(1)),
    ),
)
"""In this order they are founded; a history names them by their position."""
