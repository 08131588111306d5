"""What finance says and hears over HTTP: how partners, periods and money are written."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import UnknownPartner
from coalition.kernel.identity import OPERATOR
from coalition.kernel.money import AMOUNT_MINOR_MAX
from coalition.kernel.web.fields import Body, CurrencyCode, ShortText
from coalition.ledger.money import PLACES
from coalition.oversight.approvals import Approval

READ, PREPARE, APPROVE = "settlement:read", "settlement:prepare", "settlement:approve"
"""The scopes of finance."""

TAGS = ("finance",)

OPERATORS_NAME = "operator"
"""How the operator is written where a partner's id would stand."""

_HEX = "[0-9a-fA-F]"
_ID = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"

PartnerText = Annotated[
    str,
    Meta(
        pattern=rf"^({OPERATORS_NAME}|{_ID})(?![\s\S])",
        description=f"A `partner_id`, or `{OPERATORS_NAME}`",
        examples=[OPERATORS_NAME],
    ),
]
PeriodName = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-([0-9]{2}(-H[12]|-[0-9]{2})?|W[0-9]{2})(?![\s\S])",
        max_length=10,
        description="`2026-10`, `2026-10-H1`, `2026-W41` or `2026-10-02`",
        examples=["2026-10"],
    ),
]
PlaceText = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,11}\.[0-9]{1,9}(?![\s\S])",
        description="The `next_cursor` of the page before",
    ),
]
ChargeCursor = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-f]{32}\.[0-9]{1,9}\.[0-9a-f]{32}\.[0-9]{1,9}(?![\s\S])",
        description="The `next_cursor` of the page before",
    ),
]
"""A `drilldown.Place` as text."""
ReasonText = Annotated[
    ShortText,
    Meta(
        description="Why, for the second person and the audit log",
        examples=["agreed by phone on 3 November"],
    ),
]
ExactText = Annotated[
    str, Meta(description="Money in major units, to twelve decimals", examples=["12.300000000000"])
]

RateText = Annotated[str, Meta(description="A rate or share: 0.25 is 25 %", examples=["0.25"])]


class SignedMoney(Body, frozen=True):
    """Money that the partner pays (positive) or receives (negative)."""

    amount_minor: Annotated[
        int,
        Meta(
            ge=-AMOUNT_MINOR_MAX,
            le=AMOUNT_MINOR_MAX,
            description="Whole minor units; positive is what the partner pays",
            examples=[-2500],
        ),
    ]
    currency: CurrencyCode


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What one person prepared; `proposal` says what will be done when a second approves it."""

    approval_id: UUID
    kind: str
    proposal: dict[str, Any]  # Any: a JSON object of the kind's own
    prepared_by: str
    prepared_at: datetime
    expires_at: datetime


class Named(msgspec.Struct, frozen=True):
    """A partner, or the operator with null as its id."""

    partner_id: UUID | None
    partner: str


def number_of(known: Catalogue, written: str) -> int:
    """Return the number of a partner, or of the operator. Raises `UnknownPartner`."""
    if written == OPERATORS_NAME:
        return OPERATOR
    wanted = UUID(written)
    for partner in known.partners:
        if partner.id == wanted:
            return partner.no
    raise UnknownPartner


def number_if_given(known: Catalogue, written: str | None) -> int | None:
    """Return the number of a partner that may be left out."""
    return None if written is None else number_of(known, written)


def named(known: Catalogue, partner_no: int) -> Named:
    """Return how a partner, or the operator, is told."""
    if partner_no == OPERATOR:
        return Named(None, OPERATORS_NAME)
    partner = known.partner(partner_no)
    return Named(partner.id, partner.name)


def prepared_view(known: Catalogue, approval: Approval) -> Prepared:
    """Return what waits for its second person, with partners by id and name."""
    return Prepared(
        approval_id=approval.id,
        kind=approval.kind,
        proposal=_told(known, msgspec.json.decode(approval.payload)),
        prepared_by=approval.prepared_by,
        prepared_at=approval.prepared_at,
        expires_at=approval.expires_at,
    )


_NUMBERED = frozenset({"partner_no", "defaulter_no", "creditor_no"})


def _told(known: Catalogue, part: Any) -> Any:  # Any: a JSON value
    """Return part of a proposal with the ids of partners in place of their numbers."""
    if isinstance(part, list):
        return [_told(known, one) for one in part]
    if not isinstance(part, dict):
        return part
    told: dict[str, Any] = {}
    for name, value in part.items():
        if name in _NUMBERED:
            role, who = name.removesuffix("_no"), named(known, value)
            told |= {f"{role}_id": who.partner_id, role: who.partner}
        else:
            told[name] = _told(known, value)
    return told


def version_of(known: Catalogue, contract_no: int) -> int | None:
    """Return the version that a contract number means to its partner; None without a contract."""
    return None if contract_no == OPERATOR else known.contract(contract_no).version


def exact_text(amount: Decimal) -> str:
    """Return an exact amount with all its twelve decimals."""
    return f"{amount.quantize(PLACES) + 0:f}"


def rate_text(rate: Decimal) -> str:
    """Return a rate or a share without needless zeros."""
    return f"{rate.normalize() + 0:f}"
