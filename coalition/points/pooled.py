"""Acts of members who share, planned: once before anything is locked, and again under the locks.

Only a handful of the members of a batch share, so what is done here is done for them alone, and by
one statement of each kind for all of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger.drafts import (
    Capture,
    Draft,
    Held,
    Hold,
    Issue,
    Outcome,
    Posted,
    Redeem,
    Reverse,
    Void,
)
from coalition.ledger.pooling import others_of
from coalition.ledger.refusals import NeedsPlan
from coalition.points.commands import Command, IssueBody, QuoteBody, RedeemBody
from coalition.points.deciding import Drafted
from coalition.points.pools import NoPools, PoolAct, PoolPlan, PoolReturn, Pools, PoolUse, PoolWish

MOST_SHARERS = 100_000

_Pooled = Issue | Redeem | Hold
_RETURNING = {Reverse, Void, Capture}


class PlansChangedError(Exception):
    """What acts were planned with is not what holds any more, or was not known: try once more."""

    def __init__(self, members: Iterable[UUID] = ()) -> None:
        """Name the `members` of whom nobody knew that they share."""
        super().__init__("plans have to be made anew")
        self.members = tuple(members)


class Sharers:
    """Members of whom the process has learned that they share; the oldest are forgotten first.

    It saves them a first attempt in vain. Cards are kept as numbers that tell nothing.
    """

    def __init__(self, most: int = MOST_SHARERS) -> None:
        """Begin with nobody."""
        self._most = most
        self._known: dict[int, None] = {}

    def add(self, member: UUID, command: Command | None = None) -> None:
        """Remember a member, and the card that a command named it by."""
        self._known[hash(member)] = None
        if isinstance(command, IssueBody | RedeemBody) and command.card is not None:
            self._known[hash(command.card)] = None
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def __bool__(self) -> bool:
        return bool(self._known)

    def __contains__(self, member: UUID) -> bool:
        return hash(member) in self._known

    def isdisjoint(self, members: Iterable[UUID]) -> bool:
        """Tell whether none of `members` is among them."""
        return not self._known or self._known.keys().isdisjoint(map(hash, members))

    def names(self, command: Command | QuoteBody) -> bool:
        """Tell whether a command that may need a plan names one of them."""
        if not self._known or not isinstance(command, IssueBody | RedeemBody):
            return False
        named = command.member_id or command.card
        return hash(named) in self._known


class Planning(NamedTuple):
    """Who plans, and for whom."""

    pools: Pools
    sharers: Sharers
    is_asked: bool = True
    """Whether acts are planned; else who shares gets `NeedsPlan`."""


class Pooled:
    """The acts of one batch that are planned, by their positions among what was asked."""

    def __init__(self, planning: Planning | None, at: datetime) -> None:
        """Begin without acts; without `planning` there are none."""
        self._planning = planning if planning is not None and planning.is_asked else None
        self._pools = NoPools() if planning is None else planning.pools
        self._at = at
        self._wishes: dict[int, PoolWish] = {}
        self._plans: dict[int, PoolPlan] = {}

    @property
    def is_needed(self) -> bool:
        """Tell whether any act is planned."""
        return bool(self._plans)

    async def plan(self, connection: Connection, drafted: dict[int, Drafted]) -> dict[int, Refused]:
        """Put plans into those `drafted` whose holders share; return what may not be done."""
        if self._planning is None:
            return {}
        sharers = self._planning.sharers
        if not sharers:
            return {}
        self._wishes = {
            position: _wish(one.draft)
            for position, one in drafted.items()
            if isinstance(one.draft, _Pooled) and one.draft.holder in sharers
        }
        if not self._wishes:
            return {}
        wanted = list(self._wishes.values())
        plans = await self._planning.pools.plans(connection, wanted, self._at)
        refused: dict[int, Refused] = {}
        for position, plan in zip(list(self._wishes), plans, strict=True):
            if isinstance(plan, Refused):
                refused[position] = plan
                continue
            self._plans[position] = plan
            one = drafted[position]
            drafted[position] = structs.replace(one, draft=_planned(one.draft, plan))
        return refused

    async def lock(
        self, connection: Connection, drafts: Mapping[int, Draft]
    ) -> dict[int, Draft | Refused]:
        """Return what stands in place of the planned ones among `drafts`, whose holders are locked.

        What the plans rest on stays locked until the transaction ends. Raises `PlansChangedError`
        where others take part now than those who are locked.
        """
        assert self._planning is not None, "without planning nothing is planned"
        positions = [i for i in sorted(drafts) if i in self._plans]
        if not positions:
            return {}
        for i in positions:
            self._wishes[i] = _wish(drafts[i])
        now = await self._planning.pools.lock(
            connection,
            [self._wishes[i] for i in positions],
            [self._plans[i] for i in positions],
            self._at,
        )
        instead: dict[int, Draft | Refused] = {}
        for i, plan in zip(positions, now, strict=True):
            if isinstance(plan, Refused):
                instead[i] = plan
                continue
            before = _planned(drafts[i], self._plans[i])
            instead[i] = after = _planned(drafts[i], plan)
            if not set(others_of(after)) <= set(others_of(before)):
                raise PlansChangedError
            self._plans[i] = plan
        return instead

    async def count(
        self, connection: Connection, positions: Sequence[int], outcomes: Sequence[Outcome]
    ) -> None:
        """Let what was done under plans count; raise `PlansChangedError` for what needed one."""
        if self._planning is None:
            return
        unplanned = [one.member for one in outcomes if isinstance(one, NeedsPlan)]
        if unplanned:
            raise PlansChangedError(unplanned)
        done = [
            PoolUse(self._wishes[i], self._plans[i], outcome)
            for i, outcome in zip(positions, outcomes, strict=True)
            if i in self._plans and not isinstance(outcome, Refused)
        ]
        if done:
            await self._planning.pools.used(connection, done, self._at)

    async def come_back(
        self, connection: Connection, drafts: Sequence[Draft], outcomes: Sequence[Outcome]
    ) -> None:
        """Let what was returned, given up or left by a capture count no longer."""
        back = list(_returns(drafts, outcomes))
        if back:
            await self._pools.come_back(connection, back)


def _returns(drafts: Sequence[Draft], outcomes: Sequence[Outcome]) -> Iterator[PoolReturn]:
    for draft, outcome in zip(drafts, outcomes, strict=True):
        if type(draft) not in _RETURNING:
            continue
        if isinstance(draft, Reverse) and isinstance(outcome, Posted):
            yield PoolReturn(draft.posting, outcome.holder, outcome.points)
        elif isinstance(draft, Void) and isinstance(outcome, Held):
            yield PoolReturn(draft.hold, outcome.holder, None)
        elif isinstance(draft, Capture) and isinstance(outcome, Posted):
            yield PoolReturn(draft.hold, outcome.holder, outcome.points, outcome.posting)


def _wish(draft: Draft) -> PoolWish:
    assert isinstance(draft, _Pooled), "only what gives and takes points is planned"
    if isinstance(draft, Issue):
        points = sum(grant.points for grant in draft.grants)
        currency_no = draft.grants[0].provenance.currency_no if draft.grants else 1
        act = PoolAct.ISSUE
    else:
        points, currency_no = draft.points, draft.currency_no
        act = PoolAct.HOLD if isinstance(draft, Hold) else PoolAct.REDEEM
    return PoolWish(draft.holder, act, points, draft.till.occurred_at, currency_no)


def _planned(draft: Draft, plan: PoolPlan) -> Draft:
    if isinstance(draft, Issue):
        return structs.replace(draft, onward=plan.onward)
    assert isinstance(draft, Redeem | Hold), "only what gives and takes points is planned"
    return structs.replace(draft, sources=plan.sources)
