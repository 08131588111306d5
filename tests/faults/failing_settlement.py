"""Settles a database, from the drain to the closed statement, and may kill itself at a commit.

    python -m tests.faults.failing_settlement DATABASE-URL INSTANT [before_commit:3]

Every step may be repeated, so whoever starts it again goes on where it ended. Only tests start this
program; the product itself has no failpoints.
"""

import asyncio
import sys
from datetime import datetime, timedelta
from uuid import UUID

from coalition.kernel.database import engine, open_database, transaction
from partners.settlement import closing, draining, sealing
from server.apps import APPS
from tests.faults.failing_service import FailingTransaction, arm

ANNA, BO = "staff:anna", "staff:bo"
TICK = timedelta(seconds=1)

_WAITING = "SELECT id FROM approval WHERE kind = $1 AND state = 'prepared' ORDER BY prepared_at, id"

_PROVISIONAL = """
SELECT name FROM settlement_period AS period
JOIN statement ON statement.partner_no = period.partner_no AND statement.period_no = period.no
WHERE state = 'provisional' GROUP BY name ORDER BY min(starts_at), name
"""


class FailingStep(FailingTransaction):
    """A transaction that may fail whoever opened it, if it wrote or locked anything."""

    async def _is_wanted(self) -> bool:
        self.preamble += "-- coalition_poster"
        return await super()._is_wanted()


async def settle(at: datetime) -> None:
    """Drain, seal what is due and close it."""
    await draining.drain_all(at)
    await sealing.seal_due(at)
    while True:
        async with transaction() as connection:
            waiting = await connection.fetchval(_WAITING, closing.KIND)
            name = await connection.fetchval(_PROVISIONAL)
        if name is None:
            return
        approval = waiting or await closing.prepare(period=name, prepared_by=ANNA, at=at)
        await closing.approve(UUID(str(approval)), approved_by=BO, at=at + TICK)


async def _main(url: str, at: datetime) -> None:
    opened = await open_database(url, apps=APPS, pool_size=2)
    try:
        await settle(at)
    finally:
        await opened.close()


if __name__ == "__main__":
    if len(sys.argv) > len((__name__, "url", "at")):
        arm(sys.argv[3])
        engine.Transaction = FailingStep  # type: ignore[misc]  # the one hook, here in a test
    asyncio.run(_main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
