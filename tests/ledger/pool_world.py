"""Members who spend and earn together, for tests of the ledger."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from coalition.kernel.database import transaction
from coalition.ledger import audit, passages, resolutions
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Capture, Draft, Grant, Held, Hold, Issue, Posted, Redeem, Void
from coalition.ledger.holders import set_state
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.passages import Passage
from coalition.ledger.posting import POSTER_ROLE
from coalition.ledger.selecting import LotFilter, NewEnd, Onward, Sources, SpendOrder
from tests.support.ledger import FUEL, GROCER, balance, issue, open_holder, post, provenance, till


async def member(at: datetime, points: int, *, expires_on: date | None = None) -> UUID:
    """Return a new holder with `points` of one lot."""
    holder = await open_holder(at)
    await post([issue(holder, points, at, expires_on=expires_on)], at)
    return holder


async def members(at: datetime, *points: int) -> list[UUID]:
    """Return new holders with so many points each, in the order of their ids."""
    made = [await open_holder(at) for _ in points]
    made.sort(key=lambda holder: holder.bytes)
    await post([issue(one, each, at) for one, each in zip(made, points, strict=True) if each], at)
    return made


def spend(
    holder: UUID,
    points: int,
    at: datetime,
    others: Sequence[UUID] = (),
    *,
    order: SpendOrder = SpendOrder.OWN_FIRST,
    own: bool = True,
    protected: frozenset[UUID] = frozenset(),
    lots: LotFilter | None = None,
) -> Redeem:
    """Return a draft that redeems `points` of a holder and others."""
    sources = Sources(order=order, holders=tuple(others), own=own, protected=protected, lots=lots)
    return Redeem(holder, till(FUEL, at), 1, points, sources)


def reserve(
    holder: UUID, points: int, at: datetime, others: Sequence[UUID], receipt: str = "h1"
) -> Hold:
    """Return a draft that holds `points` of a holder and others for an hour."""
    sources = Sources(holders=tuple(others))
    return Hold(holder, till(FUEL, at, receipt), 1, points, at + timedelta(hours=1), sources)


def share_of(
    holder: UUID,
    points: int,
    at: datetime,
    receiver: UUID,
    percent: int,
    *,
    endings: Mapping[int, NewEnd] | None = None,
    classes: Mapping[int, int] | None = None,
) -> Issue:
    """Return a draft that issues `points`, of which a share goes on to another."""
    onward = Onward(receiver=receiver, percent=percent, endings=endings, classes=classes)
    return Issue(holder, till(GROCER, at), (Grant(provenance(), points),), onward=(onward,))


async def done(draft: Draft, at: datetime) -> Posted:
    """Post a draft that must succeed."""
    [outcome] = await post([draft], at)
    assert isinstance(outcome, Posted), outcome
    return outcome


async def held(draft: Hold, at: datetime) -> Held:
    """Post a hold that must succeed."""
    [outcome] = await post([draft], at)
    assert isinstance(outcome, Held), outcome
    return outcome


def capture(hold: Held, points: int | None = None) -> Capture:
    return Capture(hold.hold, FUEL, None, points)


def void(hold: Held) -> Void:
    return Void(hold.hold, FUEL)


async def let_go(at: datetime) -> int:
    """Let holds expire that are due."""
    await ensure_partition(at)
    async with transaction(role=POSTER_ROLE) as connection:
        return await resolutions.expire_holds(connection, at)


async def balances(holders: Sequence[UUID], at: datetime) -> list[int]:
    return [await balance(holder, at) for holder in holders]


async def kept(act: UUID) -> list[Passage]:
    """Return the passages of an act."""
    async with transaction() as connection:
        return (await passages.read(connection, [act])).get(act, [])


async def is_proved() -> bool:
    """Tell whether the audit finds nothing; show what it finds."""
    report = await audit.run()
    assert report.breaches == []
    return report.ok


async def put(holder: UUID, state: HolderState) -> None:
    """Freeze, close or reopen a holder."""
    async with transaction() as connection:
        await set_state(connection, holder, state)
