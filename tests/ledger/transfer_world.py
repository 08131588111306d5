"""Short ways to send points from one holder to another, for tests of the ledger."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from coalition.kernel.database import transaction
from coalition.ledger import merging
from coalition.ledger.accounts import Kind
from coalition.ledger.drafts import Hold, Outcome, Transfer, Transferred, UndoTransfer
from coalition.ledger.halves import OPERATOR
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.selecting import LotFilter, NewEnd, Side, TakingOrder
from tests.support.ledger import post, till

BOTH = frozenset(Side)

_LOTS = """
SELECT issuer_no, contract_no, funder_no, earned_month, expires_on, clock_no, class_no,
       nullif(contributor, holder) AS contributor, points_in - points_out AS points, held
FROM lot WHERE holder = $1 AND points_in > points_out ORDER BY id
"""


def transfer(
    sender: UUID,
    receiver: UUID,
    points: int,
    at: datetime,
    *,
    hold: UUID | None = None,
    order: TakingOrder = TakingOrder.EARLIEST_EXPIRY,
    lots: LotFilter | None = None,
    endings: Mapping[int, NewEnd] | None = None,
    contributor: UUID | None = None,
    classes: Mapping[int, int] | None = None,
    activity: frozenset[Side] = frozenset(),
    fee: int = 0,
    currency_no: int = 1,
) -> Transfer:
    """Return a draft that sends points."""
    return Transfer(
        holder=sender,
        receiver=receiver,
        till=till(OPERATOR, at),
        currency_no=currency_no,
        points=points,
        hold=hold,
        order=order,
        lots=lots,
        endings=endings,
        contributor=contributor,
        classes=classes,
        activity=activity,
        fee_points=fee,
    )


def undo(made: Transferred, at: datetime) -> UndoTransfer:
    """Return a draft that gives back what `made` moved, with 30 days of grace."""
    return UndoTransfer(
        posting=made.posting,
        till=till(OPERATOR, at),
        grace_expires_on=at.date() + timedelta(days=30),
    )


def reserve(holder: UUID, points: int, at: datetime, *, partner_no: int = OPERATOR) -> Hold:
    """Return a draft that reserves points for a day."""
    return Hold(holder, till(partner_no, at, "waits"), 1, points, at + timedelta(days=1))


async def moved(draft: Transfer | UndoTransfer, at: datetime) -> Transferred:
    """Post a draft that is done."""
    (outcome,) = await post([draft], at)
    assert isinstance(outcome, Transferred), outcome
    return outcome


async def one(draft: Transfer | UndoTransfer, at: datetime) -> Outcome:
    """Post a draft by itself."""
    (outcome,) = await post([draft], at)
    return outcome


async def points_by_issuer(holder: UUID) -> dict[int, int]:
    """Return what a holder has, spendable or not, by who issued it."""
    found: dict[int, int] = {}
    for row in await lots_of(holder):
        issuer_no, points = row["issuer_no"], row["points"]
        assert isinstance(issuer_no, int)
        assert isinstance(points, int)
        found[issuer_no] = found.get(issuer_no, 0) + points
    return found


async def ends_of(holder: UUID) -> dict[date | None, int]:
    """Return the points of a holder by their last day."""
    return {row["expires_on"]: row["points"] for row in await lots_of(holder)}


async def lots_of(holder: UUID) -> list[dict[str, Any]]:
    """Return the lots of a holder in which something is left."""
    async with transaction() as connection:
        return [dict(row) for row in await connection.fetch(_LOTS, holder)]


async def postings_of(holder: UUID) -> list[tuple[Kind, int]]:
    """Return kind and points, signed, of all postings of a holder in their order."""
    query = "SELECT kind, points * direction FROM posting WHERE holder = $1 ORDER BY id"
    async with transaction() as connection:
        return sorted(
            ((Kind(row[0]), row[1]) for row in await connection.fetch(query, holder)),
            key=lambda row: row[0],
        )


async def merge(gone: UUID, kept: UUID, at: datetime) -> None:
    """Let one holder become another."""
    await ensure_partition(at)
    async with transaction() as connection:
        await merging.merge(connection, from_holder=gone, into_holder=kept, at=at, today=at.date())
