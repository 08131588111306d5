"""The fund proof: what was paid in for points is what the unspent ones are worth, and the margin.

Per currency, in one snapshot and exactly:

    fund + queued = liability + unreleased_margin

- `fund` is the credit balance of the fund's account in the money book, as the drains wrote it.
- `queued` is what the postings that wait for a drain will add to it, priced now.
- `liability` is what was paid in for every point that is unspent now: unspent points of each lot x
  issue price x prefunded share. It is read from the counters of the lots, not from the book.
- `unreleased_margin` is what the fund keeps of points that were spent for less than was paid in for
  them: points x prefunded share x (issue price - redemption price), over every redemption ever
  posted. It is the operator's in the end, and may be negative. It is made from the postings anew.

The three come from three places, so a difference names a fault. Beside it stands where the money
is; the book sums to zero, so that

    cash + receivables - payables = fund + own

with `own` the credit balance of all other accounts: fees, released margin, VAT to be handed on,
breakage, reserve, rounding, adjustments, exchange, less what the operator pays for promotions.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from coalition.kernel.database import transaction
from coalition.kernel.ids import SHARDS
from coalition.ledger import money
from coalition.ledger.money import Balance, MoneyAccount
from partners.settlement import draining, feed, periods
from partners.settlement.kinds import OPERATOR
from partners.settlement.pricing import Act, Move, PriceBook, prefunded, price

_SNAPSHOT = {
    "transaction_isolation": "repeatable read",
    "transaction_read_only": "on",
    "statement_timeout": "600s",
}
"""Every lot and posting is read, so this may take as long as an audit."""

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=366)

_LIABILITY = """
SELECT contract.currency,
       sum((points_in - points_out) * round(lot.prefunded_share * lot.issue_price, 12))
FROM (
    SELECT contract_no, prefunded_share, issue_price, points_in, points_out FROM lot
    UNION ALL
    SELECT contract_no, prefunded_share, issue_price, points_in, points_out FROM lot_history
) AS lot
JOIN contract ON contract.no = lot.contract_no
GROUP BY contract.currency
"""

_SPENT = frozenset({Act.REDEEM, Act.RECOVER})

Sums = Mapping[str, Decimal]
"""Money in major units, by currency."""


class FundProof(msgspec.Struct, frozen=True, kw_only=True):
    """The proof of one currency: exact amounts in major units; `difference` is always 0."""

    currency: str
    fund: Decimal
    queued: Decimal
    liability: Decimal
    unreleased_margin: Decimal
    cash: Decimal
    receivables: Decimal
    payables: Decimal
    own: Decimal

    @property
    def difference(self) -> Decimal:
        """What the fund has more than it should have."""
        return self.fund + self.queued - self.liability - self.unreleased_margin


async def prove(at: datetime) -> list[FundProof]:
    """Return the proof of every currency of the book, as of now; slow: it reads every posting."""
    await periods.ensure(at)
    async with transaction(feed.PLANS | _SNAPSHOT) as connection:
        book = await draining.read_book(connection)
        waiting = await feed.queued(connection, list(range(SHARDS)))
        queued = fund_flows(await feed.moves_of(connection, waiting, book), book)
        posted = await feed.moves_between(connection, _BEGINNING, at + _AHEAD, book)
        liability = dict(await connection.fetch(_LIABILITY))
        balances = await money.trial_balance(connection)
    margin = unreleased_margin(posted, book)
    currencies = sorted({one.currency for one in balances} | liability.keys() | queued.keys())
    return [
        FundProof(
            currency=currency,
            queued=queued.get(currency, Decimal(0)),
            liability=liability.get(currency, Decimal(0)),
            unreleased_margin=margin.get(currency, Decimal(0)),
            **sides_of(one for one in balances if one.currency == currency),
        )
        for currency in currencies
    ]


def sides_of(balances: Iterable[Balance]) -> dict[str, Decimal]:
    """Return `fund`, `cash`, `receivables`, `payables` and `own` of the balances of a currency."""
    sides = {name: Decimal(0) for name in ("fund", "cash", "receivables", "payables", "own")}
    for account, _, _, amount in balances:
        if account == MoneyAccount.PARTNER:
            sides["receivables"] += max(amount, Decimal(0))
            sides["payables"] += max(-amount, Decimal(0))
        elif account == MoneyAccount.CASH:
            sides["cash"] += amount
        elif account == MoneyAccount.FUND:
            sides["fund"] -= amount
        else:
            sides["own"] -= amount
    return sides


def fund_flows(moves: Iterable[Move], book: PriceBook) -> Sums:
    """Return what `moves` add to the fund."""
    flows: dict[str, Decimal] = defaultdict(Decimal)
    for move in moves:
        for currency, unit in _into_fund(move, book).items():
            flows[currency] += unit * move.points
    return flows


def unreleased_margin(moves: Iterable[Move], book: PriceBook) -> Sums:
    """Return what was paid in for the points that `moves` spent, less what the fund paid out."""
    margin: dict[str, Decimal] = defaultdict(Decimal)
    for move in moves:
        if move.act in _SPENT and move.contract_no != OPERATOR:
            currency = book.catalogue.contract(move.contract_no).currency
            paid_out = -_into_fund(move, book).get(currency, Decimal(0))
            margin[currency] += (prefunded(move) - paid_out) * move.points
    return margin


def _into_fund(move: Move, book: PriceBook) -> Sums:
    """Return what a point of `move` adds to the fund."""
    units: dict[str, Decimal] = defaultdict(Decimal)
    for side in price(move, book).sides:
        if side.account == MoneyAccount.FUND:
            units[side.currency] -= side.unit
    return units
