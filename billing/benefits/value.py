"""The value meter: what a membership has saved its member, in money, in a stretch of time.

Points count at the issue price of the contract under which they were given, which is what their
issuer pays for them: not at what a till takes for them, which differs from till to till. Points
that the operator gives have no contract; they count at the mean issue price of the partners whose
contracts are in the same money. What benefits saved at tills counts at its face. Points of
purchases that were returned, and uses that were, count no more. Nothing is counted that cannot be
measured, such as a waived fee or a larger family.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import NoContract
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.kernel.money import Money, Rounding, exponent, round_whole

_LOT = """
    SELECT contract_no, issue_price FROM lot WHERE lot.bucket = posting.bucket AND lot.id = {lot}
    UNION ALL
    SELECT contract_no, issue_price FROM lot_history AS swept
    WHERE swept.bucket = posting.bucket AND swept.id = {lot}
    LIMIT 1
"""
_FIRST_LOT = """coalesce(posting.lot, (
        SELECT leg.lot FROM leg
        WHERE leg.bucket = posting.bucket AND leg.posting = posting.id ORDER BY no LIMIT 1))"""

# The postings of a bucket, one in 1024, are walked by their key, as for a member's own list.
_EARNED = f"""
SELECT split_part(earning.rule, ':', 4), lot.contract_no, lot.issue_price,
       sum(earning.points::numeric * (posting.points - coalesce(back.points, 0)) / posting.points)
FROM posting
JOIN purchase_earning AS earning
    ON earning.bucket = posting.bucket AND earning.posting = posting.id
    AND starts_with(earning.rule, $5)
CROSS JOIN LATERAL ({_LOT.format(lot=_FIRST_LOT)}) AS lot
CROSS JOIN LATERAL (
    SELECT sum(reversed) AS points FROM reversed_leg
    WHERE reversed_leg.bucket = posting.bucket AND reversed_leg.posting = posting.id
) AS back
WHERE posting.bucket = $1 AND posting.holder = $2 AND posting.kind = 1
  AND posting.id >= $6 AND posting.occurred_at >= $3 AND posting.occurred_at < $4
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - our own words

_GRANTED = f"""
SELECT kept.benefit, lot.contract_no, lot.issue_price, sum(kept.points)::numeric
FROM benefit_grant AS kept
JOIN posting ON posting.bucket = kept.bucket AND posting.id = kept.posting
CROSS JOIN LATERAL ({_LOT.format(lot="posting.lot")}) AS lot
WHERE kept.bucket = $1 AND kept.member_id = $2 AND kept.membership_id = $5
  AND kept.granted_at >= $3 AND kept.granted_at < $4 AND kept.taken_back_at IS NULL
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - our own words

_USED = """
SELECT benefit, currency, sum(saved_minor)::int8, count(*)::int4 FROM benefit_use_now
WHERE bucket = $1 AND member_id = $2 AND membership_id = $5
  AND used_at >= $3 AND used_at < $4 AND returned_at IS NULL
GROUP BY 1, 2 ORDER BY 1, 2
"""


_SHARED = """
SELECT member_id, membership_id, greatest(begins, $2) AS begins, least(ends, $3) AS ends
FROM benefit_entitlement
WHERE paid_by = $1 AND begins < $3 AND ends > $2 AND begins < ends
ORDER BY member_id, membership_id, begins
"""


class Saving(StrEnum):
    """By what a benefit saves."""

    EARNING = "earning"
    """Points beyond what anybody earns."""
    MONTHLY = "monthly"
    """Points that the plan gives by the month."""
    USE = "use"
    """Money at tills."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What one benefit saved; `points` are 0 and `uses` are counted where it is money."""

    benefit: str
    kind: Saving
    points: int
    uses: int
    value: Money


class Stretch(NamedTuple):
    """From when until just before when something is counted."""

    begins: datetime
    ends: datetime


class Together(NamedTuple):
    """What a plan saved who pays it, and what it saved all with whom it is shared."""

    own: tuple[Saved, ...]
    shared: tuple[Saved, ...]

    @property
    def all(self) -> tuple[Saved, ...]:
        """What it saved together, by benefit."""
        return _added((*self.own, *self.shared))


async def saved_in(
    connection: Connection,
    member: MemberId,
    membership_id: UUID,
    stretch: Stretch,
    *,
    known: Catalogue,
    currency: str,
) -> tuple[Saved, ...]:
    """Return what each benefit of a membership saved its member, in a currency.

    What is in another one is changed at the rate of the end of the stretch; without a rate it
    counts for nothing.
    """
    key = bucket_of(member), member, *stretch
    prefix, lowest = f"bonus:plan:{membership_id}:", _lowest_id(stretch.begins)
    earned = await connection.fetch(_EARNED, *key, prefix, lowest)
    granted = await connection.fetch(_GRANTED, *key, membership_id)
    used = await connection.fetch(_USED, *key, membership_id)
    prices = _Prices(known, currency, stretch.ends)
    found: dict[tuple[Saving, str], list[Decimal]] = {}
    for kind, rows in ((Saving.EARNING, earned), (Saving.MONTHLY, granted)):
        for benefit, contract_no, issue_price, points in rows:
            sums = found.setdefault((kind, benefit), [Decimal(0)] * 3)
            sums[0] += points
            sums[2] += points * prices.of(contract_no, issue_price)
    for benefit, paid_in, saved_minor, count in used:
        sums = found.setdefault((Saving.USE, benefit), [Decimal(0)] * 3)
        sums[1] += count
        sums[2] += Decimal(saved_minor).scaleb(-exponent(paid_in)) * prices.rate(paid_in)
    return tuple(
        Saved(
            benefit=benefit,
            kind=kind,
            points=int(points),
            uses=int(count),
            value=_minor(value, currency),
        )
        for (kind, benefit), (points, count, value) in sorted(found.items())
    )


async def saved_together(
    connection: Connection,
    member: MemberId,
    membership_id: UUID,
    stretch: Stretch,
    *,
    known: Catalogue,
    currency: str,
) -> Together:
    """Return what a membership saved its member, and whoever shared it while they did."""
    own = await saved_in(connection, member, membership_id, stretch, known=known, currency=currency)
    shared: list[Saved] = []
    for sharer, of, *times in await connection.fetch(_SHARED, membership_id, *stretch):
        shared += await saved_in(
            connection, MemberId(sharer), of, Stretch(*times), known=known, currency=currency
        )
    return Together(own, _added(shared))


def _added(saved: Iterable[Saved]) -> tuple[Saved, ...]:
    """Return one sum for each benefit, in order."""
    found: dict[tuple[Saving, str], Saved] = {}
    for one in saved:
        before = found.get((one.kind, one.benefit))
        found[one.kind, one.benefit] = one if before is None else _sum(before, one)
    return tuple(one for _, one in sorted(found.items()))


def _sum(one: Saved, other: Saved) -> Saved:
    minor = one.value.amount_minor + other.value.amount_minor
    return Saved(
        benefit=one.benefit,
        kind=one.kind,
        points=one.points + other.points,
        uses=one.uses + other.uses,
        value=Money(minor, one.value.currency),
    )


async def used_in(
    connection: Connection,
    member: MemberId,
    membership_id: UUID,
    stretch: Stretch,
    *,
    known: Catalogue,
    currency: str,
) -> Money:
    """Return what of a membership was used up, for who withdraws from it.

    What those used with whom it is shared counts too: it was all had for one price. Points that
    were given by the month are not among it: those go back, or are owed.
    """
    together = await saved_together(
        connection, member, membership_id, stretch, known=known, currency=currency
    )
    return total((one for one in together.all if one.kind is not Saving.MONTHLY), currency)


def total(saved: Iterable[Saved], currency: str) -> Money:
    """Return what it comes to together."""
    return Money(sum(one.value.amount_minor for one in saved), currency)


def point_price(known: Catalogue, currency: str, at: datetime) -> Decimal:
    """Return what a point is worth that the operator gives, in major units; 0 where none is sold.

    It is the mean issue price of the contracts in this money that let a partner issue points then.
    """
    prices = []
    for partner in known.partners:
        try:
            contract = known.contract_at(partner.no, at)
        except NoContract:
            continue
        if contract.issues and contract.currency == currency:
            prices.append(contract.issue_price)
    return sum(prices, Decimal(0)) / len(prices) if prices else Decimal(0)


class _Prices:
    """What points and money are worth in one currency at one instant."""

    def __init__(self, known: Catalogue, currency: str, at: datetime) -> None:
        self._known = known
        self._currency = currency
        self._at = at
        self._operators = point_price(known, currency, at)

    def of(self, contract_no: int, issue_price: Decimal) -> Decimal:
        """Return what a point is worth that was given under a contract, or by the operator (0)."""
        if not contract_no:
            return self._operators
        return issue_price * self.rate(self._known.contract(contract_no).currency)

    def rate(self, currency: str) -> Decimal:
        """Return what one unit of a currency is worth."""
        rate = self._known.money_rate_at(currency, self._currency, self._at)
        return Decimal(0) if rate is None else rate


def _minor(value: Decimal, currency: str) -> Money:
    """Round down: the meter never says that a plan saved more than it did."""
    return Money(round_whole(value.scaleb(exponent(currency)), Rounding.DOWN), currency)


def _lowest_id(begins: datetime) -> UUID:
    """Return the least id of what may have occurred since; tills are at most 5 minutes ahead."""
    milliseconds = int(begins.astimezone(UTC).timestamp() * 1000) - 5 * 60 * 1000
    return UUID(int=max(0, milliseconds) << 80)
