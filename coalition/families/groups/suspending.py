"""Expiry that a head's tier suspends for its whole group, where the rules say so.

Each holder of the group, and its account, is suspended for as long as the head is, or longer by its
own tier. Done when somebody joins, leaves or takes over, and by a job for tiers that come and go.
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from uuid import UUID

from coalition.families.groups import keeping_shares
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.keeping_shares import Page
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.ledger import holders
from coalition.ledger.holders import Standing
from coalition.members import suspending

GROUPS_AT_ONCE = 500

_DAY = timedelta(days=1)

_GROUPS = """
SELECT family_group.id, family_group.head, family_group.pool,
       array_agg(group_member.member_id) AS members
FROM family_group
JOIN group_member ON group_member.bucket = family_group.bucket
    AND group_member.group_id = family_group.id
WHERE family_group.rule_set_no = ANY ($1::int4[]) AND family_group.state <> 'closed'
    AND family_group.id > $2
    AND group_member.left_at IS NULL AND group_member.member_id IS NOT NULL
GROUP BY family_group.id, family_group.head, family_group.pool
ORDER BY family_group.id LIMIT $3
"""


async def differing(connection: Connection, book: Book, after: UUID) -> Page:
    """Return some groups, behind `after`, that are not suspended as their heads are."""
    numbers = [
        no
        for no in sorted({one.rule_set_no for one in book.rules.versions})
        if (bound := book.rules.rule_set(no, book.at)) is not None
        and bound.rule_set.expiry.suspended_by_head_tier
    ]
    rows = await connection.fetch(_GROUPS, numbers, after, GROUPS_AT_ONCE) if numbers else []
    wanted = {
        row["id"]: {*row["members"], *(() if row["pool"] is None else (row["pool"],))}
        for row in rows
    }
    concerned = frozenset().union(*wanted.values())
    states = await holders.read_states(connection, concerned)
    own = await suspending.by_own_tier(connection, [MemberId(one) for one in concerned])
    found = [
        row["id"]
        for row in rows
        if _changes(
            _until(states, row["head"]),
            {one: states[one] for one in wanted[row["id"]] - {row["head"]}},
            own,
            book.today,
        )
    ]
    return Page(rows[-1]["id"] if rows else None, found)


async def follow(connection: Connection, group: OpenGroup) -> None:
    """Let a locked group be suspended as its head is, and its shares by own tiers, as rules say."""
    await keeping_shares.follow(connection, group)
    if not group.rules.expiry.suspended_by_head_tier:
        return
    head = group.row.head
    others = {*group.members, *(() if group.row.pool is None else (group.row.pool,))} - {head}
    states = await holders.read_states(connection, {head, *others})
    own = await suspending.by_own_tier(connection, [MemberId(one) for one in group.members])
    changes = _changes(
        _until(states, head), {one: states[one] for one in others}, own, group.book.today
    )
    await _change(connection, changes)


async def let_go(connection: Connection, group: OpenGroup, members: Collection[UUID]) -> None:
    """Let those who have left a locked group be suspended by their own tiers alone."""
    gone = set(members) - {group.row.head}
    if not group.rules.expiry.suspended_by_head_tier or not gone:
        return
    states = await holders.read_states(connection, gone)
    own = await suspending.by_own_tier(connection, [MemberId(one) for one in gone])
    await _change(connection, _changes(None, states, own, group.book.today))


def _until(states: Mapping[UUID, Standing], head: UUID) -> date | None:
    return states[head].suspended_until


def _changes(
    of_head: date | None,
    others: Mapping[UUID, Standing],
    own: Mapping[MemberId, date],
    today: date,
) -> dict[UUID, date]:
    """Return through which day each of `others` is to be suspended that is not so yet.

    A suspension that is over counts as none.
    """
    over = today - _DAY
    changes = {}
    for holder, state in others.items():
        until = max(of_head or over, own.get(MemberId(holder), over), over)
        if until != max(state.suspended_until or over, over):
            changes[holder] = until
    return changes


async def _change(connection: Connection, changes: Mapping[UUID, date]) -> None:
    for holder, until in sorted(changes.items()):
        await holders.resume_expiry(connection, holder, until)
        await holders.suspend_expiry(connection, holder, until)
