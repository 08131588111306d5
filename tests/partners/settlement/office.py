"""The coalition behind its door with three desks of finance: who reads, prepares and approves."""

from dataclasses import dataclass
from datetime import datetime

from coalition.kernel.database import transaction
from partners.settlement import closing, sealing
from tests.support.http import Coalition, Desk, open_desk, token_of


@dataclass
class Office:
    """Two partners' shops, and desks of finance with a scope each."""

    coalition: Coalition
    reader: Desk
    preparer: Desk
    approver: Desk

    @property
    def at(self) -> datetime:
        """The present."""
        return self.coalition.clock.now()

    async def desk(self, *scopes: str) -> Desk:
        """Return a further desk with these scopes."""
        return await open_desk(self.coalition.http, self.at, scopes)

    async def move_on(self, at: datetime) -> None:
        """Let it be `at`, and let everybody sign in again: tokens live fifteen minutes."""
        coalition = self.coalition
        coalition.clock.advance(at - self.at)
        for one in (coalition.grocer, coalition.fuel, self.reader, self.preparer, self.approver):
            one.token = await token_of(one.client, at)
        coalition.grocer.at = coalition.fuel.at = at

    async def close_before(self, name: str) -> None:
        """Seal and close all months before this one, in which nothing happened."""
        await sealing.seal_due(self.at)
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT name FROM settlement_period WHERE name < $1 GROUP BY name ORDER BY name",
                name,
            )
        for row in rows:
            waiting = await closing.prepare(
                period=row["name"], prepared_by="staff:anna", at=self.at
            )
            await closing.approve(waiting, approved_by="staff:bertil", at=self.at)


async def open_office(coalition: Coalition) -> Office:
    """Let finance in, by a desk for each scope."""
    desks = [
        await open_desk(coalition.http, coalition.clock.now(), [f"settlement:{act}"])
        for act in ("read", "prepare", "approve")
    ]
    return Office(coalition, *desks)
