"""Exchanging points of one currency for points of another, lot by lot, their money value kept.

Each lot gives whole multiples of the rate only, so no fraction of a point is made or lost; what
is left of a lot stays in it. The price of the new points is the old one by the rate, and must be
exact: a conversion that would round money is refused.
"""

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.ids import bucket_of, uuid7
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import clocks, lots
from coalition.ledger.accounts import INTO_LOT, OUT_OF_LOT, Account, Kind
from coalition.ledger.clocks import HolderClock
from coalition.ledger.drafts import Convert, Converted, Outcome
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import KeptLot, LotChanges
from coalition.ledger.provenance import NO_CLOCK, Provenance
from coalition.ledger.refusals import (
    ConversionTooLarge,
    NotEnoughPoints,
    NothingToConvert,
    PriceNotExact,
)
from coalition.ledger.rules import Available
from coalition.ledger.spending import spendable

_EVERYTHING = 2**62
_PRICE_PLACES = Decimal("0.000000001")
_PRICE_LIMIT = 10**9
_DIGITS = Context(prec=60)


class _Part(NamedTuple):
    """What one lot gives: points of the one currency, and of the other in which lot."""

    lot: UUID
    taken: int
    given: int
    provenance: Provenance


def whole_multiples(
    points: int, available: Sequence[Available], unit: int
) -> list[tuple[UUID, int]]:
    """Return what each lot gives of at most `points`, in multiples of `unit`, lot by lot."""
    taken = []
    for lot, kept, _ in available:
        part = min(points, kept) // unit * unit
        if part:
            taken.append((lot, part))
            points -= part
    return taken


def exchanged_price(price: Decimal, from_points: int, to_points: int) -> Decimal | None:
    """Return the price of a point after the exchange; None when nine decimals cannot hold it."""
    worth = _DIGITS.multiply(price, Decimal(from_points))
    scaled = _DIGITS.divide(worth, Decimal(to_points)).quantize(_PRICE_PLACES, context=_DIGITS)
    is_exact = _DIGITS.multiply(scaled, Decimal(to_points)) == worth
    return scaled if is_exact and scaled < _PRICE_LIMIT else None


async def convert(
    connection: Connection, journal: Journal, drafts: Sequence[Convert]
) -> list[Outcome]:
    """Post the conversions of `drafts`, whose holders are locked, one after the other."""
    return [await _convert(connection, journal, draft) for draft in drafts]


async def _convert(connection: Connection, journal: Journal, draft: Convert) -> Outcome:
    holder, today = draft.holder, journal.today
    found = await spendable(connection, journal, {holder: _EVERYTHING}, draft.currency_no)
    taken = _choose(draft, found[holder])
    if isinstance(taken, Refused):
        return taken
    kept = await lots.read(connection, [lot for lot, _ in taken], [holder] * len(taken), today)
    parts = _exchange(draft, taken, kept)
    if isinstance(parts, Refused):
        return parts
    outcome = await _post(connection, journal, draft, parts)
    await _carry_clocks(connection, draft, parts)
    return outcome


def _choose(draft: Convert, available: list[Available]) -> list[tuple[UUID, int]] | Refused:
    balance = sum(one.points for one in available)
    if balance < draft.points:
        return NotEnoughPoints(
            f"{draft.points} points are wanted and fewer can be spent; ask for at most the balance",
            points=draft.points,
            balance=balance,
        )
    taken = whole_multiples(draft.points, available, draft.from_points)
    if not taken:
        return NothingToConvert(
            f"{draft.from_points} points become {draft.to_points}, and no lot gives as many; "
            f"ask for {draft.from_points} or more",
            from_points=draft.from_points,
            to_points=draft.to_points,
        )
    return taken


def _exchange(
    draft: Convert, taken: list[tuple[UUID, int]], kept: dict[UUID, KeptLot]
) -> list[_Part] | Refused:
    parts = []
    for lot, points in taken:
        provenance = kept[lot].provenance
        price = exchanged_price(provenance.issue_price, draft.from_points, draft.to_points)
        if price is None:
            return PriceNotExact(
                f"points at {provenance.issue_price.normalize():f} each would need more than nine "
                f"decimals at {draft.from_points} to {draft.to_points}; agree on another rate",
            )
        given = points // draft.from_points * draft.to_points
        target = provenance._replace(currency_no=draft.to_no, issue_price=price)
        parts.append(_Part(lot, points, given, target))
    if sum(part.given for part in parts) > POINTS_MAX:
        return ConversionTooLarge(
            f"a conversion gives at most {POINTS_MAX} points; convert fewer at once"
        )
    return parts


async def _post(
    connection: Connection, journal: Journal, draft: Convert, parts: list[_Part]
) -> Converted:
    holder, bucket = draft.holder, bucket_of(draft.holder)
    left, arrived = uuid7(journal.at, bucket), uuid7(journal.at, bucket)
    out, into = LotChanges(), LotChanges()
    legs_in: list[Leg] = []
    for part in parts:
        out.take_out(part.lot, holder, points=part.taken)
        lot = into.put_in(holder, part.provenance, part.given)
        legs_in.append((lot, part.given, None))
    await out.write(connection)
    await into.write(connection)
    journal.add(
        kind=Kind.CONVERSION,
        holder=holder,
        till=draft.till,
        currency_no=draft.currency_no,
        direction=OUT_OF_LOT,
        legs=[(part.lot, part.taken, None) for part in parts],
        account=Account.EXCHANGED,
        linked=arrived,
        posting=left,
    )
    journal.add(
        kind=Kind.CONVERSION,
        holder=holder,
        # The receipt stands on the half that takes: it is used once.
        till=structs.replace(draft.till, receipt=None),
        currency_no=draft.to_no,
        direction=INTO_LOT,
        legs=legs_in,
        account=Account.EXCHANGED,
        linked=left,
        posting=arrived,
    )
    return Converted(
        posting=left,
        into_posting=arrived,
        holder=holder,
        points=sum(part.taken for part in parts),
        given=sum(part.given for part in parts),
        remainder=draft.points - sum(part.taken for part in parts),
    )


async def _carry_clocks(connection: Connection, draft: Convert, parts: list[_Part]) -> None:
    """Let points that a clock rules go on living as long as they would have."""
    ruled = {part.provenance.clock_no for part in parts} - {NO_CLOCK}
    if ruled:
        standing = [
            HolderClock(draft.to_no, *clock[1:])
            for clock in await clocks.of_holder(connection, draft.holder)
            if clock.currency_no == draft.currency_no and clock.clock_no in ruled
        ]
        await clocks.advance(connection, draft.holder, standing)
