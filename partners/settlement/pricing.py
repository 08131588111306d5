"""What moves of points cost and earn: pure, per point, exact to twelve places.

A move is what the postings of one drain have in common that no price can tell apart. Its prices are
per point, so that the amount of any of its postings is points x unit price. Signs: what a partner
pays is positive. The rules stand in docs/adr/0030 and 0032.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import IntEnum
from typing import NamedTuple

from coalition.federation.catalogue import Catalogue, beginning
from coalition.federation.terms import Contract, OnDefault
from coalition.kernel.money import exponent
from coalition.ledger.money import EXACT, PLACES, MoneyAccount
from partners.settlement.calendars import Period
from partners.settlement.kinds import OPERATOR, ChargeKind
from partners.settlement.rules import vat_of

_NO_VAT = "none", Decimal(0)
_HUNDRED = Decimal(100)


class Act(IntEnum):
    """What points did; a reversal does its original's act with the sign turned."""

    ISSUE = 1
    REDEEM = 2
    EXPIRE = 4
    ADJUST = 5
    CONVERT = 6
    RECOVER = 8
    BENEFIT = 11
    COMPENSATE = 12
    """No posting, but money that a funder owes a partner: a minor unit stands for a point."""


class Move(NamedTuple):
    """Postings of one drain that no price can tell apart, and how many points they move.

    `points` are positive for points given (issued, adjusted, converted into) and for points taken
    as payment, expired or recovered; a reversal has them negative. `span` is when it is booked,
    `origin_span` when what is reversed was. `moves` is twenty bytes for each posting in the order
    of ids: sixteen of its id, four of its points (signed, big endian).
    """

    act: int
    partner_no: int
    span: int
    origin_span: int
    issuer_no: int
    contract_no: int
    funder_no: int
    issue_price: Decimal
    prefunded_share: Decimal
    accepter_no: int | None
    """Of a recovery: who is paid, and at which price of which contract version."""
    accept_contract_no: int | None
    accept_price: Decimal | None
    postings: int
    points: int
    moves: bytes


class Charge(NamedTuple):
    """What a partner pays (positive) or receives per point of a move."""

    partner_no: int
    period_no: int
    """The period of its partner in which it falls; it may be sealed already."""
    origin_no: int
    kind: ChargeKind
    contract_no: int
    currency: str
    vat_code: str
    vat_rate: Decimal
    unit_price: Decimal
    counts_points: bool
    """Whether its points are shown; of points paid in two parts only one part shows them."""


class Side(NamedTuple):
    """What a money account is debited per point of a move."""

    account: MoneyAccount
    partner_no: int
    currency: str
    unit: Decimal


class Priced(NamedTuple):
    """The charges of a move, without VAT, and the sides of the money book, which sum to zero."""

    charges: tuple[Charge, ...]
    sides: tuple[Side, ...]


def exact(amount: Decimal) -> Decimal:
    """Round to twelve places, half away from zero: the exactness of the money book."""
    return amount.quantize(PLACES, rounding=ROUND_HALF_UP)


class PriceBook:
    """Everything that prices depend on, by span: contracts, rates and periods as of one moment.

    Spans are the spans of time between `boundaries`, at which any of them may change.
    """

    def __init__(self, catalogue: Catalogue, periods: Mapping[int, Sequence[Period]]) -> None:
        """Index what was read."""
        self.catalogue = catalogue
        self.periods = periods
        self._starts = {no: [one.starts_at for one in held] for no, held in periods.items()}
        self._ends = {no: held[-1].ends_at for no, held in periods.items() if held}
        starts = {start for held in self._starts.values() for start in held}
        starts |= set(self._ends.values())
        starts |= {counts_from(contract) for contract in catalogue.contracts}
        starts |= {rate.valid_from.astimezone(UTC) for rate in catalogue.money_rates}
        starts |= {default.begins_at.astimezone(UTC) for default in catalogue.defaults}
        self.boundaries: tuple[datetime, ...] = tuple(sorted(starts))
        self._period_nos: dict[tuple[int, int], int] = {}

    def instant(self, span: int) -> datetime:
        """Return the beginning of a span; the first boundary for what came before it."""
        return self.boundaries[max(span - 1, 0)]

    def period_no(self, partner_no: int, span: int) -> int:
        """Return the number of the partner's period that a span lies in; 1 before the first."""
        found = self._period_nos.get((partner_no, span))
        if found is None:
            instant = self.instant(span)
            # Rather nothing is booked than in a period that is over: see `periods.ensure`.
            assert instant < self._ends[partner_no], (
                f"no period of partner {partner_no} at {instant}"
            )
            found = max(1, bisect_right(self._starts[partner_no], instant))
            self._period_nos[partner_no, span] = found
        return found

    def contract_at(self, partner_no: int, span: int) -> Contract:
        """Return the version in force in a span; the partner's first one before that begins."""
        versions = self.catalogue.contracts_of(partner_no)
        instant = self.instant(span)
        begun = (version for version in reversed(versions) if counts_from(version) <= instant)
        return next(begun, versions[0])

    def payer(self, funder_no: int, span: int) -> int:
        """Return who pays in a span for a funder's points that are spent.

        For one in default whose points are honoured it is the operator.
        """
        honoured = self.catalogue.default_at(funder_no, self.instant(span)) is OnDefault.HONOUR
        return OPERATOR if honoured else funder_no


def counts_from(contract: Contract) -> datetime:
    """Return since when charges have the prices of a contract version.

    A later version may be signed on the day on which it begins. What had happened by then may have
    been drained and returned already, so it keeps the prices of before.
    """
    begins = beginning(contract)
    return begins if contract.version == 1 else max(begins, contract.signed_at.astimezone(UTC))


def price(move: Move, book: PriceBook) -> Priced:
    """Return what `move` costs and earns per point."""
    with localcontext(EXACT):
        charges, sides = _PRICES[Act(move.act)](move, book)
    return Priced(tuple(charges), tuple(side for side in sides if side.unit))


def _issue(move: Move, book: PriceBook) -> tuple[list[Charge], list[Side]]:
    contract = book.catalogue.contract(move.contract_no)
    charges, sides = _pay_in(move, book, _share_kind(move))
    fee = exact(
        contract.service_fee_per_point + contract.service_fee_percent / _HUNDRED * move.issue_price
    )
    if fee or contract.volume_steps:
        charges.append(_charge(move, book, ChargeKind.SERVICE_FEE, contract, fee))
        sides.append(Side(MoneyAccount.PARTNER, move.issuer_no, contract.currency, fee))
        sides.append(Side(MoneyAccount.FEE, OPERATOR, contract.currency, -fee))
    return charges, sides


def _adjust(move: Move, book: PriceBook) -> tuple[list[Charge], list[Side]]:
    return _pay_in(move, book, ChargeKind.ADJUSTMENT)


def _benefit(move: Move, book: PriceBook) -> tuple[list[Charge], list[Side]]:
    """Let who pays for a member's benefit pay as for a promotion; nobody sold, so no fee is due."""
    return _pay_in(move, book, ChargeKind.PROMOTION)


def _compensate(move: Move, book: PriceBook) -> tuple[list[Charge], list[Side]]:
    """Let a partner be paid, by who promised it, what it let a member have, per minor unit."""
    contract = book.contract_at(move.partner_no, move.origin_span)
    unit = Decimal(1).scaleb(-exponent(contract.currency))
    received = _charge(move, book, ChargeKind.PROMOTION, contract, -unit)
    by_funder = move._replace(contract_no=contract.no, issuer_no=contract.partner_no)
    paid = _charge_of_funder(by_funder, book, ChargeKind.PROMOTION, unit, counts_points=False)
    return [received._replace(counts_points=False), paid], [
        _side_of(contract.partner_no, contract.currency, -unit),
        _side_of(move.funder_no, contract.currency, unit),
    ]


def _pay_in(move: Move, book: PriceBook, kind: ChargeKind) -> tuple[list[Charge], list[Side]]:
    """Let the funder pay the prefunded share into the fund."""
    paid = prefunded(move)
    if not paid:
        return [], []
    currency = book.catalogue.contract(move.contract_no).currency
    charge = _charge_of_funder(move, book, kind, paid, counts_points=True)
    return [charge], [
        _side_of(move.funder_no, currency, paid),
        Side(MoneyAccount.FUND, OPERATOR, currency, -paid),
    ]


def _redeem(move: Move, book: PriceBook) -> tuple[list[Charge], list[Side]]:
    accepts = book.contract_at(move.partner_no, move.origin_span)
    taken = accepts.redemption_price
    charge = _charge(move, book, ChargeKind.REDEMPTION, accepts, -taken)
    return _pay_out(move, book, charge)


def _recover(move: Move, book: PriceBook) -> tuple[list[Charge], list[Side]]:
    """As a redemption taken by whoever had paid for the reversed points, at their issue price."""
    assert move.accepter_no is not None, "a recovery names who is paid"
    assert move.accept_contract_no is not None, "a recovery names a contract version"
    assert move.accept_price is not None, "a recovery names a price"
    if move.accept_contract_no == OPERATOR:
        return [], []  # points that the operator gave for nothing
    issued = book.catalogue.contract(move.accept_contract_no)
    kind, taken = ChargeKind.REDEMPTION, move.accept_price
    if move.accepter_no == OPERATOR:
        return _pay_out(move, book, _charge_of_operator(move, book, kind, issued.currency, -taken))
    own = move.accepter_no == issued.partner_no
    contract = issued if own else book.contract_at(move.accepter_no, move.origin_span)
    charge = _charge(move, book, kind, contract, -taken)
    return _pay_out(move, book, charge._replace(currency=issued.currency))


def _pay_out(move: Move, book: PriceBook, receives: Charge) -> tuple[list[Charge], list[Side]]:
    """Let the accepter receive its price, from fund and funder; the operator has the difference."""
    accepter_no, taken_in, taken = receives.partner_no, receives.currency, -receives.unit_price
    charges = [receives] if taken else []
    sides = [_side_of(accepter_no, taken_in, -taken)]
    if move.contract_no == OPERATOR:
        # Points that the operator gave without a contract: nobody paid in, so the operator pays.
        if taken:
            charges.append(_charge_of_operator(move, book, ChargeKind.PROMOTION, taken_in, taken))
        return charges, [*sides, _side_of(OPERATOR, taken_in, taken)]
    currency = book.catalogue.contract(move.contract_no).currency
    paid_in = prefunded(move)
    rest = move.issue_price - paid_in
    if rest:
        payer_no = book.payer(move.funder_no, move.origin_span)
        by_whom = move._replace(funder_no=payer_no)
        charges.append(
            _charge_of_funder(by_whom, book, _share_kind(by_whom), rest, counts_points=not paid_in)
        )
        sides.append(_side_of(payer_no, currency, rest))
    worth, from_fund = _worth(move, book, taken_in, currency, taken)
    if currency != taken_in:
        sides.append(Side(MoneyAccount.EXCHANGE, OPERATOR, taken_in, taken))
        sides.append(Side(MoneyAccount.EXCHANGE, OPERATOR, currency, -worth))
    sides.append(Side(MoneyAccount.FUND, OPERATOR, currency, from_fund))
    sides.append(Side(MoneyAccount.MARGIN, OPERATOR, currency, worth - rest - from_fund))
    return charges, sides


def _worth(
    move: Move, book: PriceBook, taken_in: str, currency: str, taken: Decimal
) -> tuple[Decimal, Decimal]:
    """Return what the accepter's price is in the currency of the lot, and the fund's part of it.

    Without an agreed rate the points themselves are the measure: what they were issued at.
    """
    if currency != taken_in:
        rate = book.catalogue.money_rate_at(taken_in, currency, book.instant(move.origin_span))
        if rate is None:
            return move.issue_price, prefunded(move)
        taken = exact(taken * rate)
    return taken, exact(move.prefunded_share * taken)


def _expire(move: Move, book: PriceBook) -> tuple[list[Charge], list[Side]]:
    """Release what was paid into the fund: a share to the funder, the rest to the operator."""
    released = prefunded(move)
    if not released:
        return [], []
    currency = book.catalogue.contract(move.contract_no).currency
    back = Decimal(0)
    if move.funder_no != OPERATOR:
        back = exact(_contract_of_funder(move, book).breakage_share * released)
    charges = []
    if back:
        charges.append(
            _charge_of_funder(move, book, ChargeKind.BREAKAGE, -back, counts_points=True)
        )
    return charges, [
        Side(MoneyAccount.FUND, OPERATOR, currency, released),
        _side_of(move.funder_no, currency, -back),
        Side(MoneyAccount.BREAKAGE, OPERATOR, currency, back - released),
    ]


def _convert(move: Move, book: PriceBook) -> tuple[list[Charge], list[Side]]:
    """Move what was paid in; the value is kept, so both halves come to nothing but rounding."""
    paid = prefunded(move)
    if not paid:
        return [], []
    currency = book.catalogue.contract(move.contract_no).currency
    return [], [
        Side(MoneyAccount.MARGIN, OPERATOR, currency, paid),
        Side(MoneyAccount.FUND, OPERATOR, currency, -paid),
    ]


_PRICES = {
    Act.ISSUE: _issue,
    Act.REDEEM: _redeem,
    Act.EXPIRE: _expire,
    Act.ADJUST: _adjust,
    Act.CONVERT: _convert,
    Act.RECOVER: _recover,
    Act.BENEFIT: _benefit,
    Act.COMPENSATE: _compensate,
}


def prefunded(move: Move) -> Decimal:
    """Return what was paid per point into the fund when the points were given."""
    return exact(move.prefunded_share * move.issue_price)


def _share_kind(move: Move) -> ChargeKind:
    own = move.funder_no == move.issuer_no
    return ChargeKind.ISSUANCE if own else ChargeKind.PROMOTION


def _contract_of_funder(move: Move, book: PriceBook) -> Contract:
    if move.funder_no == move.issuer_no:
        return book.catalogue.contract(move.contract_no)
    return book.contract_at(move.funder_no, move.origin_span)


def _charge_of_funder(
    move: Move, book: PriceBook, kind: ChargeKind, unit: Decimal, *, counts_points: bool
) -> Charge:
    currency = book.catalogue.contract(move.contract_no).currency
    if move.funder_no == OPERATOR:
        return _charge_of_operator(move, book, kind, currency, unit, counts_points=counts_points)
    contract = _contract_of_funder(move, book)
    charge = _charge(move, book, kind, contract, unit)
    return charge._replace(currency=currency, counts_points=counts_points)


def _charge_of_operator(
    move: Move,
    book: PriceBook,
    kind: ChargeKind,
    currency: str,
    unit: Decimal,
    *,
    counts_points: bool = True,
) -> Charge:
    periods = book.period_no(OPERATOR, move.span), book.period_no(OPERATOR, move.origin_span)
    return Charge(OPERATOR, *periods, kind, OPERATOR, currency, *_NO_VAT, unit, counts_points)


def _charge(
    move: Move, book: PriceBook, kind: ChargeKind, contract: Contract, unit: Decimal
) -> Charge:
    """Return a charge to the partner whose contract version it is."""
    return Charge(
        contract.partner_no,
        book.period_no(contract.partner_no, move.span),
        book.period_no(contract.partner_no, move.origin_span),
        kind,
        contract.no,
        contract.currency,
        *vat_of(contract, kind),
        unit,
        counts_points=True,
    )


def _side_of(partner_no: int, currency: str, unit: Decimal) -> Side:
    account = MoneyAccount.PROMOTION if partner_no == OPERATOR else MoneyAccount.PARTNER
    return Side(account, partner_no, currency, unit)
