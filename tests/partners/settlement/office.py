"""The coalition behind its door with three desks of finance: who reads, prepares and approves."""

from dataclasses import dataclass
from datetime import datetime

from tests.support.http import Coalition, Desk, open_desk


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


async def open_office(coalition: Coalition) -> Office:
    """Let finance in, by a desk for each scope."""
    desks = [
        await open_desk(coalition.http, coalition.clock.now(), [f"settlement:{act}"])
        for act in ("read", "prepare", "approve")
    ]
    return Office(coalition, *desks)
