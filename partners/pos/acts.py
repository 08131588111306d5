"""What moves points: issue, redeem, hold, capture, void, reverse; each under a key of its own."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar.handlers import ASGIRouteHandler

from coalition.federation.refusals import (
    NoContract,
    PartnerSuspended,
    UnknownPointCurrency,
    UnknownStore,
)
from coalition.kernel.errors import Forbidden, Refused
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.identity import Caller
from coalition.kernel.web.hot import (
    REPLAY_HEADER,
    REPLAYED,
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
)
from coalition.ledger.accounts import Kind
from coalition.ledger.refusals import (
    CaptureExceedsHold,
    DuplicateReceipt,
    HolderMerged,
    HolderNotActive,
    HoldResolved,
    NotEnoughPoints,
    NotReversible,
    PointsAlreadySpent,
    ReversalExceedsOriginal,
    UnknownHold,
    UnknownHolder,
    UnknownPosting,
)
from coalition.points import history
from coalition.points.commands import (
    Asked,
    CaptureBody,
    HoldAnswer,
    HoldBody,
    IssueBody,
    PostingAnswer,
    RedeemBody,
    ReversalAnswer,
    ReverseBody,
    VoidBody,
)
from coalition.points.guards.refusals import ConfirmationNeeded, VelocityExceeded
from coalition.points.refusals import (
    CreditLimitReached,
    LineReversed,
    LinesExceedPurchase,
    NoEarningRule,
    NoLines,
    NotInContract,
    OneMemberNeeded,
    OtherStore,
    PartnerInDefault,
    PrepaidExhausted,
    PurchaseOrPoints,
    StoreClosed,
    TimeOutOfBounds,
    TooManyPoints,
    UnknownCard,
    UnknownLine,
)
from coalition.points.till import Request, Tills

ISSUE = "points:issue"
REDEEM = "points:redeem"

_OF_PARTNER = (PartnerSuspended, NoContract, KeyReused)
_OF_TILL = (
    *_OF_PARTNER,
    *(OneMemberNeeded, UnknownCard, UnknownHolder, HolderNotActive, HolderMerged),
    *(UnknownStore, OtherStore, StoreClosed, TimeOutOfBounds, DuplicateReceipt, NotInContract),
    VelocityExceeded,
)
_OF_ISSUE: tuple[type[Refused], ...] = (
    *_OF_TILL,
    *(PurchaseOrPoints, LinesExceedPurchase, NoEarningRule, TooManyPoints),
    *(PartnerInDefault, CreditLimitReached, PrepaidExhausted),
)
_OF_REDEEM: tuple[type[Refused], ...] = (
    *_OF_TILL,
    *(NotEnoughPoints, ConfirmationNeeded, UnknownPointCurrency),
)
_OF_HOLD: tuple[type[Refused], ...] = (
    *_OF_PARTNER,
    *(UnknownHold, HolderNotActive, HolderMerged, HoldResolved),
)

_REVERSING = {Kind.ISSUE: ISSUE, Kind.REDEEM: REDEEM}
"""The scope that lets a posting of each kind be reversed: the one that lets it be made."""


def act_routes(door: Door, tills: Tills) -> list[ASGIRouteHandler]:
    """Return the handlers of everything that moves or reserves points."""
    return [
        hot_route(door, "/v1/points/issue", _issue(tills)),
        hot_route(door, "/v1/points/redeem", _redeem(tills)),
        hot_route(door, "/v1/points/holds", _hold(tills)),
        hot_route(door, "/v1/points/holds/{hold_id:uuid}/capture", _capture(tills)),
        hot_route(door, "/v1/points/holds/{hold_id:uuid}/void", _void(tills)),
        hot_route(door, "/v1/postings/{posting_id:uuid}/reverse", _reverse(tills)),
    ]


def _act(
    tills: Tills, address: str, *, target: str | None = None, status: int = 201
) -> Callable[[Call], Awaitable[Answer]]:
    """Return what does an act and answers it; `target` is the parameter that names on what."""

    async def act(call: Call) -> Answer:
        caller = call.caller
        on = call.path[target] if target else None
        asked = Asked(caller.partner_no, caller.client_no, caller.store_no, call.body, on)
        where = f"{address}?{on}" if on else address
        claim = Claim.of(caller.client_no, call.idempotency_key, where, call.body_digest)
        answer = await tills.post(Request(asked, claim, call.media, status))
        headers = (REPLAYED,) if answer.replayed else ()
        return Answer(answer.status, answer.body, headers, answer.media_type)

    return act


def _issue(tills: Tills) -> HotEndpoint:
    return HotEndpoint(
        method="POST",
        summary="Issue points for a purchase",
        description=(
            "Give either the purchase, whose points are then computed by the earning rules, or the "
            "points. Rules may ask for the purchase's lines, and for measures (visits, hours), "
            "which go without a purchase as well. What earns nothing makes no posting and answers "
            "200."
        ),
        handle=_act(tills, "issue"),
        body=IssueBody,
        answers={201: PostingAnswer, 200: PostingAnswer},
        scope=ISSUE,
        idempotent=True,
        refusals=_OF_ISSUE,
        tags=("points",),
        answer_headers=REPLAY_HEADER,
    )


def _redeem(tills: Tills) -> HotEndpoint:
    return HotEndpoint(
        method="POST",
        summary="Take points as payment at once",
        handle=_act(tills, "redeem"),
        body=RedeemBody,
        answers={201: PostingAnswer},
        scope=REDEEM,
        idempotent=True,
        refusals=_OF_REDEEM,
        tags=("points",),
        answer_headers=REPLAY_HEADER,
    )


def _hold(tills: Tills) -> HotEndpoint:
    return HotEndpoint(
        method="POST",
        summary="Reserve points",
        description=(
            "They are released by themselves after `expires_in_s` seconds. The receipt is used up "
            "by the capture, not by the hold."
        ),
        handle=_act(tills, "hold"),
        body=HoldBody,
        answers={201: HoldAnswer},
        scope=REDEEM,
        idempotent=True,
        refusals=_OF_REDEEM,
        tags=("points",),
        answer_headers=REPLAY_HEADER,
    )


def _capture(tills: Tills) -> HotEndpoint:
    return HotEndpoint(
        method="POST",
        summary="Take all or part of a hold",
        description="The rest is released in the same posting. A hold resolves once.",
        handle=_act(tills, "capture", target="hold_id"),
        owned=_check_own_hold,
        body=CaptureBody,
        answers={201: PostingAnswer},
        scope=REDEEM,
        idempotent=True,
        refusals=(*_OF_HOLD, CaptureExceedsHold, DuplicateReceipt),
        tags=("points",),
        answer_headers=REPLAY_HEADER,
    )


def _void(tills: Tills) -> HotEndpoint:
    return HotEndpoint(
        method="POST",
        summary="Release a hold",
        handle=_act(tills, "void", target="hold_id", status=200),
        owned=_check_own_hold,
        body=VoidBody,
        answers={200: HoldAnswer},
        scope=REDEEM,
        idempotent=True,
        refusals=_OF_HOLD,
        tags=("points",),
        answer_headers=REPLAY_HEADER,
    )


def _reverse(tills: Tills) -> HotEndpoint:
    act = _act(tills, "reverse", target="posting_id")

    async def reverse(call: Call) -> Answer:
        # Whoever may do both needs no look at what the posting is.
        if not {ISSUE, REDEEM} <= call.caller.scopes:
            await _check_scope(call.caller, call.path)
        return await act(call)

    return HotEndpoint(
        method="POST",
        summary="Reverse a posting, whole or in part",
        description=(
            "A returned redemption goes back to the lots that it took. An issue is taken back as "
            "far as it is unspent. What is spent is refused or, where the contract says so, owed "
            "by the member from then on: `debt` tells how many points. Where all of them were "
            "spent there is no posting, and the answer is 200. What has expired is left out. With "
            "`lines` as many points go back as they earned: all, less what the rest still earns by "
            "the rules of its time; a line that earned nothing answers 200 without a posting. "
            f"Needs the scope of what is reversed: `{ISSUE}` for an issue, "
            f"`{REDEEM}` for a redemption."
        ),
        handle=reverse,
        owned=_check_scope,
        body=ReverseBody,
        answers={201: ReversalAnswer, 200: ReversalAnswer},
        scope=(ISSUE, REDEEM),
        idempotent=True,
        refusals=(
            *_OF_PARTNER,
            *(UnknownPosting, HolderNotActive, HolderMerged, NotReversible),
            *(ReversalExceedsOriginal, PointsAlreadySpent),
            *(NoLines, UnknownLine, LineReversed),
        ),
        tags=("points",),
        answer_headers=REPLAY_HEADER,
    )


async def _check_own_hold(caller: Caller, path: Mapping[str, Any]) -> None:
    """Refuse a hold that is not the caller's own."""
    await history.check_own_hold(path["hold_id"], partner_no=caller.partner_no)


async def _check_scope(caller: Caller, path: Mapping[str, Any]) -> None:
    """Refuse a posting that is not the caller's own, or whose kind its token may not reverse."""
    kind = await history.kind_of_posting(path["posting_id"], partner_no=caller.partner_no)
    needed = _REVERSING.get(kind)
    if needed is not None and needed not in caller.scopes:
        raise Forbidden(f"The token lacks the scope {needed}", scope=needed)
