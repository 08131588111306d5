"""The file of a statement with more drains than are read at once."""

from datetime import datetime, timedelta
from decimal import Decimal

from coalition.federation import catalogue
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import random_id, uuid7
from partners.settlement import closing, digests, exporting, packed, periods, sealing
from partners.settlement.kinds import ChargeKind
from partners.settlement.pricing import Charge
from partners.settlement.verifying import verify
from tests.support.http import ACTOR, Coalition

DRAINS = 205
FEE = Charge(
    partner_no=1,
    period_no=1,
    origin_no=1,
    kind=ChargeKind.SERVICE_FEE,
    contract_no=1,
    currency="SEK",
    vat_code="S",
    vat_rate=Decimal("0.25"),
    unit_price=Decimal("0.003"),
    counts_points=True,
)

_DRAIN = "INSERT INTO drain VALUES ($1, 0, $2, 2)"
_TARIFF = """
INSERT INTO tariff VALUES ($1, 1, 1, 1, $2, 1, 'SEK', 'S', 0.25, 0.003, true)
"""
_BLOCK = "INSERT INTO block VALUES ($1, 0, 2, $2, $3)"
_TIE = "INSERT INTO block_tariff VALUES ($1, $2, 0)"
_DIGEST = "INSERT INTO drain_digest VALUES (1, 1, $1, $2)"
_TOTAL = "INSERT INTO tariff_total VALUES ($1, 0, $2, $3)"


async def _drain(connection: Connection, at: datetime) -> None:
    """Charge the first partner's first month for three points at a time, in many drains."""
    tariff = random_id()
    await connection.execute(_TARIFF, tariff, FEE.kind)
    for no in range(DRAINS):
        drain, moves = (
            uuid7(at + timedelta(seconds=no)),
            packed.pack(sorted((random_id(), points) for points in (1, 2))),
        )
        part = digests.part(FEE, origin_no=1, postings=2, moves=moves)
        await connection.execute(_DRAIN, drain, at)
        await connection.execute(_BLOCK, drain, 3, moves)
        await connection.execute(_TIE, tariff, drain)
        await connection.execute(_DIGEST, drain, digests.digest([part]))
    await connection.execute(_TOTAL, tariff, 3 * DRAINS, 2 * DRAINS)


async def test_a_statement_of_many_drains_comes_whole_and_drain_by_drain(
    coalition: Coalition,
) -> None:
    at = coalition.clock.now()
    await periods.ensure(at)
    async with transaction() as connection:
        await _drain(connection, at)
        known = await catalogue.load(connection)
    first = await sealing.seal(1, 1, at)
    approval = await closing.prepare(period=first.name, partner_no=1, prepared_by=ACTOR, at=at)
    (closed,) = await closing.approve(approval, approved_by="staff:other", at=at)
    statement = await exporting.find(closed.statement, partner_no=1)
    pieces = [piece async for piece in exporting.lines(statement, known)]
    assert len(pieces) == 1 + 2 * DRAINS + 1
    verdict = verify(b"".join(pieces).splitlines(keepends=True))
    assert verdict.differences == []
    assert (verdict.drains, verdict.charges) == (DRAINS, 2 * DRAINS)
    assert [total.net_minor for total in verdict.totals] == [185 + 46]
