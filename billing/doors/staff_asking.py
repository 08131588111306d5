"""How the doors of staff keep first answers, and show and decide what two persons do."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from coalition.kernel import idempotency
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.jobs import JobRequest, enqueue
from coalition.kernel.web.decoding import encode
from coalition.kernel.web.fields import Body, ShortText
from coalition.kernel.web.hot import REPLAY_HEADER, REPLAYED, Answer, Call, HotEndpoint
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
from coalition.oversight.refusals import (
    ApprovalDecided,
    ApprovalExpired,
    ReasonNeeded,
    SecondPersonNeeded,
    UnknownApproval,
)

READ, PREPARE, APPROVE = "memberships:read", "memberships:prepare", "memberships:approve"
"""The scopes of whoever looks after plans and memberships."""

OF_WRITES = (KeyReused, RequestInProgress)
_OF_DECISIONS = (UnknownApproval, ApprovalDecided)

Around = Callable[[UUID, datetime], AbstractAsyncContextManager[None]]

ReasonText = Annotated[ShortText, Meta(description="Why; it is kept in the audit log")]


class MembershipRejection(Body, frozen=True):
    """Why it is not to be."""

    reason: ReasonText


class MembershipProposal(msgspec.Struct, frozen=True, kw_only=True):
    """What was proposed and waits for its second person; `payload` is what would be done."""

    approval_id: UUID
    kind: str
    subject: str
    payload: dict[str, Any]  # Any: JSON, of the shape of the kind
    prepared_by: str
    prepared_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, one: Approval) -> "MembershipProposal":
        """Return an approval as staff see it."""
        return cls(
            approval_id=one.id,
            kind=one.kind,
            subject=one.subject,
            payload=msgspec.json.decode(one.payload),
            prepared_by=one.prepared_by,
            prepared_at=one.prepared_at,
            expires_at=one.expires_at,
        )


class MembershipProposals(msgspec.Struct, frozen=True):
    """What waits for its second person, the oldest first."""

    items: list[MembershipProposal]


class MembershipDecision(msgspec.Struct, frozen=True, kw_only=True):
    """That a proposal was decided, and by whom."""

    approval_id: UUID
    state: str
    decided_by: str


async def answer_once(
    call: Call, address: str, status: int, work: Callable[[Connection], Awaitable[object]]
) -> Answer:
    """Do `work` with the claim of the call in one transaction, or give the first answer again."""

    async def done(connection: Connection) -> idempotency.Answer:
        content = encode(await work(connection), call.media)
        return idempotency.Answer(status, call.media.value, content)

    claim = Claim.of(call.caller.client_no, call.idempotency_key, address, call.body_digest)
    known = await idempotency.once(claim, call.at, done)
    headers = (REPLAYED,) if known.replayed else ()
    return Answer(known.status, known.body, headers, known.media_type)


async def act_once(
    call: Call, address: str, status: int, work: Callable[[str], Awaitable[object]]
) -> Answer:
    """Do `work`, which asks Stripe, by a key of its own, or give the first answer again.

    No transaction is open meanwhile: what comes between the act and its answer's keeping is the
    same act at Stripe, by the same key.
    """
    claim = Claim.of(call.caller.client_no, call.idempotency_key, address, call.body_digest)
    async with transaction() as connection:
        known = idempotency.replay(claim, await idempotency.find(connection, [claim]))
    if isinstance(known, KeyReused):
        raise known
    if known is None:
        content = encode(await work(f"{call.caller.client_no}:{call.idempotency_key}"), call.media)

        async def done(connection: Connection) -> idempotency.Answer:
            del connection
            return idempotency.Answer(status, call.media.value, content)

        known = await idempotency.once(claim, call.at, done)
    headers = (REPLAYED,) if known.replayed else ()
    return Answer(known.status, known.body, headers, known.media_type)


async def waiting_one(connection: Connection, approval_id: UUID) -> MembershipProposal:
    """Return what was proposed just now."""
    row = await connection.fetchrow("SELECT * FROM approval WHERE id = $1", approval_id)
    return MembershipProposal.of(msgspec.convert(dict(row), Approval))


async def _kind_of(connection: Connection, approval_id: UUID, kinds: tuple[str, ...]) -> str:
    kind: str | None = await connection.fetchval(
        "SELECT kind FROM approval WHERE id = $1 AND kind = ANY ($2)", approval_id, list(kinds)
    )
    if kind is None:
        raise UnknownApproval
    return kind


async def soon(connection: Connection, job: str) -> None:
    """Have the worker do a job of the clock now, unless it waits for it already."""
    await enqueue(connection, [JobRequest(job, dedupe_key=f"schedule:{job}")])


def listing(kinds: tuple[str, ...], *, summary: str, tags: tuple[str, ...]) -> HotEndpoint:
    """Return the door of what waits for its second person."""

    async def listed(call: Call) -> Answer:
        found = [one for one in await approvals.waiting(at=call.at) if one.kind in kinds]
        return Answer(200, MembershipProposals([MembershipProposal.of(one) for one in found]))

    return HotEndpoint(
        method="GET",
        summary=summary,
        handle=listed,
        answers={200: MembershipProposals},
        scope=(READ, PREPARE, APPROVE),
        tags=tags,
    )


def approving(
    kinds: tuple[str, ...],
    address: str,
    *,
    summary: str,
    tags: tuple[str, ...],
    refusals: tuple[type[Refused], ...] = (),
    around: Around | None = None,
) -> HotEndpoint:
    """Return the door by which a second person approves.

    `around` is what is done before an approval's transaction and after it, where Stripe is asked.
    """

    async def approve(call: Call) -> Answer:
        approval_id: UUID = call.path["approval_id"]

        async def work(connection: Connection) -> MembershipDecision:
            kind = await _kind_of(connection, approval_id, kinds)
            by = call.caller.actor
            await approvals.approve(approval_id, approved_by=by, at=call.at, kind=kind)
            return MembershipDecision(approval_id=approval_id, state="applied", decided_by=by)

        async with nullcontext() if around is None else around(approval_id, call.at):
            return await answer_once(call, f"{address}/{approval_id}/approve", 200, work)

    return HotEndpoint(
        method="POST",
        summary=summary,
        handle=approve,
        answers={200: MembershipDecision},
        scope=APPROVE,
        idempotent=True,
        refusals=(
            *(*OF_WRITES, *_OF_DECISIONS, ApprovalExpired, SecondPersonNeeded),
            *refusals,
        ),
        tags=tags,
        answer_headers=REPLAY_HEADER,
    )


def rejecting(kinds: tuple[str, ...], address: str, *, tags: tuple[str, ...]) -> HotEndpoint:
    """Return the door by which a proposal is rejected, or taken back."""

    async def reject(call: Call) -> Answer:
        approval_id: UUID = call.path["approval_id"]

        async def work(connection: Connection) -> MembershipDecision:
            kind = await _kind_of(connection, approval_id, kinds)
            by, reason = call.caller.actor, call.body.reason
            await approvals.reject(
                approval_id, rejected_by=by, reason=reason, at=call.at, kind=kind
            )
            return MembershipDecision(approval_id=approval_id, state="rejected", decided_by=by)

        return await answer_once(call, f"{address}/{approval_id}/reject", 200, work)

    return HotEndpoint(
        method="POST",
        summary="Reject what another proposed, or take back what you proposed",
        handle=reject,
        body=MembershipRejection,
        answers={200: MembershipDecision},
        scope=(PREPARE, APPROVE),
        idempotent=True,
        refusals=(*OF_WRITES, *_OF_DECISIONS, ReasonNeeded),
        tags=tags,
        answer_headers=REPLAY_HEADER,
    )
