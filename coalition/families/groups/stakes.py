"""What each member has in the pot of a group, lot by lot, and where it goes at an exit.

The one who looks at what it would take out and the one who leaves are told by the same functions.
Only what can be spent is there to be taken: ended points are booked, suspended ones wait. And what
only a suspended expiry keeps alive would end on the way, so it stays where it is.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.families.evaluator.shares import proportional
from coalition.families.groups.gathering import OpenGroup
from coalition.families.kin.group_refusals import HeirNeeded
from coalition.families.rule_sets.vocabulary import OnExit
from coalition.kernel.database import Connection
from coalition.ledger import holders, lots
from coalition.ledger.rules import Available

NOBODY: frozenset[int] = frozenset()
"""No funder is suspended."""


class StakeLot(NamedTuple):
    """Points of one lot, with who brought them."""

    lot: UUID
    holder: UUID
    contributor: UUID
    issuer_no: int
    funder_no: int
    class_no: int
    earned_month: int
    points: int
    ends_on: date | None
    """The last day on which they can be spent, as things stand; None is never."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Points that go from one holder to another because somebody leaves a group."""

    sender: UUID
    receiver: UUID
    points: int
    brought_by: UUID | None = None
    """Only what this member brought; None is anything that the sender has."""
    contributor: UUID | None = None
    """Who counts as having brought them there; None is the receiver itself."""
    comes_home: bool = False
    """Whether the receiver takes out what it brought: as it was before the pool had it."""


class Leaver(NamedTuple):
    """Who leaves: its place in the pot, under all ids that it has had."""

    member: UUID
    ids: frozenset[UUID]


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """Who leaves a group by which treatment, and who stays."""

    treatment: OnExit
    leavers: tuple[Leaver, ...]
    staying: tuple[Leaver, ...]
    heir: UUID | None = None
    closes: bool = False
    """Whether the group ends with it, so that nothing can stay in its account."""


async def pot_of(
    connection: Connection, group: OpenGroup, *, closes: bool = False
) -> list[StakeLot]:
    """Return what lies in the pot of a group and was brought by somebody else than its holder.

    Where the group `closes`, points of funders in default are among it, though nobody can spend
    them now: else they would stay where nobody ever could.
    """
    if group.pot is None:
        return []
    suspended = NOBODY if closes else None
    return [
        lot
        for lot in await spendable(connection, group, [group.pot], suspended=suspended)
        if lot.contributor != group.pot
    ]


async def spendable(
    connection: Connection,
    group: OpenGroup,
    wanted: Collection[UUID],
    *,
    suspended: Collection[int] | None = None,
) -> list[StakeLot]:
    """Return the lots of some holders that can be spent, in the group's point currency.

    Nothing of the funders who are `suspended`; None is those whose points are so now.
    """
    book = group.book
    live = await lots.live(
        connection,
        wanted,
        group.row.currency_no,
        book.today,
        book.terms.catalogue.suspended_at(book.at) if suspended is None else suspended,
    )
    found = [(holder, one) for holder, available in live.items() for one in available]
    if not found:
        return []
    kept = await lots.read(
        connection, [one.lot for _, one in found], [holder for holder, _ in found], book.today
    )
    return [_stake(holder, one, kept[one.lot]) for holder, one in found]


async def leavers(connection: Connection, members: Iterable[UUID]) -> tuple[Leaver, ...]:
    """Return members with the ids of those who were merged into them."""
    return tuple(
        [
            Leaver(one, frozenset({one, *await holders.merged_into(connection, one)}))
            for one in members
        ]
    )


def movable(there: Iterable[StakeLot], today: date) -> list[StakeLot]:
    """Return what arrives with somebody else: not what only a suspension keeps from ending."""
    return [lot for lot in there if lot.ends_on is None or lot.ends_on >= today]


def brought(pot: Iterable[StakeLot], ids: Collection[UUID]) -> int:
    """Return how many points of the pot somebody brought."""
    return sum(lot.points for lot in pot if lot.contributor in ids)


def moves_of(group: OpenGroup, pot: Sequence[StakeLot], leaving: Exit) -> list[Move]:
    """Return what moves when members leave a group in such a way. Raises `HeirNeeded`.

    Shares are split by the largest remainder, ties by member id.
    """
    if group.pot is None:
        return []
    by_contributor: dict[UUID, int] = defaultdict(int)
    for lot in movable(pot, group.book.today):
        by_contributor[lot.contributor] += lot.points
    moves = []
    for leaver in leaving.leavers:
        for one in sorted(leaver.ids & by_contributor.keys()):
            moves += _of_share(group, pot, leaving, leaver.member, (one, by_contributor.pop(one)))
    if leaving.closes and group.row.pool is not None:
        for one in sorted(by_contributor):
            moves += _orphaned(group, pot, leaving, (one, by_contributor[one]))
    return moves


def own_moves(group: OpenGroup, own: int, leaving: Exit, weights: Mapping[UUID, int]) -> list[Move]:
    """Return what becomes of the points that lie with one who died. Raises `HeirNeeded`.

    What stays in a pool, or with the head, goes there; what is split is so in proportion to
    `weights`. Whose own share is kept keeps it for the estate.
    """
    (leaver,) = leaving.leavers
    if not own or leaving.treatment is OnExit.KEEP_OWN_SHARE:
        return []
    if leaving.treatment is OnExit.TO_HEIR:
        shares = {_heir(leaving): own}
    elif leaving.treatment is OnExit.SPLIT:
        shares = _split(own, weights, group.row.head)
    elif leaving.treatment is OnExit.STAYS_IN_POOL and group.row.pool is not None:
        pool = group.row.pool
        contributor = leaver.member
        return [Move(sender=leaver.member, receiver=pool, points=own, contributor=contributor)]
    else:
        shares = {group.row.head: own}
    return [
        Move(sender=leaver.member, receiver=receiver, points=points)
        for receiver, points in shares.items()
        if points and receiver != leaver.member
    ]


def _of_share(
    group: OpenGroup,
    pot: Sequence[StakeLot],
    leaving: Exit,
    leaver: UUID,
    share: tuple[UUID, int],
) -> list[Move]:
    """Return where the points go that one who leaves has brought.

    A group that closes splits them in proportion to what each brought: so everybody has its own.
    """
    _, points = share
    treatment = leaving.treatment
    in_proportion = treatment is OnExit.SPLIT and leaving.closes
    if treatment is OnExit.KEEP_OWN_SHARE or in_proportion:
        home = _to(group, {leaver: points}, share)
        return [msgspec.structs.replace(one, comes_home=True) for one in home]
    if treatment is OnExit.TO_HEIR:
        return _to(group, {_heir(leaving): points}, share)
    if treatment is OnExit.SPLIT:
        weights = {one.member: brought(pot, one.ids) for one in leaving.staying}
        return _to(group, _split(points, weights, group.row.head), share)
    if treatment is OnExit.STAYS_WITH_HEAD or leaving.closes:
        return _to(group, {group.row.head: points}, share)
    return []


def _orphaned(
    group: OpenGroup, pot: Sequence[StakeLot], leaving: Exit, share: tuple[UUID, int]
) -> list[Move]:
    """Return where the points of those go who left them in a pool that closes now."""
    if leaving.treatment in (OnExit.STAYS_IN_POOL, OnExit.STAYS_WITH_HEAD):
        return _to(group, {group.row.head: share[1]}, share)
    weights = {one.member: brought(pot, one.ids) for one in (*leaving.leavers, *leaving.staying)}
    return _to(group, _split(share[1], weights, group.row.head), share)


def _to(group: OpenGroup, shares: Mapping[UUID, int], share: tuple[UUID, int]) -> list[Move]:
    contributor, _ = share
    assert group.pot is not None, "what moves out lies in a pot"
    return [
        Move(sender=group.pot, receiver=receiver, points=points, brought_by=contributor)
        for receiver, points in shares.items()
        if points and receiver != group.pot
    ]


def _split(points: int, weights: Mapping[UUID, int], head: UUID) -> dict[UUID, int]:
    """Share points out in proportion; where nobody has brought anything, the head has them."""
    counting = {member: weight for member, weight in weights.items() if weight > 0}
    if not counting:
        return {head: points}
    return dict(proportional(points, list(counting.items())))


def _heir(leaving: Exit) -> UUID:
    if leaving.heir is None:
        raise HeirNeeded
    return leaving.heir


def _stake(holder: UUID, one: Available, kept: lots.KeptLot) -> StakeLot:
    provenance = kept.provenance
    return StakeLot(
        one.lot,
        holder,
        provenance.contributor or holder,
        provenance.issuer_no,
        provenance.funder_no,
        provenance.class_no,
        provenance.earned_month,
        one.points,
        _end(one),
    )


def _end(one: Available) -> date | None:
    if one.end is None:
        return None
    return min(filter(None, (one.end.expires_on, one.end.live_until)), default=None)
