"""Merging: one person who was enrolled twice becomes one member, by two persons of the staff.

Everything of the one goes over to the other, the survivor: points and debts in the ledger, cards
and contacts, relations, consents and standings. The merged member's personal data are erased with
their key. Its id stays and leads to the survivor in one hop, however many merges follow.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of
from coalition.ledger import holders
from coalition.ledger import merging as ledger
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import MergeWithItself
from coalition.members import consents, queries, relations, sealing, standings
from coalition.members.closing import day
from coalition.members.locking import lock_open
from coalition.members.personal import united
from coalition.members.refusals import ErasureUnderWay
from coalition.members.sealing import MemberKeys
from coalition.members.service import opened
from coalition.oversight import approvals, audit_log
from coalition.oversight.reasons import valid_reason

KIND = "member_merge"
"""The kind of approval by which two members become one."""


class PreparedMerge(msgspec.Struct, frozen=True):
    """What the second person sees and approves: the payload of the approval."""

    from_id: MemberId
    into_id: MemberId
    reason: str


class Merged(msgspec.Struct, frozen=True):
    """A merge that was done: what went over, points of all currencies and points owed."""

    from_id: MemberId
    into_id: MemberId
    points: int
    owed: int


_ERASURE = """
SELECT EXISTS (SELECT FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, member_id)
               JOIN erasure USING (bucket, member_id))
"""

Follower = Callable[[Connection, MemberId, MemberId, datetime], Awaitable[None]]
"""What a package above has to do, or to refuse, when a member is merged.

It gets the connection of the merge, the merged member and the survivor, both locked, and the
instant; what it refuses stops the merge.
"""


class _Help(NamedTuple):
    """What a merge needs that no approval may carry."""

    keys: MemberKeys
    followers: Sequence[Follower]


_help: ContextVar[_Help] = ContextVar("help for the merge under way")


async def prepare(
    *, from_id: MemberId, into_id: MemberId, reason: str, prepared_by: str, at: datetime
) -> UUID:
    """Prepare that `from_id` becomes part of `into_id`; return the id of the approval.

    Raises `MergeWithItself`, `ReasonNeeded` and what `lock_open` does; all is judged again when the
    second person approves.
    """
    if from_id == into_id:
        raise MergeWithItself
    wanted = PreparedMerge(from_id, into_id, valid_reason(reason))
    async with transaction() as connection:
        await lock_open(connection, (from_id, into_id))
        return await approvals.prepare(
            kind=KIND,
            subject=f"member:{from_id}",
            payload=wanted,
            prepared_by=prepared_by,
            at=at,
        )


async def approve(
    approval_id: UUID,
    *,
    approved_by: str,
    keys: MemberKeys,
    followers: Sequence[Follower],
    at: datetime,
) -> Merged:
    """Merge as the second person what was prepared; `followers` then do what is theirs.

    Raises what `approvals.approve`, `lock_open` and the ledger's `merge` do.
    """
    await ensure_partition(at)
    token = _help.set(_Help(keys, followers))
    try:
        merged = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    finally:
        _help.reset(token)
    assert isinstance(merged, Merged), "the applier of this kind returns what it merged"
    return merged


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: approvals.Approval) -> Merged:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedMerge)
    return await merge(
        connection,
        from_id=wanted.from_id,
        into_id=wanted.into_id,
        keys=_help.get().keys,
        followers=_help.get().followers,
        actor=approval.decided_by,
        at=approval.decided_at,
    )


async def merge(
    connection: Connection,
    *,
    from_id: MemberId,
    into_id: MemberId,
    keys: MemberKeys,
    followers: Sequence[Follower],
    actor: str,
    at: datetime,
) -> Merged:
    """Merge `from_id` into `into_id`, which two persons agreed on, in the caller's transaction.

    `ensure_partition(at)` came before it. Raises `MergeWithItself`, `HolderHasHolds`,
    `HolderNotActive` for one who is frozen, `ErasureUnderWay` for one who asked to be forgotten,
    and what `lock_open` does.
    """
    if from_id == into_id:
        raise MergeWithItself
    both = (from_id, into_id)
    await lock_open(connection, both)
    # What the person wanted forgotten would live on with the survivor.
    if await connection.fetchval(_ERASURE, [bucket_of(one) for one in both], both):
        raise ErasureUnderWay
    outcome = await ledger.merge(
        connection,
        from_holder=from_id,
        into_holder=into_id,
        at=at,
        today=await day(connection, at),
    )
    await _unite_people(connection, from_id, into_id, keys)
    await relations.take_over(connection, from_id=from_id, into_id=into_id)
    await consents.take_over(connection, from_id=from_id, into_id=into_id, at=at)
    await standings.take_over(connection, from_id=from_id, into_id=into_id, at=at)
    for follower in followers:
        await follower(connection, from_id, into_id, at)
    earlier = await queries.forward(connection, from_id, into_id, at)
    await holders.forward(connection, earlier, into_id)
    await audit_log.record(
        connection,
        actor=actor,
        action="member.merged",
        subject=f"member:{from_id}",
        facts={"into": into_id, "points": outcome.points, "owed": outcome.owed},
        at=at,
    )
    return Merged(from_id, into_id, outcome.points, outcome.owed)


async def _unite_people(
    connection: Connection, from_id: MemberId, into_id: MemberId, keys: MemberKeys
) -> None:
    """Let the survivor be found by all contacts of both; erase the other's data with their key."""
    gone = await queries.lock_member(connection, from_id)
    kept = await queries.lock_member(connection, into_id)
    assert gone is not None, "both members are locked"
    assert kept is not None, "both members are locked"
    data, key = opened(kept, member_id=into_id, keys=keys)
    others, _ = opened(gone, member_id=from_id, keys=keys)
    assert kept.sealed is not None, "what was opened was sealed"
    plaintext = msgspec.json.encode(united(data, others))
    version = kept.sealed.version + 1
    sealed = sealing.seal(plaintext, member_id=into_id, key=key, version=version)
    await queries.change_personal_data(connection, into_id, sealed)
    await queries.hand_over_contacts(connection, from_id, into_id)
    await queries.erase_person(connection, from_id)
