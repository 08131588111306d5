"""What charges come to on a statement: grouped, rounded once, with what only a period's end tells.

A group is what is rounded together: one kind, VAT, contract version, currency and origin period of
a partner's period. Its line is the exact sum, rounded once, half away from zero, to the minor unit;
VAT is the rounded line times the rate, rounded the same way. Live and frozen statements are both
made here.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import pairwise

import msgspec

from coalition.federation.terms import Contract
from coalition.kernel.money import Rounding, exponent, round_whole
from partners.settlement.kinds import ChargeKind

NO_VAT = "none"
"""The VAT code of a kind that a contract names no VAT for."""

_PLACES = Decimal("0.000000000001")
_DIGITS = 60
_ISSUED = (ChargeKind.ISSUANCE, ChargeKind.PROMOTION)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Charges that are rounded together; `exact` and `booked_vat` in major units, as booked."""

    kind: ChargeKind
    contract_no: int
    currency: str
    vat_code: str
    vat_rate: Decimal
    origin_no: int
    points: int = 0
    charges: int = 0
    exact: Decimal = Decimal(0)
    booked_vat: Decimal = Decimal(0)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a statement; positive is what the partner pays.

    `exact` (major units) is what was rounded to `amount_minor`; `booked` and `booked_vat` are what
    the money book holds of it before the close.
    """

    no: int = 0
    kind: ChargeKind
    contract_no: int
    currency: str
    vat_code: str
    vat_rate: Decimal
    origin_no: int
    prior_period: bool
    points: int
    charges: int
    exact: Decimal
    booked: Decimal
    booked_vat: Decimal
    amount_minor: int
    vat_minor: int


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement comes to in one currency, with its control totals of points.

    `points_funded` are the points of its issuance and promotion lines, `points_redeemed` those of
    its redemption lines.
    """

    currency: str
    amount_minor: int
    vat_minor: int
    net_minor: int
    points_funded: int
    points_redeemed: int


class Fee(msgspec.Struct, frozen=True):
    """What the service fee of a contract version came to in its own period: its effective price."""

    points: int
    exact: Decimal


class FeeOf(msgspec.Struct, frozen=True):
    """Of which contract version, own period and currency a `Fee` is."""

    contract_no: int
    period_no: int
    currency: str


class Composed(msgspec.Struct, frozen=True):
    """The lines of a statement in their order, and its totals by currency.

    One without lines comes to nothing in the currency of the contract.
    """

    lines: tuple[Line, ...]
    totals: tuple[Total, ...]

    @property
    def fees(self) -> dict[FeeOf, Fee]:
        """Return the service fees of the period itself, by which later reversals are priced."""
        return {
            FeeOf(line.contract_no, line.origin_no, line.currency): Fee(line.points, line.exact)
            for line in self.lines
            if line.kind == ChargeKind.SERVICE_FEE and not line.prior_period
        }


def compose(
    groups: Iterable[Group],
    *,
    period_no: int,
    standing: Contract | None,
    versions: Mapping[int, Contract],
    earlier_fees: Mapping[FeeOf, Fee],
) -> Composed:
    """Return the statement of one partner's period.

    `standing` is the contract version in force when the period began: its fixed fee and its minimum
    hold (None: the operator, which pays neither). `versions` are all contract versions that charges
    name, by number; `earlier_fees` the service fees of closed periods, for versions with steps.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        context.rounding = ROUND_HALF_UP
        lines = [
            _line(group, _fee(group, period_no, versions, earlier_fees), period_no)
            for group in _merged(groups)
        ]
        lines += _fees_of_the_period(lines, period_no, standing)
    lines.sort(key=_order)
    numbered = tuple(msgspec.structs.replace(line, no=no) for no, line in enumerate(lines, 1))
    totals = totals_of(numbered)
    if not totals and standing is not None:
        totals = (_total(standing.currency, []),)
    return Composed(numbered, totals)


def totals_of(lines: Iterable[Line]) -> tuple[Total, ...]:
    """Return a total for each currency of `lines`, by currency."""
    by_currency: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_currency[line.currency].append(line)
    return tuple(_total(currency, held) for currency, held in sorted(by_currency.items()))


def vat_of(contract: Contract | None, kind: ChargeKind) -> tuple[str, Decimal]:
    """Return code and rate of the VAT that a contract version names for `kind`."""
    named = contract.vat.get(kind.name.lower()) if contract is not None else None
    return (NO_VAT, Decimal(0)) if named is None else (named.code, named.rate)


def stepped_fee(points: int, contract: Contract) -> Decimal:
    """Return the fee per point of `points` issued in a period: each step's fee for its own points.

    In major units, without a percent fee. Below the first step, and for fewer points than none, it
    is the list fee.
    """
    bounds = [0, *(step.from_points for step in contract.volume_steps)]
    fees = [
        contract.service_fee_per_point,
        *(step.fee_per_point for step in contract.volume_steps),
    ]
    if points <= 0:
        return points * fees[0]
    spans = [(low, high) for low, high in pairwise([*bounds, points])]
    return sum(
        (
            max(min(high, points) - low, 0) * fee
            for (low, high), fee in zip(spans, fees, strict=True)
        ),
        Decimal(0),
    )


def minor(exact: Decimal, currency: str) -> int:
    """Return major units as whole minor units, rounded half away from zero."""
    return round_whole(exact.scaleb(exponent(currency)), Rounding.HALF_AWAY_FROM_ZERO)


def major(amount_minor: int, currency: str) -> Decimal:
    """Return minor units as major units, exactly."""
    return Decimal(amount_minor).scaleb(-exponent(currency))


def _merged(groups: Iterable[Group]) -> list[Group]:
    """Add up what has all of a group in common, from drains and from hands."""
    merged: dict[tuple[object, ...], Group] = {}
    for group in groups:
        key = (*_identity(group), group.origin_no)
        held = merged.get(key)
        merged[key] = group if held is None else _sum(held, group)
    return list(merged.values())


def _sum(held: Group, group: Group) -> Group:
    return msgspec.structs.replace(
        held,
        points=held.points + group.points,
        charges=held.charges + group.charges,
        exact=held.exact + group.exact,
        booked_vat=held.booked_vat + group.booked_vat,
    )


def _identity(one: Group | Line) -> tuple[int, int, str, str, Decimal]:
    return one.kind, one.contract_no, one.currency, one.vat_code, one.vat_rate


def _fee(
    group: Group,
    period_no: int,
    versions: Mapping[int, Contract],
    earlier_fees: Mapping[FeeOf, Fee],
) -> Decimal:
    """Return what the charges of a group come to exactly, with volume steps where there are any."""
    contract = versions.get(group.contract_no)
    if group.kind != ChargeKind.SERVICE_FEE or contract is None or not contract.volume_steps:
        return group.exact
    if group.origin_no == period_no:
        by_list = group.points * contract.service_fee_per_point
        return group.exact + stepped_fee(group.points, contract) - by_list
    fee = earlier_fees.get(FeeOf(group.contract_no, group.origin_no, group.currency))
    if fee is None or fee.points == 0:
        return group.exact
    return (group.points * fee.exact / fee.points).quantize(_PLACES)


def _line(group: Group, exact: Decimal, period_no: int) -> Line:
    amount_minor = minor(exact, group.currency)
    return Line(
        kind=group.kind,
        contract_no=group.contract_no,
        currency=group.currency,
        vat_code=group.vat_code,
        vat_rate=group.vat_rate,
        origin_no=group.origin_no,
        prior_period=group.origin_no != period_no,
        points=group.points,
        charges=group.charges,
        exact=exact,
        booked=group.exact,
        booked_vat=group.booked_vat,
        amount_minor=amount_minor,
        vat_minor=round_whole(amount_minor * group.vat_rate, Rounding.HALF_AWAY_FROM_ZERO),
    )


def _fees_of_the_period(
    lines: Iterable[Line], period_no: int, standing: Contract | None
) -> list[Line]:
    """Return the fixed fee, and what is missing to the least that a period's fees come to."""
    if standing is None:
        return []
    fees_minor = standing.fixed_fee_minor + sum(
        line.amount_minor
        for line in lines
        if line.kind == ChargeKind.SERVICE_FEE
        and not line.prior_period
        and line.currency == standing.currency
    )
    wanted = {
        ChargeKind.MINIMUM: max(standing.minimum_fee_minor - fees_minor, 0),
        ChargeKind.FIXED: standing.fixed_fee_minor,
    }
    return [
        _unbooked_line(kind, amount_minor, period_no, standing)
        for kind, amount_minor in wanted.items()
        if amount_minor
    ]


def _unbooked_line(kind: ChargeKind, amount_minor: int, period_no: int, standing: Contract) -> Line:
    """Return a line that the close books whole: no charge stands behind it."""
    code, rate = vat_of(standing, kind)
    group = Group(
        kind=kind,
        contract_no=standing.no,
        currency=standing.currency,
        vat_code=code,
        vat_rate=rate,
        origin_no=period_no,
    )
    return _line(group, major(amount_minor, standing.currency), period_no)


def _order(line: Line) -> tuple[object, ...]:
    return (
        *(line.prior_period, line.kind, line.contract_no, line.currency),
        *(line.origin_no, line.vat_code, line.vat_rate),
    )


def _total(currency: str, lines: list[Line]) -> Total:
    amount_minor = sum(line.amount_minor for line in lines)
    vat_minor = sum(line.vat_minor for line in lines)
    return Total(
        currency=currency,
        amount_minor=amount_minor,
        vat_minor=vat_minor,
        net_minor=amount_minor + vat_minor,
        points_funded=sum(line.points for line in lines if line.kind in _ISSUED),
        points_redeemed=sum(line.points for line in lines if line.kind == ChargeKind.REDEMPTION),
    )
