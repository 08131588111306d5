"""A closed statement as a file, small enough to be worked out by hand."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from coalition.federation.terms import Contract, ExpiryRule, Vat, VolumeStep
from partners.settlement import digests, packed, statement_file
from partners.settlement.kinds import ChargeKind
from partners.settlement.rules import Line, Total
from partners.settlement.statement_file import (
    AdjustedByHand,
    DrainEnd,
    EarlierFee,
    End,
    FrozenLine,
    Head,
    Part,
    Told,
)

AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
CONTRACT = Contract(
    no=7,
    partner_no=3,
    version=1,
    valid_from=date(2026, 1, 1),
    timezone="Europe/Stockholm",
    currency="EUR",
    issue_price=Decimal("0.01"),
    redemption_price=Decimal("0.0085"),
    service_fee_per_point=Decimal("0.001"),
    volume_steps=(VolumeStep(from_points=1000, fee_per_point=Decimal("0.0005")),),
    fixed_fee_minor=500,
    minimum_fee_minor=1000,
    vat={"service_fee": Vat(code="S", rate=Decimal("0.25"))},
    prefunded_share=Decimal(1),
    expiry_rule=ExpiryRule.NEVER,
    signed_at=datetime(2025, 12, 1, tzinfo=UTC),
    prepared_by="",
    approved_by="",
)
DRAINS = [UUID(f"019aa000-0000-7000-8000-00000000000{no}") for no in (1, 2)]


def posting(no: int) -> UUID:
    """Return the id of a posting."""
    return UUID(f"019a9000-0000-7000-8000-{no:012}")


def part(
    drain: int, kind: str, unit_price: str, moves: Sequence[tuple[int, int]], origin_no: int = 11
) -> Part:
    """Return a part of a drain; `moves` are numbers of postings with their points."""
    has_vat = kind == "service_fee"
    return Part(
        drain=DRAINS[drain],
        kind=kind,
        contract_no=7,
        currency="EUR",
        unit_price=Decimal(unit_price),
        counts_points=True,
        vat_code="S" if has_vat else "none",
        vat_rate=Decimal("0.25") if has_vat else Decimal(0),
        origin_no=origin_no,
        charges=[(posting(no), points) for no, points in moves],
    )


PARTS = [
    part(0, "issuance", "0.01", [(1, 900), (2, 300)]),
    part(0, "service_fee", "0.001", [(1, 900), (2, 300)]),
    part(0, "redemption", "-0.0085", [(3, 333)]),
    part(1, "issuance", "0.01", [(4, -100)], origin_no=10),
    part(1, "service_fee", "0.001", [(4, -100)], origin_no=10),
]

# By hand: 12.00 for 1,200 points; −2.8305 for 333; fees 1,000 × 0.001 + 200 × 0.0005 = 1.10 with
# VAT 0.275; the period's fees of 1.10 + 5.00 lack 3.90 to the minimum. Of October −1.00 for −100
# points, whose fee then came to 0.0008 each. By hand 2.50 are given.
LINES = [
    ("issuance", "none", "0", 11, 1200, 2, "12", 1200, 0),
    ("redemption", "none", "0", 11, 333, 1, "-2.8305", -283, 0),
    ("service_fee", "S", "0.25", 11, 1200, 2, "1.1", 110, 28),
    ("adjustment", "none", "0", 11, 0, 1, "-2.5", -250, 0),
    ("minimum", "none", "0", 11, 0, 0, "3.9", 390, 0),
    ("fixed", "none", "0", 11, 0, 0, "5", 500, 0),
    ("issuance", "none", "0", 10, -100, 1, "-1", -100, 0),
    ("service_fee", "S", "0.25", 10, -100, 1, "-0.08", -8, -2),
]


def head(digest: str) -> Head:
    """Return the statement as it was frozen."""
    return Head(
        format=1,
        partner_no=3,
        partner_id=posting(33),
        period_no=11,
        period="2026-11",
        starts_at=datetime(2026, 10, 31, 23, tzinfo=UTC),
        ends_at=datetime(2026, 11, 30, 23, tzinfo=UTC),
        statement_id=posting(99),
        number=42,
        closed_at=AT,
        digest=digest,
        charges=8,
        standing=7,
        versions=[CONTRACT],
        earlier_fees=[EarlierFee(7, 10, "EUR", 5000, Decimal(4))],
        adjustments=[
            AdjustedByHand(posting(50), 7, "EUR", "none", Decimal(0), 11, -250, "a lost parcel")
        ],
        lines=[
            FrozenLine(
                no=no,
                kind=kind,
                contract_no=7,
                currency="EUR",
                vat_code=code,
                vat_rate=Decimal(rate),
                origin_no=origin,
                points=points,
                charges=charges,
                exact=Decimal(exact),
                amount_minor=amount,
                vat_minor=vat,
            )
            for no, (kind, code, rate, origin, points, charges, exact, amount, vat) in enumerate(
                LINES, 1
            )
        ],
        totals=[
            Total(
                currency="EUR",
                amount_minor=1559,
                vat_minor=26,
                net_minor=1585,
                points_funded=1100,
                points_redeemed=333,
            )
        ],
    )


def objects(parts: Iterable[Part] = PARTS) -> list[Told]:
    """Return the objects of the file but for its end, with digests that are right for `parts`."""
    drained: list[Told] = []
    chain = digests.chain_start(3, 11)
    for drain in DRAINS:
        forms = {_canonical(one): one for one in parts if one.drain == drain}
        digest = digests.digest(forms)
        chain = digests.chained(chain, digest)
        drained += [forms[form] for form in sorted(forms)]
        drained.append(DrainEnd(drain, digest.hex()))
    digest = digests.sealed(chain, map(_line, head("").lines))
    return [head(digest.hex()), *drained]


def _line(frozen: FrozenLine) -> Line:
    """Return a line with nothing but what is frozen of it."""
    told = msgspec.structs.asdict(frozen) | {"kind": ChargeKind[frozen.kind.upper()]}
    nothing = Decimal(0)
    return Line(**told, prior_period=frozen.origin_no < 11, booked=nothing, booked_vat=nothing)


def ended(objects_: Iterable[Told]) -> list[bytes]:
    """Return the lines of a file of these objects, with an end that is right for them."""
    lines = [statement_file.written(one) for one in objects_]
    return [*lines, statement_file.written(End(hashlib.sha256(b"".join(lines)).hexdigest()))]


def whole() -> list[bytes]:
    """Return the lines of the file."""
    return ended(objects())


def _canonical(one: Part) -> bytes:
    return statement_file.canonical(one, packed.pack(one.charges))
