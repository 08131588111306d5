"""Approvals of finance: what waits for its second person, approved or rejected by that person."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
from coalition.oversight.refusals import (
    ApprovalDecided,
    ApprovalExpired,
    ReasonNeeded,
    SecondPersonNeeded,
    UnknownApproval,
)
from partners.settlement.finance_words import APPROVE, PREPARE, READ, TAGS, ReasonText
from partners.settlement.finance_writes import answer_once

KINDS: tuple[str, ...] = ()
"""The kinds of approvals that finance decides; others are as good as unknown here."""


class WaitingQuery(Body, frozen=True):
    """Which approvals are wanted: those that wait."""

    state: Literal["waiting"] = "waiting"


class ApprovalView(msgspec.Struct, frozen=True, kw_only=True):
    """What one person prepared; `proposal` says what will be done."""

    approval_id: UUID
    kind: str
    subject: str
    proposal: dict[str, Any]  # Any: a JSON object of the kind's own
    prepared_by: str
    prepared_at: datetime
    expires_at: datetime


class ApprovalList(msgspec.Struct, frozen=True):
    """What waits for its second person, the oldest first."""

    items: list[ApprovalView]


class RejectBody(Body, frozen=True):
    """Why it is not to be done."""

    reason: ReasonText


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it stands."""

    approval_id: UUID
    kind: str
    subject: str
    state: Literal["applied", "rejected"]
    decided_by: str


def approval_routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of approvals."""
    one = "/v1/admin/approvals/{approval_id:uuid}"
    return [
        hot_route(door, "/v1/admin/approvals", _LIST),
        hot_route(door, f"{one}/approve", _APPROVE),
        hot_route(door, f"{one}/reject", _REJECT),
    ]


async def _list(call: Call) -> Answer:
    found = [one for one in await approvals.waiting(at=call.at) if one.kind in KINDS]
    return Answer(200, ApprovalList([_view(one) for one in found]))


async def _approve(call: Call) -> Answer:
    approval_id: UUID = call.path["approval_id"]

    async def work(connection: Connection) -> Decided:
        kind, subject = await _known(connection, approval_id)
        await approvals.approve(approval_id, approved_by=call.caller.actor, at=call.at, kind=kind)
        return _decided(approval_id, kind, subject, "applied", call)

    return await answer_once(call, f"approvals/{approval_id}/approve", 200, work)


async def _reject(call: Call) -> Answer:
    approval_id: UUID = call.path["approval_id"]
    body: RejectBody = call.body

    async def work(connection: Connection) -> Decided:
        kind, subject = await _known(connection, approval_id)
        await approvals.reject(
            approval_id,
            rejected_by=call.caller.actor,
            reason=body.reason,
            at=call.at,
            kind=kind,
        )
        return _decided(approval_id, kind, subject, "rejected", call)

    return await answer_once(call, f"approvals/{approval_id}/reject", 200, work)


async def _known(connection: Connection, approval_id: UUID) -> tuple[str, str]:
    """Return kind and subject of an approval of finance. Raises `UnknownApproval`."""
    row = await connection.fetchrow(
        "SELECT kind, subject FROM approval WHERE id = $1 AND kind = ANY ($2)",
        approval_id,
        list(KINDS),
    )
    if row is None:
        raise UnknownApproval
    return row["kind"], row["subject"]


def _decided(
    approval_id: UUID, kind: str, subject: str, state: Literal["applied", "rejected"], call: Call
) -> Decided:
    return Decided(
        approval_id=approval_id,
        kind=kind,
        subject=subject,
        state=state,
        decided_by=call.caller.actor,
    )


def _view(one: Approval) -> ApprovalView:
    return ApprovalView(
        approval_id=one.id,
        kind=one.kind,
        subject=one.subject,
        proposal=msgspec.json.decode(one.payload),
        prepared_by=one.prepared_by,
        prepared_at=one.prepared_at,
        expires_at=one.expires_at,
    )


_OF_WRITES = (KeyReused, RequestInProgress)
_OF_DECISIONS: tuple[type[Refused], ...] = (UnknownApproval, ApprovalDecided)

_LIST = HotEndpoint(
    method="GET",
    summary="What waits for its second person",
    description="Approvals of settlement, the oldest first.",
    handle=_list,
    query=WaitingQuery,
    answers={200: ApprovalList},
    scope=(READ, APPROVE),
    tags=TAGS,
)

_APPROVE = HotEndpoint(
    method="POST",
    summary="Approve, as the second person, what another prepared; it is done at once",
    handle=_approve,
    answers={200: Decided},
    scope=APPROVE,
    idempotent=True,
    refusals=(*_OF_WRITES, *_OF_DECISIONS, ApprovalExpired, SecondPersonNeeded),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)

_REJECT = HotEndpoint(
    method="POST",
    summary="Reject what another prepared, or take back what you prepared",
    handle=_reject,
    body=RejectBody,
    answers={200: Decided},
    scope=(PREPARE, APPROVE),
    idempotent=True,
    refusals=(*_OF_WRITES, *_OF_DECISIONS, ReasonNeeded),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
