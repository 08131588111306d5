"""What every posting costs and earns whom, one posting at a time, with fractions.

The rules are those of the table "From posting to money": who funded points pays the prefunded share
of their issue price when they are given and the rest when they are spent; the accepter receives its
redemption price; the fund, the operator's margin and the exchange account take what is between.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from tests.properties.settlement.facts import (
    DIGITS,
    OPERATOR,
    Contract,
    Facts,
    Kind,
    Lot,
    Posting,
    places,
)

PARTNER, FUND, FEE, MARGIN, VAT, EXCHANGE, ROUNDING, BREAKAGE, PROMOTION = range(1, 10)
"""Accounts of the money book, as the database numbers them."""

ADJUSTED = 12

KINDS = {
    "issuance": 1,
    "redemption": 2,
    "service_fee": 3,
    "promotion": 4,
    "adjustment": 5,
    "minimum": 6,
    "fixed": 7,
    "breakage": 8,
}

FirstOpen = Callable[[Posting, int], int]
"""The first period that is still open of a partner when a posting is drained."""


class Key(NamedTuple):
    """What charges have in common that are rounded together."""

    partner: int
    period: int
    kind: str
    contract: int
    currency: str
    vat_code: str
    vat_rate: Fraction
    origin: int


class Line(NamedTuple):
    """The sum of such charges, and of the VAT that is booked beside them."""

    points: int
    exact: Fraction
    vat: Fraction

    def plus(self, points: int, exact: Fraction, vat: Fraction) -> "Line":
        """Return the sum with something more."""
        return Line(self.points + points, self.exact + exact, self.vat + vat)


NOTHING = Line(0, Fraction(0), Fraction(0))


class Account(NamedTuple):
    """An account of the money book in one currency."""

    account: int
    partner: int
    currency: str


class Books(NamedTuple):
    """What all postings come to, and with what was adjusted by hand."""

    lines: dict[Key, Line]
    accounts: dict[Account, Fraction]
    settled: dict[Key, Line]
    adjusted: dict[Account, Fraction]


class _Price(NamedTuple):
    """What one point costs somebody."""

    partner: int
    kind: str
    contract: Contract | None
    currency: str
    unit: Fraction
    is_shown: bool = True


class _Offer(NamedTuple):
    """Who takes points as payment, by which contract version and at which price."""

    accepter: int
    contract: Contract
    price: Fraction


_Unit = tuple[int, int, str, Fraction]
"""Account, partner, currency and what one point debits it."""

_Effect = tuple[list[_Price], list[_Unit]]


def replay(facts: Facts, first_open: FirstOpen) -> Books:
    """Return lines before rounding, and the balances of the money book before any close."""
    lines: dict[Key, Line] = {}
    accounts: dict[Account, Fraction] = defaultdict(Fraction)
    for posting in facts.postings.values():
        original = facts.postings[posting.reverses] if posting.reverses else posting
        for lot, points in posting.legs:
            moved = points * _sign(posting)
            prices, units = _effect(facts, posting, original, lot)
            for price in prices:
                key = _key(facts, posting, original, price, first_open)
                vat = places(price.unit * key.vat_rate, 12)
                shown = moved if price.is_shown else 0
                line = lines.get(key, NOTHING)
                lines[key] = line.plus(shown, moved * price.unit, moved * vat)
                who = PROMOTION if price.partner == OPERATOR else PARTNER
                accounts[Account(who, price.partner, price.currency)] += moved * (price.unit + vat)
                accounts[Account(VAT, OPERATOR, price.currency)] -= moved * vat
            for account, partner, currency, unit in units:
                accounts[Account(account, partner, currency)] += moved * unit
    return Books(lines, without_zeros(accounts), *_by_hand(facts, lines))


def without_zeros(accounts: Mapping[Account, Fraction]) -> dict[Account, Fraction]:
    """Return the accounts on which there is anything."""
    return {key: amount for key, amount in accounts.items() if amount}


def _by_hand(
    facts: Facts, lines: dict[Key, Line]
) -> tuple[dict[Key, Line], dict[Account, Fraction]]:
    """Return `lines` with what was adjusted by hand, and what that books."""
    settled = dict(lines)
    accounts: dict[Account, Fraction] = defaultdict(Fraction)
    for made in facts.by_hand:
        amount = Fraction(made.amount_minor, 10 ** DIGITS[made.currency])
        vat = places(amount * made.vat_rate, 12)
        key = Key(
            made.partner,
            made.period,
            "adjustment",
            made.contract,
            made.currency,
            made.vat_code,
            made.vat_rate,
            made.origin,
        )
        settled[key] = settled.get(key, NOTHING).plus(0, amount, vat)
        accounts[Account(PARTNER, made.partner, made.currency)] += amount + vat
        accounts[Account(ADJUSTED, OPERATOR, made.currency)] -= amount
        accounts[Account(VAT, OPERATOR, made.currency)] -= vat
    return settled, without_zeros(accounts)


def _sign(posting: Posting) -> int:
    """Return whether a posting's points count for or against what it does or reverses."""
    match posting.kind:
        case Kind.REVERSAL:
            return -1
        case Kind.ADJUSTMENT | Kind.CONVERSION | Kind.FEE:
            return posting.direction
        case _:
            return 1


def _effect(facts: Facts, posting: Posting, original: Posting, lot: Lot) -> _Effect:
    """Return what a point of a lot costs, at the prices of when it was first moved."""
    when = original.occurred_at
    found: _Effect
    match original.kind:
        case Kind.ISSUE:
            found = _issued(facts, lot, when)
        case Kind.REDEEM:
            accepts = facts.contract_at(original.partner, when)
            offer = _Offer(accepts.partner, accepts, accepts.redemption_price)
            found = _taken(facts, lot, when, offer)
        case Kind.RECOVERY:
            found = _recovered(facts, posting, lot, when)
        case Kind.EXPIRE:
            found = _expired(facts, lot, when)
        case Kind.ADJUSTMENT | Kind.FEE:
            found = _given(facts, lot, when, "adjustment")
        case Kind.CONVERSION:
            found = _converted(facts, lot)
        case other:
            assert other in {Kind.MERGE, Kind.TRANSFER}, "a reversal is not reversed"
            found = [], []
    return found


def _paid_in(lot: Lot) -> Fraction:
    return places(lot.share * lot.price, 12)


def _given(facts: Facts, lot: Lot, when: datetime, kind: str) -> _Effect:
    """Let the funder pay the prefunded share of each point into the fund."""
    unit = _paid_in(lot)
    if not unit:
        return [], []
    currency = facts.contracts[lot.contract].currency
    price = _Price(lot.funder, kind, _contract_of_funder(facts, lot, when), currency, unit)
    return [price], [(FUND, OPERATOR, currency, -unit)]


def _issued(facts: Facts, lot: Lot, when: datetime) -> _Effect:
    """Do the same, and let the issuing partner pay its fee on every point, whoever funds it."""
    prices, units = _given(facts, lot, when, _kind_of_funding(lot))
    issuer = facts.contracts[lot.contract]
    fee = places(issuer.fee_per_point + issuer.fee_percent / 100 * lot.price, 12)
    if fee or issuer.steps:
        prices.append(_Price(lot.issuer, "service_fee", issuer, issuer.currency, fee))
        units.append((FEE, OPERATOR, issuer.currency, -fee))
    return prices, units


def _taken(facts: Facts, lot: Lot, when: datetime, offer: _Offer) -> _Effect:
    """Let the accepter receive its price a point; fund and funder pay it, the rest is margin."""
    accepter, accepts, taken = offer
    is_operator = accepter == OPERATOR
    own = accepts if accepts.partner == accepter else None
    if own is None and not is_operator:
        own = facts.contract_at(accepter, when)
    prices = [_Price(accepter, "redemption", own, accepts.currency, -taken)] if taken else []
    if lot.contract == OPERATOR:
        # Given by the operator without a contract: nothing was paid in, so the operator pays all.
        if taken:
            prices.append(_Price(OPERATOR, "promotion", None, accepts.currency, taken))
        return prices, []
    currency = facts.contracts[lot.contract].currency
    paid_in = _paid_in(lot)
    rest = lot.price - paid_in
    if rest:
        funder = _contract_of_funder(facts, lot, when)
        payer, kind = lot.funder, _kind_of_funding(lot)
        if facts.is_honoured(lot.funder, when):
            payer, kind, funder = OPERATOR, "promotion", None
        # Of points that are paid in two parts only the first shows them.
        prices.append(_Price(payer, kind, funder, currency, rest, is_shown=not paid_in))
    worth, from_fund, units = taken, places(lot.share * taken, 12), []
    if accepts.currency != currency:
        rate = facts.rate(accepts.currency, currency, when)
        worth = lot.price if rate is None else places(taken * rate, 12)
        from_fund = paid_in if rate is None else places(lot.share * worth, 12)
        units = [
            (EXCHANGE, OPERATOR, accepts.currency, taken),
            (EXCHANGE, OPERATOR, currency, -worth),
        ]
    units.append((FUND, OPERATOR, currency, from_fund))
    units.append((MARGIN, OPERATOR, currency, worth - rest - from_fund))
    return prices, units


def _recovered(facts: Facts, posting: Posting, lot: Lot, when: datetime) -> _Effect:
    """As a redemption at whoever had paid for the reversed points, at what it had paid."""
    rows = facts.owed[posting.id]
    funders = {row.funder for row in rows}
    accepter = funders.pop() if len(funders) == 1 else rows[0].issuer
    if rows[0].contract == OPERATOR:
        return [], []
    offer = _Offer(accepter, facts.contracts[rows[0].contract], rows[0].price)
    return _taken(facts, lot, when, offer)


def _expired(facts: Facts, lot: Lot, when: datetime) -> _Effect:
    """Let the fund release what was paid in: a share to the funder, the rest to the operator."""
    unit = _paid_in(lot)
    if not unit:
        return [], []
    currency = facts.contracts[lot.contract].currency
    funder = _contract_of_funder(facts, lot, when)
    back = places(funder.breakage_share * unit, 12) if funder else Fraction(0)
    prices = [_Price(lot.funder, "breakage", funder, currency, -back)] if back else []
    return prices, [
        (FUND, OPERATOR, currency, unit),
        (BREAKAGE, OPERATOR, currency, back - unit),
    ]


def _converted(facts: Facts, lot: Lot) -> _Effect:
    """Keep the value; what rounding a share makes of it is the operator's."""
    unit = _paid_in(lot)
    if not unit:
        return [], []
    currency = facts.contracts[lot.contract].currency
    return [], [(MARGIN, OPERATOR, currency, unit), (FUND, OPERATOR, currency, -unit)]


def _kind_of_funding(lot: Lot) -> str:
    return "issuance" if lot.funder == lot.issuer else "promotion"


def _contract_of_funder(facts: Facts, lot: Lot, when: datetime) -> Contract | None:
    if lot.funder == OPERATOR:
        return None
    if lot.funder == lot.issuer:
        return facts.contracts[lot.contract]
    return facts.contract_at(lot.funder, when)


def _key(
    facts: Facts, posting: Posting, original: Posting, price: _Price, first_open: FirstOpen
) -> Key:
    """Return where a charge is settled: in its own period, or the first that is still open."""
    origin = facts.period_of(price.partner, original.occurred_at)
    own = facts.period_of(price.partner, posting.occurred_at)
    # A reversal may be dated before what it reverses; nothing is settled before it happened.
    period = max(own, origin, first_open(posting, price.partner))
    code, rate = ("none", Fraction(0))
    if price.contract is not None:
        code, rate = price.contract.vat.get(price.kind, (code, rate))
    no = price.contract.no if price.contract else OPERATOR
    return Key(price.partner, period, price.kind, no, price.currency, code, rate, origin)
