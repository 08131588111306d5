"""What a till asks of whoever knows the members that spend or earn together.

The ledger marks such members (`holder.shares`). An act of theirs is planned first, then its holders
are locked, then the plan is looked at again under the locks: so what it rests on holds until the
transaction ends.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger.drafts import Outcome
from coalition.ledger.selecting import Onward, Sources


class PoolAct(StrEnum):
    """What a member wants to do with points that may be its pool's."""

    ISSUE = "issue"
    REDEEM = "redeem"
    HOLD = "hold"


class PoolWish(NamedTuple):
    """An act to be planned; of a mere question what can be spent, `points` is 0."""

    member: UUID
    act: PoolAct
    points: int
    occurred_at: datetime
    currency_no: int = 1
    for_self: bool = True
    """Whether what is bought is for the member itself."""


class PoolPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How an act is to be done: with whose points, or to whom shares go on."""

    sources: Sources = Sources()
    """Of a redemption and a hold; without others it takes the member's own points."""
    onward: tuple[Onward, ...] = ()
    """Of an issue."""
    group: UUID | None = None
    """Under whose rules it is; for whoever made the plan."""
    is_counted: bool = False
    """Whether rules limit what is spent, so that it is counted when it is done."""


class PoolUse(NamedTuple):
    """An act that was done under a plan; the outcome says what others gave or got."""

    wish: PoolWish
    plan: PoolPlan
    outcome: Outcome


class PoolReturn(NamedTuple):
    """What comes back of a redemption, or becomes of a hold, whose holder is locked."""

    act: UUID
    holder: UUID
    """Who has come to be whoever did it."""
    points: int | None
    """What is returned, or captured; None is all that is left."""
    captured_by: UUID | None = None
    """The redemption of a hold; what it leaves comes back."""


class Pools(Protocol):
    """Plans what members do who spend or earn together; one statement for many, not one each."""

    async def plans(
        self, connection: Connection, wanted: Sequence[PoolWish], at: datetime
    ) -> list[PoolPlan | Refused]:
        """Return, for each wish in its place, how it may be done at `at`, or why it may not.

        Nothing is locked. It is asked too when only a balance is read.
        """
        ...

    async def lock(
        self,
        connection: Connection,
        wanted: Sequence[PoolWish],
        plans: Sequence[PoolPlan],
        at: datetime,
    ) -> list[PoolPlan | Refused]:
        """Lock what the plans rest on, and return in their places how they stand now.

        The holders of `plans` are locked before. Groups are locked in (bucket, id) order, and what
        limits count is read in a statement after. Acts come in their order: one of them counts for
        those behind it. A plan that now names holders which the first did not is planned anew.
        """
        ...

    async def used(self, connection: Connection, done: Sequence[PoolUse], at: datetime) -> None:
        """Count what was done; nothing that was refused is among it."""
        ...

    async def come_back(self, connection: Connection, back: Sequence[PoolReturn]) -> None:
        """Count no longer what comes back, where it was counted; of anybody's acts."""
        ...


class NoPools:
    """Nobody spends or earns together: every plan is the member's own points."""

    async def plans(
        self, connection: Connection, wanted: Sequence[PoolWish], at: datetime
    ) -> list[PoolPlan | Refused]:
        """Return plans without others."""
        del connection, at
        return [PoolPlan() for _ in wanted]

    async def lock(
        self,
        connection: Connection,
        wanted: Sequence[PoolWish],
        plans: Sequence[PoolPlan],
        at: datetime,
    ) -> list[PoolPlan | Refused]:
        """Return `plans`."""
        del connection, wanted, at
        return list(plans)

    async def used(self, connection: Connection, done: Sequence[PoolUse], at: datetime) -> None:
        """Count nothing."""
        del connection, done, at

    async def come_back(self, connection: Connection, back: Sequence[PoolReturn]) -> None:
        """Give nothing back."""
        del connection, back
