"""Makes what a member gets agree with what its membership entitles it to, no more and no less.

Everything is written in advance, with its end: nothing has to run for benefits to begin or to stop.
Only what is given by the month is posted when its month has come, by `granting`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from billing.benefits import entitlement_rows, held_bonuses, held_standings, schedule
from billing.benefits.entitlements import Entitlement
from billing.benefits.held_bonuses import Earning
from billing.benefits.spans import Span, union
from billing.plans.catalogue import Plans
from billing.plans.documents import EarlyAccess, EarnMultiplier, MonthlyPoints
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.members.locking import lock_open
from coalition.members.standings import StandingKind


async def apply(
    connection: Connection,
    *,
    member: MemberId,
    membership_id: UUID,
    entitlements: Sequence[Entitlement],
    plans: Plans,
    at: datetime,
) -> bool:
    """Let the member have what `entitlements` say, all of its membership's, past and to come.

    Returns whether they are others than were applied last. The same again writes nothing. Works in
    the caller's transaction and locks the member. What a plan gives by the month is posted by the
    worker, within a minute. Raises what `lock_open` does for one who is a member no more.
    """
    await lock_open(connection, [member])
    return await apply_locked(
        connection,
        member=member,
        membership_id=membership_id,
        entitlements=entitlements,
        plans=plans,
        at=at,
    )


async def apply_locked(
    connection: Connection,
    *,
    member: MemberId,
    membership_id: UUID,
    entitlements: Sequence[Entitlement],
    plans: Plans,
    at: datetime,
) -> bool:
    """Do as `apply` for a member whom the caller has locked, be it one who leaves."""
    wanted = _wanted(entitlements, plans)
    await held_standings.agree(connection, member, membership_id, wanted.standings, at=at)
    await held_bonuses.agree(connection, member, membership_id, wanted.earnings, at=at)
    return await _keep(
        connection, member, membership_id, entitlements=entitlements, plans=plans, at=at
    )


async def apply_merged(
    connection: Connection,
    member: MemberId,
    membership_id: UUID,
    *,
    entitlements: Sequence[Entitlement],
    plans: Plans,
    at: datetime,
) -> bool:
    """Do as `apply_locked` for a member that was merged, who is and earns nothing any more.

    What was given by the month for what is taken back goes back of the survivor's points.
    """
    ended = [one for one in entitlements if one.ends <= at]
    return await _keep(connection, member, membership_id, entitlements=ended, plans=plans, at=at)


async def _keep(
    connection: Connection,
    member: MemberId,
    membership_id: UUID,
    *,
    entitlements: Sequence[Entitlement],
    plans: Plans,
    at: datetime,
) -> bool:
    """Keep entitlements, and have what is given by the month looked at where they are others."""
    changed = await entitlement_rows.replace(connection, member, membership_id, entitlements)
    if changed and _gives_by_the_month(entitlements, plans):
        await schedule.look_again(connection, member, membership_id, at)
    return changed


async def agrees(
    connection: Connection,
    member: MemberId,
    membership_id: UUID,
    entitlements: Sequence[Entitlement],
    plans: Plans,
) -> bool:
    """Tell whether a member has just what `entitlements` say, so that applying writes nothing."""
    wanted = _wanted(entitlements, plans)
    return await held_standings.agrees(
        connection, member, membership_id, wanted.standings
    ) and await held_bonuses.agrees(connection, member, membership_id, wanted.earnings)


class _Wanted(NamedTuple):
    standings: dict[tuple[StandingKind, str], list[Span]]
    earnings: dict[Earning, list[Span]]


def _wanted(entitlements: Iterable[Entitlement], plans: Plans) -> _Wanted:
    """Return for which spans of time a member should be and earn what."""
    standings: dict[tuple[StandingKind, str], list[Span]] = defaultdict(list)
    earnings: dict[Earning, list[Span]] = defaultdict(list)
    for one in entitlements:
        document = plans.plan(one.plan_no).document
        span = one.begins, one.ends
        standings[StandingKind.PLAN, document.code].append(span)
        for benefit in document.benefits:
            if isinstance(benefit, EarlyAccess):
                standings[StandingKind.FLAG, benefit.flag].append(span)
            elif isinstance(benefit, EarnMultiplier):
                earnings[held_bonuses.earning(document.name, benefit)].append(span)
    return _Wanted(
        {key: union(spans) for key, spans in standings.items()},
        {one: union(spans) for one, spans in earnings.items()},
    )


def _gives_by_the_month(entitlements: Iterable[Entitlement], plans: Plans) -> bool:
    return any(
        isinstance(benefit, MonthlyPoints)
        for plan_no in {one.plan_no for one in entitlements}
        for benefit in plans.plan(plan_no).document.benefits
    )
