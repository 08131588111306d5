"""What of I7 and I8 no query can tell: lines are made once more, and so are all digests.

Each walk reads and returns a sentence for everything that breaks its promise.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from asyncpg import Record

from coalition.federation import catalogue
from coalition.kernel.database import Connection
from coalition.ledger.audit import Walk
from partners.settlement import digests, statements, sums
from partners.settlement.kinds import ChargeKind
from partners.settlement.pricing import Charge
from partners.settlement.statements import Head, Statement

_CLOSED = """
SELECT id FROM statement WHERE closed_at IS NOT NULL ORDER BY partner_no, period_no
"""

_CHARGED = """
SELECT block_tariff.drain, tariff.*, block.postings, block.moves
FROM tariff
JOIN block_tariff ON block_tariff.tariff = tariff.id
JOIN block ON block.drain = block_tariff.drain AND block.no = block_tariff.no
WHERE tariff.partner_no = $1 AND tariff.period_no = $2 AND block_tariff.drain = ANY($3::uuid[])
"""

_DRAINS = """
SELECT DISTINCT block_tariff.drain
FROM tariff JOIN block_tariff ON block_tariff.tariff = tariff.id
WHERE tariff.partner_no = $1 AND tariff.period_no = $2 ORDER BY block_tariff.drain
"""

_TOLD = """
SELECT drain, digest FROM drain_digest WHERE partner_no = $1 AND period_no = $2 ORDER BY drain
"""

_DRAINS_AT_ONCE = 100


async def lines(connection: Connection) -> list[str]:
    """Make every closed statement once more from the totals and compare it with what was frozen."""
    known = await catalogue.load(connection)
    broken = []
    async for head in _closed(connection):
        told = await statements.frozen(connection, head)
        period = head.period
        groups = await sums.booked(connection, period.partner_no, [period.no])
        (made,) = await statements.composed(connection, [period], known, groups)
        if (made.lines, made.totals, _charges(told)) != (told.lines, told.totals, head.charges):
            broken.append(f"statement {head.number} of partner {period.partner_no}, {period.name}")
    return broken


async def chains(connection: Connection) -> list[str]:
    """Make the digest of every drain into a closed period once more, and that of its statement."""
    broken = []
    async for head in _closed(connection):
        partner_no, no = head.period.partner_no, head.period.no
        told = [(row[0], row[1]) for row in await connection.fetch(_TOLD, partner_no, no)]
        chain = digests.chain_start(partner_no, no)
        for _, digest in told:
            chain = digests.chained(chain, digest)
        made = [one async for one in _digests(connection, partner_no, no)]
        frozen = await statements.frozen(connection, head)
        if told != made or digests.sealed(chain, frozen.lines) != head.digest:
            broken.append(f"statement {head.number} of partner {partner_no}, {head.period.name}")
    return broken


async def _closed(connection: Connection) -> AsyncIterator[Head]:
    for row in await connection.fetch(_CLOSED):
        head = await statements.head_of(connection, row["id"])
        assert head is not None, "a snapshot does not lose a statement"
        yield head


def _charges(statement: Statement) -> int:
    return sum(line.charges for line in statement.lines)


async def _digests(
    connection: Connection, partner_no: int, period_no: int
) -> AsyncIterator[tuple[UUID, bytes]]:
    """Yield each drain into a period with the digest of its charges there, by the drains' ids."""
    drains = [row[0] for row in await connection.fetch(_DRAINS, partner_no, period_no)]
    for first in range(0, len(drains), _DRAINS_AT_ONCE):
        some = drains[first : first + _DRAINS_AT_ONCE]
        parts: dict[UUID, list[bytes]] = {drain: [] for drain in some}
        for row in await connection.fetch(_CHARGED, partner_no, period_no, some):
            part = digests.part(
                _charge(row),
                origin_no=row["origin_no"],
                postings=row["postings"],
                moves=row["moves"],
            )
            parts[row["drain"]].append(part)
        for drain in some:
            yield drain, digests.digest(parts[drain])


def _charge(row: Record) -> Charge:
    fields = {field: row[field] for field in Charge._fields}
    return Charge(**fields | {"kind": ChargeKind(row["kind"])})


WALKS = (
    Walk("I7", "a closed statement is what its charges come to, each line rounded once", lines),
    Walk("I8", "the chain of digests of a closed period verifies, down to its charges", chains),
)
