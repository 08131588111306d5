"""What the replay may know: the rows of postings, legs, lots, debts, contracts, rates, periods.

Nothing that settlement has computed is read here, and nothing of its code is imported.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from datetime import UTC, date, datetime
from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from coalition.kernel.database import Connection

OPERATOR = 0


class Kind(IntEnum):
    """What a posting does, as the database numbers it."""

    ISSUE = 1
    REDEEM = 2
    REVERSAL = 3
    EXPIRE = 4
    ADJUSTMENT = 5
    CONVERSION = 6
    MERGE = 7
    RECOVERY = 8
    TRANSFER = 9
    FEE = 10


class Lot(NamedTuple):
    """Where points come from."""

    issuer: int
    contract: int
    funder: int
    price: Fraction
    share: Fraction


class Posting(NamedTuple):
    """A posting with its legs: the lot whose price holds, and points."""

    id: UUID
    kind: Kind
    partner: int
    occurred_at: datetime
    committed_at: datetime
    direction: int
    reverses: UUID | None
    legs: tuple[tuple[Lot, int], ...]


class Owed(NamedTuple):
    """What a recovery pays for: the leg of a reversed issue."""

    issuer: int
    contract: int
    funder: int
    price: Fraction


class Contract(NamedTuple):
    """A contract version."""

    no: int
    partner: int
    begins: datetime
    counts_from: datetime
    """Since when charges have its prices: never before it was signed, but for the first."""
    currency: str
    redemption_price: Fraction
    fee_per_point: Fraction
    fee_percent: Fraction
    fixed_minor: int
    minimum_minor: int
    steps: tuple[tuple[int, Fraction], ...]
    vat: dict[str, tuple[str, Fraction]]
    breakage_share: Fraction


class ByHand(NamedTuple):
    """Money that two of the staff decided on, in minor units."""

    partner: int
    period: int
    origin: int
    contract: int
    currency: str
    vat_code: str
    vat_rate: Fraction
    amount_minor: int


class Said(NamedTuple):
    """That a partner is in default from an instant on, with what becomes of its points; or not."""

    partner: int
    begins: datetime
    on_default: str | None


class Period(NamedTuple):
    """A settlement period of a partner."""

    no: int
    starts_at: datetime
    ends_at: datetime


class Facts(NamedTuple):
    """Everything the replay reads."""

    postings: dict[UUID, Posting]
    owed: dict[UUID, list[Owed]]
    """By recovery."""
    contracts: dict[int, Contract]
    rates: dict[tuple[str, str], list[tuple[datetime, Fraction]]]
    periods: dict[int, list[Period]]
    by_hand: list[ByHand]
    defaults: list[Said]

    def contract_at(self, partner: int, instant: datetime) -> Contract:
        """Return the version by whose prices a partner is charged at an instant."""
        versions = self.contracts_of(partner)
        begun = [version for version in versions if version.counts_from <= instant]
        return begun[-1] if begun else versions[0]

    def contracts_of(self, partner: int) -> list[Contract]:
        """Return the versions of a partner's contract in the order in which they begin."""
        mine = [contract for contract in self.contracts.values() if contract.partner == partner]
        return sorted(mine, key=lambda contract: (contract.begins, contract.no))

    def is_honoured(self, partner: int, instant: datetime) -> bool:
        """Tell whether the operator pays for the points of a partner that is in default."""
        said = [one for one in self.defaults if one.partner == partner and one.begins <= instant]
        return bool(said) and said[-1].on_default == "honour"

    def period_of(self, partner: int, instant: datetime) -> int:
        """Return the number of the period an instant lies in; the first for whatever is before."""
        starts = [period.starts_at for period in self.periods[partner]]
        return max(bisect_right(starts, instant), 1)

    def rate(self, source: str, target: str, instant: datetime) -> Fraction | None:
        """Return what one unit of `source` is worth in `target`; None when no rate holds."""
        held = [rate for begins, rate in self.rates[source, target] if begins <= instant]
        if held:
            return held[-1]
        other = [rate for begins, rate in self.rates[target, source] if begins <= instant]
        return places(1 / other[-1], 12) if other else None


def places(amount: Fraction, digits: int) -> Fraction:
    """Round half away from zero to so many decimals."""
    scaled = abs(amount) * 10**digits
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    if 2 * rest >= scaled.denominator:
        whole += 1
    return Fraction(whole if amount >= 0 else -whole, 10**digits)


DIGITS = {"EUR": 2, "SEK": 2, "NOK": 2, "JPY": 0, "KWD": 3}
"""How many decimals the minor units of currencies have (ISO 4217)."""

_BY_HAND = """
SELECT partner_no, period_no, origin_no, contract_no, currency, vat_code, vat_rate, amount_minor
FROM settlement_adjustment
"""

_LOTS = """
SELECT bucket, id, issuer_no, contract_no, funder_no, issue_price, prefunded_share FROM lot
UNION
SELECT bucket, id, issuer_no, contract_no, funder_no, issue_price, prefunded_share FROM lot_history
"""


async def read(connection: Connection) -> Facts:
    """Read all of it."""
    lots = {
        (row[0], row[1]): Lot(*row[2:5], *map(Fraction, row[5:]))
        for row in await connection.fetch(_LOTS)
    }
    legs: dict[UUID, list[tuple[Lot, int]]] = defaultdict(list)
    for row in await connection.fetch(
        "SELECT bucket, posting, coalesce(origin_lot, lot) AS lot, points FROM leg"
        " ORDER BY posting, no"
    ):
        legs[row["posting"]].append((lots[row["bucket"], row["lot"]], row["points"]))
    postings = {}
    for row in await connection.fetch("SELECT * FROM posting ORDER BY committed_at, id"):
        own = legs[row["id"]] or [(lots[row["bucket"], row["lot"]], row["points"])]
        postings[row["id"]] = Posting(
            row["id"], row["kind"], row["partner_no"], row["occurred_at"], row["committed_at"],
            row["direction"], row["reverses"], tuple(own),
        )  # fmt: skip
    owed: dict[UUID, list[Owed]] = defaultdict(list)
    for row in await connection.fetch(
        "SELECT debt_entry.posting, issuer_no, contract_no, funder_no, issue_price"
        " FROM debt_entry JOIN debt ON debt.bucket = debt_entry.bucket"
        " AND debt.posting = debt_entry.debt AND debt.lot = debt_entry.lot WHERE kind = 2"
    ):
        owed[row[0]].append(Owed(row[1], row[2], row[3], Fraction(row[4])))
    contracts = [_contract(dict(row)) for row in await connection.fetch("SELECT * FROM contract")]
    rates: dict[tuple[str, str], list[tuple[datetime, Fraction]]] = defaultdict(list)
    for row in await connection.fetch("SELECT * FROM money_rate ORDER BY valid_from"):
        pair = row["from_currency"], row["to_currency"]
        rates[pair].append((row["valid_from"], Fraction(row["rate"])))
    periods: dict[int, list[Period]] = defaultdict(list)
    for row in await connection.fetch("SELECT * FROM settlement_period ORDER BY partner_no, no"):
        periods[row["partner_no"]].append(Period(row["no"], row["starts_at"], row["ends_at"]))
    by_hand = [
        ByHand(row[0], row[1], row[2], row[3], row[4], row[5], Fraction(row[6]), row[7])
        for row in await connection.fetch(_BY_HAND)
    ]
    defaults = [
        Said(row["partner_no"], row["begins_at"], row["on_default"])
        for row in await connection.fetch("SELECT * FROM partner_default ORDER BY begins_at, no")
    ]
    by_no = {contract.no: contract for contract in contracts}
    return Facts(postings, owed, by_no, rates, periods, by_hand, defaults)


def _contract(row: dict[str, object]) -> Contract:
    day, zone, steps, vat = row["valid_from"], row["timezone"], row["volume_steps"], row["vat"]
    signed_at = row["signed_at"]
    assert isinstance(day, date)
    assert isinstance(signed_at, datetime)
    begins = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(str(zone))).astimezone(UTC)
    return Contract(
        no=_int(row["no"]),
        partner=_int(row["partner_no"]),
        begins=begins,
        counts_from=begins if row["version"] == 1 else max(begins, signed_at),
        currency=str(row["currency"]),
        redemption_price=_fraction(row["redemption_price"]),
        fee_per_point=_fraction(row["service_fee_per_point"]),
        fee_percent=_fraction(row["service_fee_percent"]),
        fixed_minor=_int(row["fixed_fee_minor"]),
        minimum_minor=_int(row["minimum_fee_minor"]),
        steps=tuple(
            (int(step["from_points"]), _fraction(step["fee_per_point"]))
            for step in json.loads(str(steps))
        ),
        vat={
            kind: (str(agreed["code"]), _fraction(agreed["rate"]))
            for kind, agreed in json.loads(str(vat)).items()
        },
        breakage_share=_fraction(row["breakage_share"]),
    )


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _fraction(value: object) -> Fraction:
    return Fraction(str(value))
