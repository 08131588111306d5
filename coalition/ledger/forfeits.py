"""What is left when an account ends: points are forfeited, debts written off.

Forfeited points are booked as expired are, lot by lot at their issuer against the account
`expired`, so that a settlement treats them alike; the reason of the posting tells them apart.
"""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import debts, ended, holders
from coalition.ledger.accounts import OUT_OF_LOT, Account, Kind
from coalition.ledger.debts import DebtChanges
from coalition.ledger.drafts import Till
from coalition.ledger.journal import Journal
from coalition.ledger.lots import LotChanges
from coalition.ledger.provenance import last_lot, lowest_lot
from coalition.ledger.refusals import HolderHasHolds, UnknownHolder

REASON = "forfeited when the membership ended"

_LEFT = """
SELECT id, issuer_no, currency_no, points_in - points_out AS points, held FROM lot
WHERE bucket = $1 AND id BETWEEN $2 AND $3 AND holder = $4 AND points_in > points_out
ORDER BY bucket, id
"""


class Remains(NamedTuple):
    """What is left of an account: points that can still be spent, and points that are owed."""

    points: int
    owes: int


async def remains(connection: Connection, holder: UUID, *, at: datetime, today: date) -> Remains:
    """Lock `holder`, book what of it has ended, and return what is left then.

    The caller holds the transaction, and `ensure_partition(at)` came before it. Raises
    `UnknownHolder` and `HolderHasHolds`.
    """
    standing = (await holders.lock(connection, [holder])).get(holder)
    if standing is None:
        raise UnknownHolder
    journal = Journal(at, today)
    await ended.book_ended(connection, journal, [holder])
    await journal.write(connection)
    rows = await connection.fetch(_LEFT, *_range(holder))
    if any(row["held"] for row in rows):
        raise HolderHasHolds
    return Remains(sum(row["points"] for row in rows), standing.owes)


async def forfeit(
    connection: Connection, holder: UUID, *, at: datetime, today: date, actor: str
) -> Remains:
    """Book all points of `holder` as forfeited, write its debts off, and return how many of each.

    Called in the same way as `remains`; running it again books nothing twice. Raises
    `UnknownHolder` and `HolderHasHolds`.
    """
    left = await remains(connection, holder, at=at, today=today)
    if left.points:
        await _forfeit_points(connection, holder, Journal(at, today))
    if left.owes:
        changes = DebtChanges(at)
        for debt in (await debts.read_open(connection, [holder]))[holder]:
            changes.write_off(debt, debt.points, actor=actor, reason=REASON)
        await changes.write(connection)
    return left


async def _forfeit_points(connection: Connection, holder: UUID, journal: Journal) -> None:
    changes = LotChanges()
    for row in await connection.fetch(_LEFT, *_range(holder)):
        changes.take_out(row["id"], holder, points=row["points"])
        till = Till(row["issuer_no"], None, None, None, journal.today, journal.at)
        left = row["points"]
        while left:
            part = min(left, POINTS_MAX)  # what a posting carries at most
            left -= part
            journal.add(
                kind=Kind.EXPIRE,
                holder=holder,
                till=till,
                currency_no=row["currency_no"],
                direction=OUT_OF_LOT,
                legs=[(row["id"], part, None)],
                account=Account.EXPIRED,
                reason=REASON,
            )
    await changes.write(connection)
    await journal.write(connection)


def _range(holder: UUID) -> tuple[int, UUID, UUID, UUID]:
    return bucket_of(holder), lowest_lot(holder), last_lot(holder), holder
