"""Settles the demo as finance would: month by month, sealed, closed by two persons and netted."""

from datetime import datetime, timedelta
from time import perf_counter

from partners.settlement import clearing, closing, credit, draining, sealing
from server.demo.companies import APPROVES, PREPARES
from server.demo.history import ZONE
from server.demo.keepsake import Settled

GRACE = timedelta(hours=24)
"""The longest that a contract of the demo grants after a period's end."""

FIRST_NO = 1
"""The number of the company that is founded first."""


class Settling:
    """Follows a history that is told up to `now`; the month that is running stays open."""

    def __init__(self, now: datetime, *, leave_last_month: bool = False) -> None:
        """Settle every month that is over by `now`, or leave the last of them as it is."""
        self._now = now
        self.leaves_last_month = leave_last_month
        """Whether the last month that is over stays for somebody to settle."""
        self._statements = 0
        self._cycles = 0
        self._seconds = 0.0
        self._period: str | None = None

    async def month_over(self, ends: datetime) -> None:
        """Settle all that is due when the month that has been told ends at `ends`."""
        this_month = self._now.astimezone(ZONE).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        if ends > this_month or (self.leaves_last_month and ends == this_month):
            return
        began_s = perf_counter()
        await self._settle(min(ends + GRACE, self._now))
        self._seconds += perf_counter() - began_s

    async def finished(self) -> Settled:
        """Drain what is left, unless a month is left as it is; return what came of it all."""
        if not self.leaves_last_month:
            began_s = perf_counter()
            await draining.drain_all(self._now)
            await credit.judge(self._now)
            self._seconds += perf_counter() - began_s
        seconds = round(self._seconds, 1)
        return Settled(self._statements, self._cycles, seconds, self._period)

    async def _settle(self, at: datetime) -> None:
        await draining.drain_all(at)
        await credit.judge(at)
        sealed = await sealing.seal_due(at)
        names = dict.fromkeys(one.name for one in sorted(sealed, key=lambda one: one.ends_at))
        for name in names:
            approval = await closing.prepare(period=name, prepared_by=PREPARES, at=at)
            self._statements += len(await closing.approve(approval, approved_by=APPROVES, at=at))
        for one in sealed:
            if one.partner_no == FIRST_NO:
                self._period = one.name
        if names:
            await self._net(list(names), at)

    async def _net(self, names: list[str], at: datetime) -> None:
        for approval in await clearing.prepare(names=names, prepared_by=PREPARES, at=at):
            await clearing.approve(approval, approved_by=APPROVES, at=at)
            self._cycles += 1
