"""Where the operator's staff read rule sets, propose them, and decide as the second person."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler

from coalition.families.doors import asking
from coalition.families.doors.admin_views import (
    BindingBody,
    Decision,
    Proposal,
    ProposalBody,
    ProposalList,
    RejectionBody,
    RuleSetList,
    RuleSetViews,
    ShowQuery,
    decision_of,
    preset_row,
    proposal_of,
    row_of,
    view_of,
)
from coalition.families.rule_sets import presets, registering
from coalition.families.rule_sets.books import KeptBinding, KeptVersion, RuleBook
from coalition.families.rule_sets.complaints import Complaint
from coalition.families.rule_sets.rule_set_refusals import (
    BindingRetroactive,
    InvalidRuleSet,
    InvalidRuleSetName,
    RuleSetOfAnotherMechanism,
    RuleSetRetroactive,
    UnknownRuleSet,
)
from coalition.federation import catalogue
from coalition.kernel import idempotency
from coalition.kernel.database import Connection, transaction
from coalition.kernel.idempotency import KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.web.decoding import encode
from coalition.kernel.web.hot import (
    REPLAY_HEADER,
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
)
from coalition.oversight import approvals
from coalition.oversight.refusals import (
    ApprovalDecided,
    ApprovalExpired,
    ReasonNeeded,
    SecondPersonNeeded,
    UnknownApproval,
)

READ, PREPARE, APPROVE = "rules:read", "rules:prepare", "rules:approve"
"""The scopes of whoever writes rules."""
TAGS = ("rule sets",)
KINDS = (registering.RULE_SET, registering.BINDING)

_SETS, _WAITING = "/v1/admin/rule-sets", "/v1/admin/rule-approvals"


def routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of rule sets."""
    one = f"{_WAITING}/{{approval_id:uuid}}"
    return [
        hot_route(door, _SETS, _LIST, _PROPOSE),
        hot_route(door, f"{_SETS}/{{name:str}}", _SHOW),
        hot_route(door, "/v1/admin/rule-bindings", _BIND),
        hot_route(door, _WAITING, _LIST_WAITING),
        hot_route(door, f"{one}/approve", _APPROVE),
        hot_route(door, f"{one}/reject", _REJECT),
    ]


async def _book() -> RuleBook:
    async with transaction() as connection:
        return await RuleBook.refresh(connection, None, await catalogue.load(connection))


async def _list(call: Call) -> Answer:
    book = await _book()
    kept = [row_of(version, book, call.at) for version in book.versions]
    shipped = [preset_row(name, presets.document(name)) for name in presets.names()]
    return Answer(200, RuleSetList([*kept, *shipped]))


async def _show(call: Call) -> Answer:
    name, asked, book = str(call.path["name"]), call.query, await _book()
    items = [
        view_of(row_of(version, book, call.at), version.document, asked.language)
        for version in book.versions
        if version.name == name
    ]
    if not items and name in presets.names():
        document = presets.document(name)
        items = [view_of(preset_row(name, document), document, asked.language)]
    if not items:
        raise UnknownRuleSet(name=name)
    return Answer(200, RuleSetViews(items))


async def _propose(call: Call) -> Answer:
    body: ProposalBody = call.body
    written = body.rules if body.rules is not None else body.preset
    if written is None or (body.rules is not None and body.preset is not None):
        raise InvalidRuleSet.of([Complaint(("rules",), "write either rules or preset")])

    async def work(connection: Connection) -> Proposal:
        approval_id = await registering.prepare(
            body.name,
            written,
            valid_from=body.valid_from,
            prepared_by=call.caller.actor,
            at=call.at,
        )
        return await _waiting_one(connection, approval_id)

    return await _answer_once(call, "rule-sets", 201, work)


async def _bind(call: Call) -> Answer:
    body: BindingBody = call.body

    async def work(connection: Connection) -> Proposal:
        approval_id = await registering.prepare_binding(
            body.kind,
            body.rule_set,
            valid_from=body.valid_from,
            prepared_by=call.caller.actor,
            at=call.at,
        )
        return await _waiting_one(connection, approval_id)

    return await _answer_once(call, "rule-bindings", 201, work)


async def _list_waiting(call: Call) -> Answer:
    found = [one for one in await approvals.waiting(at=call.at) if one.kind in KINDS]
    return Answer(200, ProposalList([proposal_of(one) for one in found]))


async def _approve(call: Call) -> Answer:
    approval_id: UUID = call.path["approval_id"]

    async def work(connection: Connection) -> Decision:
        kind = await _kind_of(connection, approval_id)
        done = await approvals.approve(
            approval_id, approved_by=call.caller.actor, at=call.at, kind=kind
        )
        assert isinstance(done, KeptVersion | KeptBinding), "the appliers return what holds"
        return decision_of(approval_id, call.caller.actor, done)

    return await _answer_once(call, f"rule-approvals/{approval_id}/approve", 200, work)


async def _reject(call: Call) -> Answer:
    approval_id: UUID = call.path["approval_id"]
    body: RejectionBody = call.body

    async def work(connection: Connection) -> Decision:
        kind = await _kind_of(connection, approval_id)
        await approvals.reject(
            approval_id,
            rejected_by=call.caller.actor,
            reason=body.reason,
            at=call.at,
            kind=kind,
        )
        return decision_of(approval_id, call.caller.actor, None)

    return await _answer_once(call, f"rule-approvals/{approval_id}/reject", 200, work)


async def _kind_of(connection: Connection, approval_id: UUID) -> str:
    """Return the kind of an approval of rules. Raises `UnknownApproval`."""
    kind: str | None = await connection.fetchval(
        "SELECT kind FROM approval WHERE id = $1 AND kind = ANY ($2)", approval_id, list(KINDS)
    )
    if kind is None:
        raise UnknownApproval
    return kind


async def _waiting_one(connection: Connection, approval_id: UUID) -> Proposal:
    row = await connection.fetchrow("SELECT * FROM approval WHERE id = $1", approval_id)
    return proposal_of(msgspec.convert(dict(row), approvals.Approval))


async def _answer_once(
    call: Call, address: str, status: int, work: Callable[[Connection], Awaitable[object]]
) -> Answer:
    """Do `work` with the claim of the call in one transaction, or give the first answer again."""

    async def done(connection: Connection) -> idempotency.Answer:
        content = encode(await work(connection), call.media)
        return idempotency.Answer(status, call.media.value, content)

    return asking.given(await idempotency.once(asking.claim_of(call, address), call.at, done))


_OF_WRITES = (KeyReused, RequestInProgress)
_OF_DECISIONS = (UnknownApproval, ApprovalDecided)

_LIST = HotEndpoint(
    method="GET",
    summary="Every version of every rule set, what is bound to it, and the presets",
    handle=_list,
    answers={200: RuleSetList},
    scope=(READ, PREPARE, APPROVE),
    tags=TAGS,
)
_SHOW = HotEndpoint(
    method="GET",
    summary="One rule set, or preset: its versions as documents and in plain words",
    handle=_show,
    query=ShowQuery,
    answers={200: RuleSetViews},
    scope=(READ, PREPARE, APPROVE),
    refusals=(UnknownRuleSet,),
    tags=TAGS,
)
_PROPOSE = HotEndpoint(
    method="POST",
    summary="Propose a version of a rule set for a second person to approve",
    description="Everything that is wrong with it is answered at once, each key with its remedy.",
    handle=_propose,
    body=ProposalBody,
    answers={201: Proposal},
    scope=PREPARE,
    idempotent=True,
    refusals=(
        *(*_OF_WRITES, InvalidRuleSet, InvalidRuleSetName, RuleSetRetroactive),
        RuleSetOfAnotherMechanism,
    ),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
_BIND = HotEndpoint(
    method="POST",
    summary="Propose which rule set transfers, or groups of a kind, run under",
    handle=_bind,
    body=BindingBody,
    answers={201: Proposal},
    scope=PREPARE,
    idempotent=True,
    refusals=(
        *(*_OF_WRITES, UnknownRuleSet, InvalidRuleSetName),
        *(RuleSetOfAnotherMechanism, BindingRetroactive),
    ),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
_LIST_WAITING = HotEndpoint(
    method="GET",
    summary="Rule sets and bindings that wait for their second person",
    handle=_list_waiting,
    answers={200: ProposalList},
    scope=(READ, PREPARE, APPROVE),
    tags=TAGS,
)
_APPROVE = HotEndpoint(
    method="POST",
    summary="Approve, as the second person, what another proposed; it holds at once",
    handle=_approve,
    answers={200: Decision},
    scope=APPROVE,
    idempotent=True,
    refusals=(
        *(*_OF_WRITES, *_OF_DECISIONS, ApprovalExpired, SecondPersonNeeded),
        *(RuleSetRetroactive, BindingRetroactive, RuleSetOfAnotherMechanism, UnknownRuleSet),
    ),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
_REJECT = HotEndpoint(
    method="POST",
    summary="Reject what another proposed, or take back what you proposed",
    handle=_reject,
    body=RejectionBody,
    answers={200: Decision},
    scope=(PREPARE, APPROVE),
    idempotent=True,
    refusals=(*_OF_WRITES, *_OF_DECISIONS, ReasonNeeded),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
