"""Expiry that a member's own tier suspends for what it brought into a pot, where rules say so.

Whose tiers count is told to the ledger when somebody comes into the group, and by a job where the
rules have changed; from then on the ledger hears of each tier by itself. Of who leaves, and leaves
its points, they go on to count.
"""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

import asyncpg

from coalition.families.groups.gathering import OpenGroup
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Mechanism
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.ledger import holders, kept_shares
from coalition.ledger.kept_shares import Share
from coalition.members import suspending

GROUPS_AT_ONCE = 500

_AT_HEAD = (Mechanism.SWEEP_TO_HEAD, Mechanism.LINKED_WALLET)

_POTS = """
SELECT family_group.id, family_group.rule_set_no, family_group.head, family_group.pool,
       array_agg(group_member.member_id) AS members
FROM family_group
JOIN group_member ON group_member.bucket = family_group.bucket
    AND group_member.group_id = family_group.id
WHERE family_group.rule_set_no = ANY ($1::int4[]) AND family_group.state <> 'closed'
    AND family_group.id > $2
    AND group_member.left_at IS NULL AND group_member.member_id IS NOT NULL
GROUP BY family_group.id, family_group.rule_set_no, family_group.head, family_group.pool
ORDER BY family_group.id LIMIT $3
"""


class Page(NamedTuple):
    """Some groups that were looked at: the last one, and those in which something is to change."""

    last: UUID | None
    differing: list[UUID]


async def follow(connection: Connection, group: OpenGroup) -> None:
    """Let what members brought into the pot of a locked group follow their tiers, or no longer."""
    if group.pot is None:
        return
    if not group.rules.expiry.suspended_by_own_tier:
        pool = group.row.pool
        if pool is not None and (await kept_shares.read(connection, [pool])).get(pool):
            await kept_shares.forget(connection, pool)
        return
    members = [one for one in group.members if one != group.pot]
    until = await suspending.by_own_tier(connection, [MemberId(one) for one in members])
    shares: dict[UUID, Share] = {}
    for member in members:
        share = Share(member, until.get(MemberId(member)))
        for one in (member, *await holders.merged_into(connection, member)):
            shares[one] = share
    await kept_shares.follow(connection, group.pot, shares)


async def differing(connection: Connection, book: Book, after: UUID) -> Page:
    """Return some groups, behind `after`, whose pots do not follow tiers as rules say."""
    rules: dict[int, RuleSet] = {
        no: bound.rule_set
        for no in sorted({one.rule_set_no for one in book.rules.versions})
        if (bound := book.rules.rule_set(no, book.at)) is not None
        and (bound.rule_set.mechanism is Mechanism.POOL_ACCOUNT or _is_at_head(bound.rule_set))
    }
    rows = await connection.fetch(_POTS, list(rules), after, GROUPS_AT_ONCE) if rules else []
    pots = {row["id"]: row["pool"] or row["head"] for row in rows}
    kept = await kept_shares.read(connection, set(pots.values()))
    found = [
        row["id"]
        for row in rows
        if _differs(rules[row["rule_set_no"]], row, kept.get(pots[row["id"]], {}))
    ]
    return Page(rows[-1]["id"] if rows else None, found)


def _is_at_head(rules: RuleSet) -> bool:
    return rules.mechanism in _AT_HEAD


def _differs(rules: RuleSet, row: asyncpg.Record, followed: Mapping[UUID, Share]) -> bool:
    """Tell whether somebody's tiers count, or do not, otherwise than the rules of a pot say.

    The account of a head may be the pot of several groups: what counts there goes on to.
    """
    if not rules.expiry.suspended_by_own_tier:
        return row["pool"] is not None and bool(followed)
    pot = row["pool"] or row["head"]
    return not followed.keys() >= set(row["members"]) - {pot}
