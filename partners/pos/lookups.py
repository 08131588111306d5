"""What tills look up: balance, quote, their own postings and holds."""

from datetime import date
from typing import Annotated
from uuid import UUID

from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.federation.refusals import (
    NoContract,
    PartnerSuspended,
    UnknownPointCurrency,
    UnknownStore,
)
from coalition.kernel.web.fields import Body, ReceiptText, ShortText
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import UnknownHold, UnknownHolder, UnknownPosting
from coalition.points import history
from coalition.points.commands import BalanceAnswer, PointCurrencyCode, QuoteAnswer, QuoteBody
from coalition.points.expiring import ExpiringAnswer
from coalition.points.history import HoldView, PostingPage, PostingView
from coalition.points.refusals import (
    LinesExceedPurchase,
    NoEarningRule,
    OneMemberNeeded,
    OtherStore,
    PurchaseOrPoints,
    ReceiptAndDay,
    StoreClosed,
    TimeOutOfBounds,
    TooManyPoints,
    UnknownCard,
)
from coalition.points.till import Tills
from partners.pos.acts import ISSUE, REDEEM

_STORE = "The receipt's store; without it the one that the client is bound to, if any"


class PostingsQuery(Body, frozen=True):
    """Which of the partner's postings are wanted."""

    receipt: Annotated[
        ReceiptText | None, Meta(description="What this receipt earned and paid; needs `day`")
    ] = None
    day: Annotated[date | None, Meta(description="The receipt's business day")] = None
    store: Annotated[ShortText | None, Meta(description=_STORE)] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most")] = 50
    cursor: Annotated[UUID | None, Meta(description="The `next_cursor` of the page before")] = None


class BalanceQuery(Body, frozen=True):
    """Of which points the balance is wanted."""

    point_currency: PointCurrencyCode | None = None


def lookup_routes(door: Door, tills: Tills) -> list[ASGIRouteHandler]:
    """Return the handlers of everything that a till only asks."""
    return [
        hot_route(door, "/v1/members/{member_id:uuid}/balance", _balance(tills)),
        hot_route(door, "/v1/members/{member_id:uuid}/expiring", _expiring(tills)),
        hot_route(door, "/v1/points/quote", _quote(tills)),
        hot_route(door, "/v1/points/holds/{hold_id:uuid}", _show_hold(tills)),
        hot_route(door, "/v1/postings/{posting_id:uuid}", _show_posting(tills)),
        hot_route(door, "/v1/postings", _list_postings(tills)),
    ]


def _balance(tills: Tills) -> HotEndpoint:
    async def balance(call: Call) -> Answer:
        wanted: BalanceQuery = call.query
        told = await tills.balance(
            call.path["member_id"], wanted.point_currency, partner_no=call.caller.partner_no
        )
        return Answer(200, told)

    return HotEndpoint(
        method="GET",
        summary="What a member can spend now",
        handle=balance,
        query=BalanceQuery,
        answers={200: BalanceAnswer},
        scope="members:read",
        refusals=(UnknownHolder, UnknownPointCurrency),
        tags=("members",),
    )


def _expiring(tills: Tills) -> HotEndpoint:
    async def expiring(call: Call) -> Answer:
        wanted: BalanceQuery = call.query
        return Answer(200, await tills.expiring(call.path["member_id"], wanted.point_currency))

    return HotEndpoint(
        method="GET",
        summary="What of a member's points expires when",
        description="As things stand: where activity keeps points alive, it moves their last day.",
        handle=expiring,
        query=BalanceQuery,
        answers={200: ExpiringAnswer},
        scope="members:read",
        refusals=(UnknownHolder, UnknownPointCurrency),
        tags=("members",),
    )


def _quote(tills: Tills) -> HotEndpoint:
    async def quote(call: Call) -> Answer:
        caller = call.caller
        return Answer(200, await tills.quote(caller.partner_no, caller.store_no, call.body))

    return HotEndpoint(
        method="POST",
        summary="What a purchase would earn, and what points could pay of it",
        description=(
            "Changes nothing, so it needs no Idempotency-Key. Points and reasons are those of an "
            "issue of the same body now; without a member no standing and no cap's use is known."
        ),
        handle=quote,
        body=QuoteBody,
        answers={200: QuoteAnswer},
        scope=(ISSUE, REDEEM),
        refusals=(
            *(PartnerSuspended, NoContract, NoEarningRule, TooManyPoints, TimeOutOfBounds),
            *(PurchaseOrPoints, LinesExceedPurchase),
            *(OneMemberNeeded, UnknownCard, UnknownHolder, UnknownStore, OtherStore, StoreClosed),
        ),
        tags=("points",),
    )


def _show_hold(tills: Tills) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        terms = await tills.terms()
        return Answer(
            200,
            await history.show_hold(
                call.path["hold_id"], partner_no=call.caller.partner_no, terms=terms, at=call.at
            ),
        )

    return HotEndpoint(
        method="GET",
        summary="How a hold of yours stands",
        handle=show,
        answers={200: HoldView},
        scope=REDEEM,
        refusals=(UnknownHold,),
        tags=("points",),
    )


def _show_posting(tills: Tills) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        terms = await tills.terms()
        partner_no = call.caller.partner_no
        posting = call.path["posting_id"]
        return Answer(200, await history.show_posting(posting, partner_no=partner_no, terms=terms))

    return HotEndpoint(
        method="GET",
        summary="A posting of yours, with its lots and reasons",
        handle=show,
        answers={200: PostingView},
        scope=(ISSUE, REDEEM),
        refusals=(UnknownPosting,),
        tags=("postings",),
    )


def _list_postings(tills: Tills) -> HotEndpoint:
    async def listed(call: Call) -> Answer:
        wanted: PostingsQuery = call.query
        partner_no, terms = call.caller.partner_no, await tills.terms()
        if wanted.receipt is None and wanted.day is None and wanted.store is None:
            page = await history.list_postings(
                partner_no=partner_no, terms=terms, cursor=wanted.cursor, limit=wanted.limit
            )
        elif wanted.receipt is None or wanted.day is None:
            raise ReceiptAndDay
        else:
            page = await history.list_on_receipt(
                partner_no=partner_no,
                terms=terms,
                store=wanted.store,
                receipt=wanted.receipt,
                day=wanted.day,
                bound_no=call.caller.store_no,
            )
        return Answer(200, page)

    return HotEndpoint(
        method="GET",
        summary="Your postings, the latest first, or those on one receipt",
        handle=listed,
        query=PostingsQuery,
        answers={200: PostingPage},
        scope=(ISSUE, REDEEM),
        refusals=(UnknownStore, ReceiptAndDay),
        tags=("postings",),
    )
