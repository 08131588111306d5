"""A closed statement as a file that needs nothing else to be verified.

NDJSON, an object a line: first the statement as it was frozen (`Head`), then the charges of each
drain, a tariff and block a line (`Part`), each drain followed by its digest (`DrainEnd`), at last a
digest over all bytes before (`End`). Parts come in the order in which they are digested.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from coalition.federation.terms import Contract
from partners.settlement import digests
from partners.settlement.kinds import ChargeKind
from partners.settlement.pricing import Charge
from partners.settlement.rules import Line, Total

FORMAT = 1
_Hex = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Points = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
_Moves = list[tuple[UUID, _Points]]


NDJSON = "application/x-ndjson"
"""The media type of the file."""


class FrozenLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line as it was frozen; positive is what the partner pays."""

    no: int
    kind: str
    contract_no: int
    currency: str
    vat_code: str
    vat_rate: Decimal
    origin_no: int
    points: int
    charges: int
    exact: Decimal
    amount_minor: int
    vat_minor: int


class EarlierFee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the service fee of an earlier period came to: reversals are credited at its price."""

    contract_no: int
    period_no: int
    currency: str
    points: int
    exact: Decimal


class AdjustedByHand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An adjustment of money that two persons made; no posting of points stands behind it."""

    id: UUID
    contract_no: int
    currency: str
    vat_code: str
    vat_rate: Decimal
    origin_no: int
    amount_minor: int
    reason: str


class Head(
    msgspec.Struct, frozen=True, tag_field="object", tag="statement", forbid_unknown_fields=True
):
    """A statement as it was frozen, and what it was made of beside its charges."""

    format: int
    partner_no: int
    partner_id: UUID | None
    period_no: int
    period: str
    starts_at: datetime
    ends_at: datetime
    statement_id: UUID
    number: int
    closed_at: datetime
    digest: _Hex
    charges: int
    standing: int | None
    """The contract version that held when the period began; null is the operator's own."""
    versions: list[Contract]
    earlier_fees: list[EarlierFee]
    adjustments: list[AdjustedByHand]
    lines: list[FrozenLine]
    totals: list[Total]


class Part(
    msgspec.Struct, frozen=True, tag_field="object", tag="charges", forbid_unknown_fields=True
):
    """Postings with their points that one drain charged alike, in the order of their ids."""

    drain: UUID
    kind: str
    contract_no: int
    currency: str
    unit_price: Decimal
    counts_points: bool
    vat_code: str
    vat_rate: Decimal
    origin_no: int
    charges: _Moves


class DrainEnd(
    msgspec.Struct, frozen=True, tag_field="object", tag="drain", forbid_unknown_fields=True
):
    """The digest over the parts of a drain, which come before it."""

    drain: UUID
    digest: _Hex


class End(msgspec.Struct, frozen=True, tag_field="object", tag="end", forbid_unknown_fields=True):
    """SHA-256 over all bytes of the file before this line."""

    sha256: _Hex


Told = Head | Part | DrainEnd | End

KINDS = {kind.name.lower(): kind for kind in ChargeKind}
"""Kinds of charges by their names in a file."""

_READ = msgspec.json.Decoder(Told)
_WRITE = msgspec.json.Encoder(decimal_format="string")


def read(line: bytes) -> Told:
    """Return the object of one line. Raises `msgspec.DecodeError` where there is none."""
    told: Told = _READ.decode(line)
    return told


def written(told: Told) -> bytes:
    """Return one object as a line of the file, with its end."""
    return _WRITE.encode(told) + b"\n"


def canonical(part: Part, moves: bytes) -> bytes:
    """Return what of a part goes into the digest of its drain."""
    charge = Charge(
        partner_no=0,  # neither partner nor period are in the form: they begin the chain
        period_no=0,
        origin_no=part.origin_no,
        kind=KINDS[part.kind],
        contract_no=part.contract_no,
        currency=part.currency,
        vat_code=part.vat_code,
        vat_rate=part.vat_rate,
        unit_price=part.unit_price,
        counts_points=part.counts_points,
    )
    return digests.part(charge, origin_no=part.origin_no, postings=len(part.charges), moves=moves)


def frozen_line(line: Line) -> FrozenLine:
    """Return a line as a file tells it."""
    return FrozenLine(
        no=line.no,
        kind=line.kind.name.lower(),
        contract_no=line.contract_no,
        currency=line.currency,
        vat_code=line.vat_code,
        vat_rate=line.vat_rate,
        origin_no=line.origin_no,
        points=line.points,
        charges=line.charges,
        exact=line.exact,
        amount_minor=line.amount_minor,
        vat_minor=line.vat_minor,
    )
