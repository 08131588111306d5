"""Families of a test: who spends with whom, and where a share of what somebody earns goes."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import bucket_of
from coalition.ledger import holders, shares
from coalition.ledger.selecting import Onward, Sources, SpendOrder
from coalition.points.pools import PoolAct, PoolPlan, PoolReturn, PoolUse, PoolWish

Change = Callable[[], None]


class Families:
    """Plans from memory; what families have spent is counted in memory as well."""

    def __init__(self) -> None:
        """Begin without families."""
        self.pools: dict[UUID, tuple[UUID, ...]] = {}
        self.heads: dict[UUID, tuple[UUID, int]] = {}
        self.order = SpendOrder.OWN_FIRST
        self.refusals: dict[UUID, Refused] = {}
        self.refusals_under_lock: dict[UUID, Refused] = {}
        self.uses: list[PoolUse] = []
        self.back: list[PoolReturn] = []
        self.asked = 0
        self.before_lock: Change | None = None

    async def spend_together(self, *members: UUID) -> None:
        """Let each of `members` spend what all of them have."""
        for member in members:
            self.pools[member] = tuple(one for one in members if one != member)
        await mark(*members)

    async def earn_for(self, head: UUID, percent: int, *members: UUID) -> None:
        """Let a share of what `members` earn go to `head`."""
        for member in members:
            self.heads[member] = head, percent
        await mark(*members)

    async def plans(
        self, connection: Connection, wanted: Sequence[PoolWish], at: datetime
    ) -> list[PoolPlan | Refused]:
        del connection, at
        self.asked += 1
        return [self.refusals.get(wish.member) or self._plan(wish) for wish in wanted]

    async def lock(
        self,
        connection: Connection,
        wanted: Sequence[PoolWish],
        plans: Sequence[PoolPlan],
        at: datetime,
    ) -> list[PoolPlan | Refused]:
        del connection, plans, at
        if self.before_lock is not None:
            self.before_lock()
        return [self.refusals_under_lock.get(wish.member) or self._plan(wish) for wish in wanted]

    async def come_back(self, connection: Connection, back: Sequence[PoolReturn]) -> None:
        del connection
        self.back += back

    async def used(self, connection: Connection, done: Sequence[PoolUse], at: datetime) -> None:
        del connection, at
        self.uses += done

    def _plan(self, wish: PoolWish) -> PoolPlan:
        if wish.act is PoolAct.ISSUE and wish.member in self.heads:
            head, percent = self.heads[wish.member]
            return PoolPlan(onward=(Onward(receiver=head, percent=percent),))
        others = self.pools.get(wish.member, ())
        return PoolPlan(sources=Sources(order=self.order, holders=others))


async def mark(*members: UUID) -> None:
    """Let the ledger know that `members` share."""
    async with transaction() as connection:
        await holders.lock(connection, members)
        await shares.mark(connection, dict.fromkeys(members, True))


def in_order(*members: UUID) -> list[UUID]:
    """Return `members` in the order in which the ledger locks them."""
    return sorted(members, key=lambda one: (bucket_of(one), one.bytes))
