"""Approvals of finance: what waits for its second person, approved or rejected by that person."""

from typing import Literal
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler

from coalition.federation import catalogue, defaults
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import NoContract, NotInDefault
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.money import Money
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.oversight import approvals
from coalition.oversight.refusals import (
    ApprovalDecided,
    ApprovalExpired,
    ReasonNeeded,
    SecondPersonNeeded,
    UnknownApproval,
)
from partners.settlement import adjusting, clearing, closing, defaulting, periods, prepaying
from partners.settlement.closing import Closed
from partners.settlement.cycles import Cycle
from partners.settlement.finance_words import (
    APPROVE,
    PREPARE,
    READ,
    TAGS,
    Prepared,
    ReasonText,
    named,
    prepared_view,
)
from partners.settlement.finance_writes import answer_once
from partners.settlement.refusals import (
    ClaimsDiffer,
    DefaultDiffers,
    EarlierPeriodOpen,
    InvalidPrepayment,
    OwesNothing,
    PeriodClosed,
    PeriodNotSealed,
    PrepaymentBooked,
    StatementChanged,
    StatementCleared,
    UnknownLine,
)

KINDS = (
    *(closing.KIND, adjusting.KIND, clearing.KIND),
    *(prepaying.KIND, defaulting.KIND, defaults.KIND),
)
"""The kinds of approvals that finance decides; others are as good as unknown here."""


class WaitingQuery(Body, frozen=True):
    """Which approvals are wanted: those that wait."""

    state: Literal["waiting"] = "waiting"


class ApprovalList(msgspec.Struct, frozen=True):
    """What waits for its second person, the oldest first."""

    items: list[Prepared]


class RejectBody(Body, frozen=True):
    """Why it is not to be done."""

    reason: ReasonText


class ClosedStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that was closed, with its number and what it comes to."""

    statement_id: UUID
    number: int
    partner_id: UUID | None
    partner: str
    period: str
    net: list[Money]
    digest: str


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it stands, with the statements that it closed or the cycle that it cleared."""

    approval_id: UUID
    kind: str
    state: Literal["applied", "rejected"]
    decided_by: str
    statements: list[ClosedStatement]
    cycle_id: UUID | None


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
    async with transaction() as connection:
        known = await catalogue.load(connection)
    return Answer(200, ApprovalList([prepared_view(known, one) for one in found]))


async def _approve(call: Call) -> Answer:
    approval_id: UUID = call.path["approval_id"]
    await periods.ensure(call.at)

    async def work(connection: Connection) -> Decided:
        kind = await _kind_of(connection, approval_id)
        done = await approvals.approve(
            approval_id, approved_by=call.caller.actor, at=call.at, kind=kind
        )
        return Decided(
            approval_id=approval_id,
            kind=kind,
            state="applied",
            decided_by=call.caller.actor,
            statements=await _closed(connection, done),
            cycle_id=done.id if isinstance(done, Cycle) else None,
        )

    return await answer_once(call, f"approvals/{approval_id}/approve", 200, work)


async def _reject(call: Call) -> Answer:
    approval_id: UUID = call.path["approval_id"]
    body: RejectBody = call.body

    async def work(connection: Connection) -> Decided:
        kind = await _kind_of(connection, approval_id)
        await approvals.reject(
            approval_id,
            rejected_by=call.caller.actor,
            reason=body.reason,
            at=call.at,
            kind=kind,
        )
        return Decided(
            approval_id=approval_id,
            kind=kind,
            state="rejected",
            decided_by=call.caller.actor,
            statements=[],
            cycle_id=None,
        )

    return await answer_once(call, f"approvals/{approval_id}/reject", 200, work)


async def _kind_of(connection: Connection, approval_id: UUID) -> str:
    """Return the kind of an approval of finance. Raises `UnknownApproval`."""
    kind: str | None = await connection.fetchval(
        "SELECT kind FROM approval WHERE id = $1 AND kind = ANY ($2)", approval_id, list(KINDS)
    )
    if kind is None:
        raise UnknownApproval
    return kind


async def _closed(connection: Connection, done: object) -> list[ClosedStatement]:
    """Return what an approved close has closed; nothing of other kinds."""
    closed = [one for one in done if isinstance(one, Closed)] if isinstance(done, tuple) else []
    if not closed:
        return []
    known = await catalogue.load(connection)
    return [_statement(known, one) for one in closed]


def _statement(known: Catalogue, one: Closed) -> ClosedStatement:
    who = named(known, one.partner_no)
    return ClosedStatement(
        statement_id=one.statement,
        number=one.number,
        partner_id=who.partner_id,
        partner=who.partner,
        period=one.period,
        net=[Money(position.net_minor, position.currency) for position in one.net],
        digest=one.digest.hex(),
    )


_OF_WRITES = (KeyReused, RequestInProgress)
_OF_DECISIONS: tuple[type[Refused], ...] = (UnknownApproval, ApprovalDecided)
_OF_APPLIERS: tuple[type[Refused], ...] = (
    *(StatementChanged, PeriodClosed, PeriodNotSealed, EarlierPeriodOpen),
    *(UnknownLine, NoContract, StatementCleared, DefaultDiffers, OwesNothing, NotInDefault),
    *(InvalidPrepayment, PrepaymentBooked, ClaimsDiffer),
)

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
    refusals=(*_OF_WRITES, *_OF_DECISIONS, ApprovalExpired, SecondPersonNeeded, *_OF_APPLIERS),
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
