"""What tills ask of memberships: what a member is entitled to here, and that it had some of it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from billing.benefits import held_now, returning, uses
from billing.benefits.held_now import HeldNow
from billing.benefits.refusals import (
    BenefitNotHeld,
    BenefitUsedUp,
    InvalidSaving,
    ReceiptUsedOtherwise,
    ReturnsTooMuch,
    SavingInOtherCurrency,
    UnknownUse,
)
from billing.benefits.returning import UseKey
from billing.benefits.tokens import Signer
from billing.benefits.uses import Wanted
from billing.plans.catalogue import Shelf
from coalition.federation.refusals import NoContract, PartnerSuspended, UnknownStore
from coalition.kernel import idempotency
from coalition.kernel.database import Connection, transaction
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.kernel.settings import Settings
from coalition.kernel.web.decoding import encode
from coalition.kernel.web.fields import (
    AmountMinor,
    Body,
    CurrencyCode,
    Instant,
    ReceiptText,
    ShortText,
)
from coalition.kernel.web.hot import (
    REPLAY_HEADER,
    REPLAYED,
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
)
from coalition.ledger.refusals import HolderMerged
from coalition.members import queries
from coalition.members.refusals import MemberIsClosed, UnknownMember
from coalition.members.rules import normal_card
from coalition.points.commands import CardText
from coalition.points.refusals import OtherStore, StoreClosed, TimeOutOfBounds, UnknownCard
from coalition.points.service import digest_or_none
from coalition.points.till import Tills

TAGS = ("entitlements",)
_ACTS = ("points:issue", "points:redeem")
BenefitCode = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9-]{0,39}(?![\s\S])",
        description="A benefit's `code`, as the member's entitlements name it",
        examples=["shipping"],
    ),
]


class EntitlementsQuery(Body, frozen=True):
    """With which of the member's cards its token is to be known offline, if with any."""

    card: CardText | None = None


class MoneyBody(Body, frozen=True):
    """An amount of money."""

    amount_minor: AmountMinor
    currency: CurrencyCode


class UseBody(Body, frozen=True):
    """What a till let a member have; `price` is that before a discount."""

    benefit: BenefitCode
    receipt: ReceiptText
    occurred_at: Instant
    saved: MoneyBody
    price: MoneyBody | None = None
    store: ShortText | None = None


class UseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A use as it counts; `remaining` in its period is null without a limit.

    `left` is what has not been returned of `saved`.
    """

    member_id: UUID
    benefit: str
    receipt: str
    saved: Money
    left: Money
    used_at: datetime
    returned_at: datetime | None
    remaining: int | None


class ReturnBody(Body, frozen=True):
    """Which use goes back with its purchase; `amount` is the part of it that does, by default all.

    A part sent under another Idempotency-Key is a further part.
    """

    benefit: BenefitCode
    receipt: ReceiptText
    amount: MoneyBody | None = None


class ReturnAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """That a use was returned, and when first; `left` is what is left of what it saved.

    While something is left the use counts on.
    """

    member_id: UUID
    benefit: str
    receipt: str
    returned_at: datetime
    left: Money


class EntitlementsAnswer(HeldNow, frozen=True, kw_only=True):
    """What a member is entitled to at your tills now.

    `token` says the same for a till that is offline; it is checked by our published keys. It is
    null where there is no plan.
    """

    token: str | None


def routes(door: Door, tills: Tills, settings: Settings) -> list[ASGIRouteHandler]:
    """Return the handlers of entitlements at tills."""
    shelf = Shelf()
    signer = Signer(issuer=settings.issuer, master_key=settings.master_key)
    card_key = settings.blind_index_key
    address = "/v1/members/{member_id:uuid}/entitlements"
    return [
        hot_route(door, address, _show(shelf, signer, card_key)),
        hot_route(door, f"{address}/use", _use(shelf, tills)),
        hot_route(door, f"{address}/return", _give_back()),
    ]


def _show(shelf: Shelf, signer: Signer, card_key: bytes) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        asked: EntitlementsQuery = call.query
        partner_id = call.caller.partner_id
        assert partner_id is not None, "the scope is of partners"
        async with transaction() as connection:
            held = await held_now.read(
                connection,
                MemberId(call.path["member_id"]),
                at_partner=call.caller.partner_no,
                plans=await shelf.read(connection),
                at=call.at,
            )
            if held is None:
                raise UnknownMember
            card = await _card(connection, asked.card, held.member_id, card_key)
            token = await signer.sign(
                connection, held, partner_id=partner_id, card=card, at=call.at
            )
        told = {field: getattr(held, field) for field in HeldNow.__struct_fields__}
        return Answer(200, EntitlementsAnswer(**told, token=token))

    return HotEndpoint(
        method="GET",
        summary="What a member's plan gives at your tills now",
        description=(
            "The token is good for some hours, never beyond the entitlement, and for you alone: "
            "check `typ` entitlement+jwt, `aud`, `iss`, `exp` and the signature by the key set. "
            "Asked for with a `card` of the member it bears its mark, the first 32 hexadecimal "
            "digits of the SHA-256 of `aud`, a space and the card, so that a till that is offline "
            "knows whose it is."
        ),
        handle=show,
        query=EntitlementsQuery,
        answers={200: EntitlementsAnswer},
        scope="members:read",
        refusals=(UnknownMember, UnknownCard),
        tags=TAGS,
    )


async def _card(
    connection: Connection, given: str | None, member: UUID, card_key: bytes
) -> str | None:
    """Return a card in its normal form; raises `UnknownCard` where it is not the member's."""
    if given is None:
        return None
    digest = digest_or_none(card_key, given)
    found = await queries.holders_of_cards(connection, [digest] if digest else [])
    if digest is None or found.get(digest) != member:
        raise UnknownCard
    return normal_card(given)


def _use(shelf: Shelf, tills: Tills) -> HotEndpoint:
    async def use(call: Call) -> Answer:
        body: UseBody = call.body
        member = MemberId(call.path["member_id"])

        async def work(connection: Connection) -> idempotency.Answer:
            caller = call.caller
            terms = await tills.refresh_terms(connection)
            terms.catalogue.active_partner(caller.partner_no)
            wanted = Wanted(
                member=member,
                partner_no=caller.partner_no,
                store_no=terms.store(caller.partner_no, body.store, caller.store_no),
                benefit=body.benefit,
                receipt=body.receipt,
                saved=_money(body.saved),
                price=None if body.price is None else _money(body.price),
                used_at=body.occurred_at,
            )
            plans = await shelf.read(connection)
            known = terms.catalogue
            used = await uses.use(connection, wanted, plans=plans, known=known, at=call.at)
            answer = UseAnswer(
                member_id=member,
                benefit=body.benefit,
                receipt=body.receipt,
                saved=used.saved,
                left=used.left,
                used_at=used.used_at,
                returned_at=used.returned_at,
                remaining=used.remaining,
            )
            return idempotency.Answer(201, call.media.value, encode(answer, call.media))

        return await _once(call, f"use?{member}", work)

    return HotEndpoint(
        method="POST",
        summary="Let a member have a benefit in money",
        description=(
            "Once per receipt and benefit, and as often in a period as the plan gives it, to the "
            "member and all who share the plan together. Whoever promised the benefit pays you for "
            "it in your settlement, so it is in the currency of your contract."
        ),
        handle=use,
        body=UseBody,
        answers={201: UseAnswer},
        scope=_ACTS,
        idempotent=True,
        refusals=(
            *(BenefitNotHeld, BenefitUsedUp, InvalidSaving, SavingInOtherCurrency),
            ReceiptUsedOtherwise,
            *(UnknownMember, MemberIsClosed, HolderMerged, TimeOutOfBounds),
            *(PartnerSuspended, NoContract, UnknownStore, OtherStore, StoreClosed),
            *(KeyReused, RequestInProgress),
        ),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _give_back() -> HotEndpoint:
    async def give_back(call: Call) -> Answer:
        body: ReturnBody = call.body
        member = MemberId(call.path["member_id"])

        async def work(connection: Connection) -> idempotency.Answer:
            back = await returning.give_back(
                connection,
                UseKey(member, call.caller.partner_no, body.receipt, body.benefit),
                amount=None if body.amount is None else _money(body.amount),
                at=call.at,
            )
            answer = ReturnAnswer(
                member_id=member,
                benefit=body.benefit,
                receipt=body.receipt,
                returned_at=back.returned_at,
                left=back.left,
            )
            return idempotency.Answer(201, call.media.value, encode(answer, call.media))

        return await _once(call, f"return?{member}", work)

    return HotEndpoint(
        method="POST",
        summary="Take a benefit in money back with its purchase",
        description=(
            "Whole, or a part of it: what you were to be paid for it goes back. A use that is "
            "returned whole counts no longer."
        ),
        handle=give_back,
        body=ReturnBody,
        answers={201: ReturnAnswer},
        scope=_ACTS,
        idempotent=True,
        refusals=(
            *(UnknownUse, ReturnsTooMuch, SavingInOtherCurrency),
            *(UnknownMember, MemberIsClosed, HolderMerged),
            *(KeyReused, RequestInProgress),
        ),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _money(body: MoneyBody) -> Money:
    return Money(body.amount_minor, body.currency)


async def _once(
    call: Call, address: str, work: Callable[[Connection], Awaitable[idempotency.Answer]]
) -> Answer:
    """Do `work` in a transaction with its key, or give the first answer to the key again."""
    claim = Claim.of(call.caller.client_no, call.idempotency_key, address, call.body_digest)
    answer = await idempotency.once(claim, call.at, work)
    headers = (REPLAYED,) if answer.replayed else ()
    return Answer(answer.status, answer.body, headers, answer.media_type)
