"""From exact sums to what a statement says: fees of a whole period, each line rounded once.

The statement of a period has a line for each group of charges; a fee of a contract version with
volume steps is known at the end only, and a fixed and a minimum fee belong to the period as such.
"""

from collections import defaultdict
from fractions import Fraction
from typing import NamedTuple

from tests.properties.settlement.facts import DIGITS, OPERATOR, Contract, Facts, places
from tests.properties.settlement.replay import (
    FEE,
    NOTHING,
    PARTNER,
    PROMOTION,
    ROUNDING,
    VAT,
    Account,
    Key,
    Line,
)


class Rounded(NamedTuple):
    """A line of a statement, in minor units."""

    points: int
    exact: Fraction
    """In major units, before rounding."""
    amount_minor: int
    vat_minor: int


def minor(amount: Fraction, currency: str) -> int:
    """Round an amount in major units to whole minor units, half away from zero."""
    return int(places(amount * 10 ** DIGITS[currency], 0))


def composed(facts: Facts, lines: dict[Key, Line], partner: int, period: int) -> dict[Key, Rounded]:
    """Return what the statement of a partner's period says, of all lines before rounding."""
    found = {
        key: _rounded(key, line.points, _stepped(facts, key, line, lines))
        for key, line in lines.items()
        if (key.partner, key.period) == (partner, period)
    }
    if partner != OPERATOR:
        for key, amount in _of_the_period(facts, partner, period, found):
            found[key] = _rounded(key, 0, amount)
    return found


def _stepped(facts: Facts, key: Key, line: Line, lines: dict[Key, Line]) -> Fraction:
    """Return the exact amount of a line; of a fee with steps by all points of its period."""
    if key.kind != "service_fee" or not facts.contracts[key.contract].steps:
        return line.exact
    contract = facts.contracts[key.contract]
    if key.origin == key.period:
        return _with_steps(contract, line)
    # What comes later is charged and credited at what a point of that period had cost.
    original = lines.get(key._replace(period=key.origin))
    if original is None or not original.points:
        return line.exact
    return places(_with_steps(contract, original) / original.points * line.points, 12)


def _with_steps(contract: Contract, line: Line) -> Fraction:
    beyond = line.exact - contract.fee_per_point * line.points
    return beyond + _marginal(contract, line.points)


def _marginal(contract: Contract, points: int) -> Fraction:
    """Return the fee on so many points: each slice of them at its own price."""
    ladder = [(0, contract.fee_per_point), *sorted(contract.steps)]
    ends = [begin for begin, _ in ladder[1:]] + [max(points, ladder[-1][0])]
    return sum(
        (
            max(min(points, end) - begin, 0) * price
            for (begin, price), end in zip(ladder, ends, strict=True)
        ),
        Fraction(0),
    )


def _of_the_period(
    facts: Facts, partner: int, period: int, found: dict[Key, Rounded]
) -> list[tuple[Key, Fraction]]:
    """Return the fixed fee, and what is missing to the minimum, by the version it began with."""
    begins = facts.periods[partner][period - 1].starts_at
    contract = [one for one in facts.contracts_of(partner) if one.begins <= begins][-1]
    unit = Fraction(1, 10 ** DIGITS[contract.currency])
    fees = sum(
        row.amount_minor
        for key, row in found.items()
        if (key.kind, key.origin, key.currency) == ("service_fee", period, contract.currency)
    )
    missing = max(contract.minimum_minor - fees - contract.fixed_minor, 0)
    amounts = {"fixed": contract.fixed_minor, "minimum": missing}
    made = []
    for kind, amount in amounts.items():
        if amount:
            code, rate = contract.vat.get(kind, ("none", Fraction(0)))
            key = Key(partner, period, kind, contract.no, contract.currency, code, rate, period)
            made.append((key, amount * unit))
    return made


def _rounded(key: Key, points: int, exact: Fraction) -> Rounded:
    amount = minor(exact, key.currency)
    vat = int(places(amount * key.vat_rate, 0))
    return Rounded(points, exact, amount, vat)


def closing(lines: dict[Key, Line], frozen: dict[Key, Rounded]) -> dict[Account, Fraction]:
    """Return what the close of a statement books: all that its lines say and no drain had booked.

    Fees that are known at the end are the operator's; what whole minor units differ from exact
    amounts is rounding. VAT is owed as it stands on the statement.
    """
    accounts: dict[Account, Fraction] = defaultdict(Fraction)
    for key, row in frozen.items():
        unit = Fraction(1, 10 ** DIGITS[key.currency])
        before = lines.get(key, NOTHING)
        who = PROMOTION if key.partner == OPERATOR else PARTNER
        sides = {
            Account(who, key.partner, key.currency): (row.amount_minor + row.vat_minor) * unit
            - before.exact
            - before.vat,
            Account(FEE, OPERATOR, key.currency): before.exact - row.exact,
            Account(VAT, OPERATOR, key.currency): before.vat - row.vat_minor * unit,
            Account(ROUNDING, OPERATOR, key.currency): row.exact - row.amount_minor * unit,
        }
        for account, amount in sides.items():
            accounts[account] += amount
    return accounts
