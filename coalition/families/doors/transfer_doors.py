"""Where members try, make, see, approve, reject and undo transfers."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from litestar.handlers import ASGIRouteHandler
from msgspec import structs

from coalition.families.doors import asking, finding, naming, transfer_views
from coalition.families.doors.asking import OF_WRITES, by_of, member_of
from coalition.families.doors.finding import OF_FINDING
from coalition.families.doors.transfer_views import (
    ReasonBody,
    TransferBody,
    TransferPage,
    TransfersQuery,
    TransferView,
)
from coalition.families.groups.groups import Groups
from coalition.families.kin import guardians
from coalition.families.kin.group_refusals import NotYourself
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import (
    NoRules,
    NotYoursToDecide,
    TransferNotOpen,
    TransferRefused,
    TransferToItself,
    UnknownTransfer,
)
from coalition.families.rule_sets.vocabulary import Mechanism
from coalition.families.transfers import deciding, ties
from coalition.families.transfers.judging import Book
from coalition.families.transfers.transferring import Request, Transfers
from coalition.families.transfers.wishes import PreviewAnswer, TransferAnswer, Wish
from coalition.families.words.wording import Language
from coalition.federation.refusals import UnknownPointCurrency
from coalition.kernel.database import Connection, transaction
from coalition.kernel.identity import MEMBER_SCOPE, Caller
from coalition.kernel.ids import MemberId
from coalition.kernel.web.hot import (
    REPLAY_HEADER,
    REPLAYED,
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
)
from coalition.ledger.refusals import NotEnoughPoints, PointsAlreadySpent
from coalition.members.circumstances import name_digest
from coalition.members.refusals import PaymentCardInText
from coalition.members.rules import check_free_text
from coalition.members.sealing import MemberKeys

TAGS = ("transfers",)

DEVICE = {"X-Device": "What the app calls the device; rules may hold what comes from a new one"}
LANGUAGE = {"Accept-Language": "The language of the sentences: sv, nb or en"}

_OF_ASKING = (
    *OF_WRITES,
    *OF_FINDING,
    *(NoRules, TransferToItself, NotYourself, UnknownPointCurrency, PaymentCardInText),
)
_LANGUAGES = {"sv": Language.SV, "nb": Language.NB, "no": Language.NB, "nn": Language.NB}


def routes(
    door: Door, transfers: Transfers, groups: Groups, keys: MemberKeys
) -> list[ASGIRouteHandler]:
    """Return the handlers of transfers."""
    one = "/v1/transfers/{transfer_id:uuid}"
    return [
        hot_route(door, "/v1/transfers", _send(transfers, groups, keys), _list(groups)),
        hot_route(door, "/v1/transfers/preview", _preview(transfers, groups, keys)),
        hot_route(door, one, _show(groups)),
        hot_route(door, f"{one}/approve", _approve(transfers, groups)),
        hot_route(door, f"{one}/reject", _reject(transfers, groups)),
        hot_route(door, f"{one}/undo", _undo(transfers, groups)),
    ]


def _send(transfers: Transfers, groups: Groups, keys: MemberKeys) -> HotEndpoint:
    async def send(call: Call) -> Answer:
        wish = await _wish(call, groups, keys)
        claim = asking.claim_of(call, "transfers")
        request = Request(wish, claim, call.media)
        answer = await asking.discreetly(call, transfers.request(request))
        headers = (REPLAYED,) if answer.replayed else ()
        return Answer(answer.status, answer.body, headers, answer.media_type)

    return HotEndpoint(
        method="POST",
        summary="Send points to another member",
        description=(
            "201 when the points have moved, 202 while the transfer waits: for the word of whoever "
            "`waits_for` names, for a fee to be paid, or for `held_until`; its points are reserved "
            "meanwhile. A refusal by rules has every failure in `failures`: `rule`, `limit`, "
            "`used`, `remaining`, and from when it would pass. A guardian may name its ward as "
            "`sender`, and a head its member where the group lets the head take points. The "
            "receiver is named by its id, or by an object with its card, e-mail or phone."
        ),
        handle=send,
        body=TransferBody,
        answers={201: TransferAnswer, 202: TransferAnswer},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(*_OF_ASKING, TransferRefused, NotEnoughPoints),
        tags=TAGS,
        headers=DEVICE,
        answer_headers=REPLAY_HEADER,
    )


def _preview(transfers: Transfers, groups: Groups, keys: MemberKeys) -> HotEndpoint:
    async def preview(call: Call) -> Answer:
        wish = await _wish(call, groups, keys)
        language = language_of(call.headers.get("accept-language", ""))
        tried = await asking.discreetly(call, transfers.preview(wish, language))
        body: TransferBody = call.body
        if isinstance(body.to, UUID):
            # Whoever has the id knows whose it is; an address or a card may be mistyped.
            return Answer(200, tried)
        name = await naming.masked_name(member_of(call.caller), wish.receiver, keys)
        return Answer(200, tried if name is None else structs.replace(tried, receiver_name=name))

    return HotEndpoint(
        method="POST",
        summary="What would come of a transfer now",
        description=(
            "The rules that judge the act judge this. Nothing is written, so it needs no "
            "Idempotency-Key. Every failure has its sentence in `text`. `receiver_name` is how "
            "the first name of a receiver begins that is not named by its id, where that is family "
            "or has agreed to it."
        ),
        handle=preview,
        body=TransferBody,
        answers={200: PreviewAnswer},
        scope=MEMBER_SCOPE,
        refusals=_OF_ASKING,
        tags=TAGS,
        headers=DEVICE | LANGUAGE,
    )


async def _wish(call: Call, groups: Groups, keys: MemberKeys) -> Wish:
    """Return what is asked for; refuse who asks for another without being entitled to."""
    body: TransferBody = call.body
    check_free_text(body.purpose or "", field="purpose")
    asker = member_of(call.caller)
    sender = asker if body.sender is None else body.sender
    receiver = await finding.find(call, body.to, keys)
    if sender != asker:
        await _check_may_send_for(groups, call, sender, receiver)
    given_name = None
    if body.receiver_first_name is not None or body.receiver_last_name is not None:
        first, last = body.receiver_first_name or "", body.receiver_last_name or ""
        given_name = name_digest(keys, first, last)
    return Wish(
        sender=MemberId(sender),
        receiver=MemberId(receiver),
        points=body.points,
        requested_by=call.caller.actor,
        point_currency=body.point_currency,
        purpose=body.purpose,
        relationship=body.relationship,
        given_name=given_name,
        device=_device(call),
        stepped_up_at=call.caller.authenticated_at,
        pays_in_points=body.pay_fee_in_points,
    )


def _device(call: Call) -> bytes:
    """Return the digest of the device; one that is not named is a device as well.

    Else whoever has stolen a password would only leave the header out.
    """
    return hashlib.sha256(b"device\0" + call.headers.get("x-device", "").encode()).digest()


async def _check_may_send_for(groups: Groups, call: Call, sender: UUID, receiver: UUID) -> None:
    """Refuse who is neither a guardian of the sender, nor a head that may take its points."""
    asker = member_of(call.caller)

    async def work(connection: Connection, book: Book) -> None:
        guarding = await guardians.guardians_of(connection, [sender])
        if asker in guarding[sender]:
            return
        pair = MemberId(sender), MemberId(receiver)
        tie = (await ties.read(connection, [pair]))[pair]
        for shared in tie.groups:
            bound = book.rules.rule_set(shared.group.rule_set_no, book.at)
            mechanism = None if bound is None else bound.rule_set.mechanism
            if mechanism in {Mechanism.P2P, Mechanism.HEAD_PULL}:
                # The transfer is going to be judged by the first of these.
                if mechanism is Mechanism.HEAD_PULL and shared.group.head == asker:
                    return
                break
        raise NotYourself

    await asking.read(groups, call, work, writes=bool(call.idempotency_key))


def language_of(accepted: str) -> Language:
    """Return the first language of an Accept-Language header that there is; else English."""
    for part in accepted.lower().split(","):
        tag, _, parameters = part.strip().partition(";")
        word = tag.partition("-")[0].strip()
        if parameters.replace(" ", "") in {"q=0", "q=0.0"}:
            continue
        if word in _LANGUAGES:
            return _LANGUAGES[word]
        if word == "en":
            return Language.EN
    return Language.EN


def _list(groups: Groups) -> HotEndpoint:
    async def look(connection: Connection, book: Book, call: Call) -> TransferPage:
        asked: TransfersQuery = call.query
        own = member_of(call.caller)
        member = asked.member or own
        if member != own:
            guarding = await guardians.guardians_of(connection, [member])
            if own not in guarding[member]:
                raise NotYourself
        return await transfer_views.page(connection, member, book, asked)

    return asking.looking(
        groups,
        look,
        TransferPage,
        "What you sent and received, or a ward of yours, the latest first",
        query=TransfersQuery,
        refusals=(NotYourself,),
        tags=TAGS,
    )


async def look_at_transfer(connection: Connection, book: Book, call: Call) -> TransferView:
    """Return the transfer that a path names, to whom it concerns."""
    by = by_of(call.caller)
    return await transfer_views.show(connection, call.path["transfer_id"], book, by=by)


def _show(groups: Groups) -> HotEndpoint:
    return asking.looking(
        groups,
        look_at_transfer,
        TransferView,
        "A transfer with its steps",
        description="For both sides, their guardians, and whoever's word it waits for.",
        refusals=(UnknownTransfer,),
        tags=TAGS,
    )


async def check_visible(caller: Caller, path: Mapping[str, Any]) -> None:
    """Refuse a transfer that whoever asks has nothing to do with."""
    async with transaction() as connection:
        await transfer_views.visible(connection, path["transfer_id"], by=by_of(caller))


Decide = Callable[[UUID, By, Call], Awaitable[TransferAnswer]]


def decision(
    groups: Groups,
    word: str,
    decide: Decide,
    *,
    summary: str,
    scope: str = MEMBER_SCOPE,
    with_reason: bool = True,
    description: str | None = None,
    tags: tuple[str, ...] = TAGS,
) -> HotEndpoint:
    """Return the door of a decision about one transfer; a stranger to it learns nothing."""

    async def decided(call: Call) -> Answer:
        transfer, by = call.path["transfer_id"], by_of(call.caller)

        async def work(connection: Connection, book: Book) -> TransferAnswer:
            del book
            await transfer_views.visible(connection, transfer, by=by)
            return await decide(transfer, by, call)

        return await asking.act(groups, call, f"transfers/{transfer}/{word}", 200, work)

    return HotEndpoint(
        method="POST",
        summary=summary,
        description=description,
        handle=decided,
        owned=check_visible if with_reason else None,
        body=ReasonBody if with_reason else None,
        answers={200: TransferAnswer},
        scope=scope,
        idempotent=True,
        refusals=(
            *OF_WRITES,
            *(UnknownTransfer, NotYoursToDecide, TransferNotOpen),
            *(NotEnoughPoints, PointsAlreadySpent),
            *((PaymentCardInText,) if with_reason else ()),
        ),
        tags=tags,
        answer_headers=REPLAY_HEADER,
    )


def approving(transfers: Transfers) -> Decide:
    """Return what gives a word."""

    async def decide(transfer: UUID, by: By, call: Call) -> TransferAnswer:
        return await deciding.approve(transfers, transfer, by=by, at=call.at)

    return decide


def rejecting(transfers: Transfers) -> Decide:
    """Return what turns a transfer down."""

    async def decide(transfer: UUID, by: By, call: Call) -> TransferAnswer:
        reason = _reason(call)
        return await deciding.reject(transfers, transfer, by=by, at=call.at, reason=reason)

    return decide


def undoing(transfers: Transfers) -> Decide:
    """Return what takes a transfer back."""

    async def decide(transfer: UUID, by: By, call: Call) -> TransferAnswer:
        reason = _reason(call)
        return await deciding.undo(transfers, transfer, by=by, at=call.at, reason=reason)

    return decide


def _reason(call: Call) -> str | None:
    reason: str | None = call.body.reason
    check_free_text(reason or "", field="reason")
    return reason


def _approve(transfers: Transfers, groups: Groups) -> HotEndpoint:
    return decision(
        groups,
        "approve",
        approving(transfers),
        summary="Give your word for a transfer that waits for it",
        description="With the last word it goes on. Given again it says nothing new.",
        with_reason=False,
    )


def _reject(transfers: Transfers, groups: Groups) -> HotEndpoint:
    return decision(
        groups,
        "reject",
        rejecting(transfers),
        summary="Turn down a transfer that waits",
        description="Its sender may, and whoever's word it needs. What it reserved is free again.",
    )


def _undo(transfers: Transfers, groups: Groups) -> HotEndpoint:
    return decision(
        groups,
        "undo",
        undoing(transfers),
        summary="Take a transfer back within its time",
        description="Its sender may, until `undo_until`, while the receiver has not spent it.",
    )
