"""Where members order a membership, see it, change it and leave it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from litestar.handlers import ASGIRouteHandler

from billing.doors import asking
from billing.doors.asking import OF_READS, OF_STRIPE, OF_WRITES
from billing.doors.bodies import (
    CancelBody,
    ChangeBody,
    CheckoutBody,
    MembershipLedger,
    PauseBody,
    PortalAnswer,
    PortalBody,
    PriceBody,
    ReceiptList,
)
from billing.plans.refusals import UnknownPrice
from billing.subscriptions import entries
from billing.subscriptions.refusals import (
    AlreadyMember,
    ChangeNotPossible,
    CheckoutOpen,
    DisclosureOutdated,
    InvalidPath,
    NotAMember,
    NothingToCancel,
    NothingToChange,
    NothingToRestore,
    NotPaused,
    PauseNotPossible,
    PreviewOutdated,
    PriceNotForYou,
    PriceNotOnSale,
    TrialUsed,
    UnknownCheckout,
    UnknownPromotion,
)
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import (
    CancelOffer,
    ChangePreview,
    CheckoutView,
    MembershipView,
    Order,
    Receipt,
)
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.ids import MemberId
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.oversight.refusals import ReasonNeeded

TAGS = ("membership",)
BASE = "/v1/membership"

_OF_PRICES = (UnknownPrice, PriceNotOnSale, PriceNotForYou)
_OF_CHANGES = (*_OF_PRICES, NotAMember, NothingToChange, ChangeNotPossible)

Work = Callable[[Memberships, MemberId, Call, str], Awaitable[object]]


class Act(NamedTuple):
    """One act of a member: its last words of address, what does it, and what it takes."""

    word: str
    work: Work
    summary: str
    answer: type
    body: type | None = None
    status: int = 200
    refusals: tuple[type[Refused], ...] = ()
    description: str | None = None
    by_frozen: bool = False


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of a member's own membership."""
    return [
        hot_route(door, BASE, _show(memberships)),
        hot_route(door, f"{BASE}/receipts", _receipts(memberships)),
        hot_route(door, f"{BASE}/ledger", _ledger()),
        hot_route(door, f"{BASE}/portal", _portal(memberships)),
        hot_route(door, f"{BASE}/preview", _preview(memberships)),
        hot_route(
            door, f"{BASE}/cancel", _cancel_offer(memberships), endpoint_of(memberships, _CANCEL)
        ),
        *(hot_route(door, f"{BASE}/{one.word}", endpoint_of(memberships, one)) for one in _ACTS),
    ]


def endpoint_of(memberships: Memberships, one: Act, tags: tuple[str, ...] = TAGS) -> HotEndpoint:
    """Return the door of one act."""

    async def done(call: Call) -> Answer:
        named = "/".join(str(value) for value in call.path.values())
        return await asking.act(
            call,
            f"membership/{one.word}?{named}",
            one.status,
            lambda member, key: one.work(memberships, member, call, key),
            by_frozen=one.by_frozen,
        )

    return HotEndpoint(
        method="POST",
        summary=one.summary,
        description=one.description,
        handle=done,
        body=one.body,
        answers={one.status: one.answer},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(*OF_WRITES, *one.refusals),
        tags=tags,
        answer_headers=REPLAY_HEADER,
    )


def _show(memberships: Memberships) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        member = await asking.reader(call)
        return Answer(200, await memberships.membership(member, at=call.at))

    return HotEndpoint(
        method="GET",
        summary="Your membership now",
        description=(
            "`state` says how it stands, `entitled_until` until when its benefits hold, "
            "`renews_at` or `ends_at` what comes next. An order that waits for its payment is "
            "`checkout`; `withdrawal.until` is the end of the time in which it may be undone."
        ),
        handle=show,
        answers={200: MembershipView},
        scope=MEMBER_SCOPE,
        refusals=OF_READS,
        tags=TAGS,
    )


def _receipts(memberships: Memberships) -> HotEndpoint:
    async def receipts(call: Call) -> Answer:
        member = await asking.reader(call)
        return Answer(200, ReceiptList(list(await memberships.receipts(member))))

    return HotEndpoint(
        method="GET",
        summary="Receipts of what you did with your membership, the latest first",
        handle=receipts,
        answers={200: ReceiptList},
        scope=MEMBER_SCOPE,
        refusals=OF_READS,
        tags=TAGS,
    )


def _ledger() -> HotEndpoint:
    async def ledger(call: Call) -> Answer:
        member = await asking.reader(call)
        async with transaction() as connection:
            found = await entries.of_person(connection, member)
        return Answer(200, MembershipLedger(found))

    return HotEndpoint(
        method="GET",
        summary="What you have paid for memberships, and what went back",
        handle=ledger,
        answers={200: MembershipLedger},
        scope=MEMBER_SCOPE,
        refusals=OF_READS,
        tags=TAGS,
    )


def _portal(memberships: Memberships) -> HotEndpoint:
    async def portal(call: Call) -> Answer:
        member, body = await asking.reader(call), call.body
        url = await memberships.portal(member, back_to=body.back_to, at=call.at)
        return Answer(200, PortalAnswer(url))

    return HotEndpoint(
        method="POST",
        summary="Open Stripe's page for your cards and invoices",
        description="It opens a page each time, and so needs no Idempotency-Key.",
        handle=portal,
        body=PortalBody,
        answers={200: PortalAnswer},
        scope=MEMBER_SCOPE,
        refusals=(*OF_READS, *OF_STRIPE, NotAMember, InvalidPath),
        tags=TAGS,
    )


def _preview(memberships: Memberships) -> HotEndpoint:
    async def preview(call: Call) -> Answer:
        member = await asking.reader(call)
        return Answer(200, await memberships.preview(member, call.body.price_no, at=call.at))

    return HotEndpoint(
        method="POST",
        summary="What a change of plan would cost now",
        description=(
            "`due_now` is charged, to the minor unit, when the change is confirmed with "
            "`previewed_at` within fifteen minutes. Nothing is changed, so it needs no "
            "Idempotency-Key."
        ),
        handle=preview,
        body=PriceBody,
        answers={200: ChangePreview},
        scope=MEMBER_SCOPE,
        refusals=(*OF_READS, *OF_STRIPE, *_OF_CHANGES),
        tags=TAGS,
    )


def _cancel_offer(memberships: Memberships) -> HotEndpoint:
    async def offer(call: Call) -> Answer:
        member = await asking.reader(call)
        return Answer(200, await memberships.cancel_offer(member, at=call.at))

    return HotEndpoint(
        method="GET",
        summary="When your membership would end if you cancelled now",
        description="`instead` is offered once at most, and the POST cancels at once.",
        handle=offer,
        answers={200: CancelOffer},
        scope=MEMBER_SCOPE,
        refusals=(*OF_READS, *OF_STRIPE, NothingToCancel),
        tags=TAGS,
    )


async def _do_checkout(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    body: CheckoutBody = call.body
    order = Order(
        price_no=body.price_no,
        country=body.country,
        language=body.language,
        disclosure_version=body.disclosure_version,
        promotion=body.promotion,
        back_to=body.back_to,
    )
    return await memberships.checkout(member, order, key=key, at=call.at)


async def _do_drop(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    await memberships.drop_checkout(member, key=key, at=call.at)
    return await memberships.membership(member, at=call.at)


async def _do_return(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    del key  # Looking again finds the same.
    return await memberships.returned(member, str(call.path["checkout_id"]), at=call.at)


async def _do_change(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    body: ChangeBody = call.body
    return await memberships.change(
        member, body.price_no, previewed_at=body.previewed_at, key=key, at=call.at
    )


async def _do_keep(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    return await memberships.keep_plan(member, key=key, at=call.at)


async def _do_cancel(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    return await memberships.cancel(member, key=key, at=call.at, reason=call.body.reason)


async def _do_uncancel(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    return await memberships.uncancel(member, key=key, at=call.at)


async def _do_pause(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    return await memberships.pause(member, months=call.body.months, key=key, at=call.at)


async def _do_resume(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    return await memberships.resume(member, key=key, at=call.at)


_CANCEL = Act(
    "cancel",
    _do_cancel,
    "Cancel your membership",
    Receipt,
    body=CancelBody,
    refusals=(NothingToCancel, ReasonNeeded),
    description=(
        "It ends with what is paid, or with the trial; one that is not paid for ends at once. "
        "Cancelled before, the first receipt comes again."
    ),
    by_frozen=True,
)
_ACTS = (
    Act(
        "checkout",
        _do_checkout,
        "Order a membership",
        CheckoutView,
        body=CheckoutBody,
        status=201,
        refusals=(
            *(*_OF_PRICES, AlreadyMember, CheckoutOpen),
            *(DisclosureOutdated, InvalidPath, UnknownPromotion),
        ),
        description=(
            "It is paid on Stripe's page at `url`. The same order again, while it waits, is the "
            "same page. A trial is had once by a person, a household and a card: `trial_days` is "
            "what there will be."
        ),
    ),
    Act(
        "checkout/drop",
        _do_drop,
        "Let an order that waits for its payment be none",
        MembershipView,
    ),
    Act(
        "checkout/{checkout_id:str}/returned",
        _do_return,
        "Come back from Stripe's page: look at once what became of the order",
        MembershipView,
        refusals=(UnknownCheckout, TrialUsed),
    ),
    Act(
        "change",
        _do_change,
        "Change the plan, as previewed",
        MembershipView,
        body=ChangeBody,
        refusals=(*_OF_CHANGES, PreviewOutdated),
        description=(
            "An upgrade holds at once and charges what the preview said; while the card refuses, "
            "the plan stays as it was and `has_pending_change` is true. A downgrade comes at the "
            "end of what is paid."
        ),
    ),
    Act(
        "keep",
        _do_keep,
        "Take back a downgrade that is to come",
        MembershipView,
        refusals=(NotAMember, PriceNotForYou),
    ),
    Act(
        "uncancel",
        _do_uncancel,
        "Let a cancelled membership go on",
        Receipt,
        refusals=(NothingToRestore,),
    ),
    Act(
        "pause",
        _do_pause,
        "Pause from the end of what is paid",
        Receipt,
        body=PauseBody,
        refusals=(NotAMember, PauseNotPossible),
        description="Nothing is charged until `paused_until`, and no benefits hold.",
    ),
    Act("resume", _do_resume, "End a pause", Receipt, refusals=(NotAMember, NotPaused)),
)
