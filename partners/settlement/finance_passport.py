"""The passport of a posting for finance: whose points moved, and whom it costs and earns what.

What was paid for a benefit in money (a compensation) has one too, by its own id.
"""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import transaction
from coalition.kernel.money import Money
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import UnknownPosting
from partners.settlement import feed, passport, periods
from partners.settlement.finance_words import (
    READ,
    TAGS,
    ExactText,
    RateText,
    exact_text,
    named,
    rate_text,
    version_of,
)
from partners.settlement.passport import Charged, Leg, Posted


class MovedMoney(msgspec.Struct, frozen=True, kw_only=True):
    """What an account of the money book is debited (above zero) for a leg, without VAT."""

    account: str
    partner_id: UUID | None
    partner: str
    currency: str
    amount: ExactText


class MovedPoints(msgspec.Struct, frozen=True, kw_only=True):
    """A leg: points that share a provenance, and the money that moves for them; it sums to zero.

    Of a compensation `points` are the minor units that move.
    """

    points: int
    issuer_id: UUID | None
    issuer: str
    funder_id: UUID | None
    funder: str
    contract_version: int | None
    issue_price: ExactText
    prefunded_share: RateText
    money: list[MovedMoney]


class PostedCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What the posting costs (above zero) or earns a partner, and the statement it stands on.

    `statement_id` is null while the period is open, `line` until it is closed.
    """

    partner_id: UUID | None
    partner: str
    kind: str
    contract_version: int | None
    points: int
    unit_price: ExactText
    amount: ExactText
    currency: str
    vat_code: str
    vat_rate: RateText
    period: str
    origin_period: str
    state: str
    statement_id: UUID | None
    line: int | None


class PostingPassport(msgspec.Struct, frozen=True, kw_only=True):
    """From a posting to all of its money. `drain_id` is null while it waits to be settled.

    Its charges are then those that it will have, unless a period is sealed before. A compensation
    moves no points but `amount`, for the `benefit` of a plan that its partner let a member have;
    below zero it is what went back. Points of its legs and charges are minor units.
    """

    posting_id: UUID
    kind: str
    occurred_at: datetime
    partner_id: UUID | None
    partner: str
    store: str | None
    receipt: str | None
    points: int
    amount: Money | None
    benefit: str | None
    reverses: UUID | None
    drain_id: UUID | None
    settled_at: datetime | None
    legs: list[MovedPoints]
    charges: list[PostedCharge]


def passport_routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handler of the passport."""
    return [hot_route(door, "/v1/admin/postings/{posting_id:uuid}/passport", _PASSPORT)]


async def _show(call: Call) -> Answer:
    await periods.ensure(call.at)
    async with transaction(feed.PLANS) as connection:
        posted = await passport.find(connection, call.path["posting_id"])
        if posted is None:
            raise UnknownPosting
        book = await passport.read_book(connection)
        legs = await passport.legs(connection, posted, book)
        if posted.drain is None:
            charged = await passport.awaited(connection, posted, book)
        else:
            charged = await passport.settled(connection, posted.id, posted.drain)
    return Answer(200, _passport(book.catalogue, posted, legs, charged))


def _passport(
    known: Catalogue, posted: Posted, legs: list[Leg], charged: list[Charged]
) -> PostingPassport:
    who = named(known, posted.partner_no)
    store = None if posted.store_no is None else known.store_by_no(posted.store_no).code
    return PostingPassport(
        posting_id=posted.id,
        kind=posted.kind_name,
        occurred_at=posted.occurred_at,
        partner_id=who.partner_id,
        partner=who.partner,
        store=store,
        receipt=posted.receipt,
        points=posted.points,
        amount=_amount(posted, legs),
        benefit=posted.reason,
        reverses=posted.reverses,
        drain_id=posted.drain,
        settled_at=posted.drained_at,
        legs=[_leg(known, leg) for leg in legs],
        charges=[_charge(known, one) for one in charged],
    )


def _amount(posted: Posted, legs: list[Leg]) -> Money | None:
    """Return what a compensation moves: in the currency in which its legs do."""
    if posted.amount_minor is None:
        return None
    return Money(posted.amount_minor, legs[0].priced.sides[0].currency)


def _leg(known: Catalogue, leg: Leg) -> MovedPoints:
    move = leg.move
    issuer, funder = named(known, move.issuer_no), named(known, move.funder_no)
    return MovedPoints(
        points=move.points,
        issuer_id=issuer.partner_id,
        issuer=issuer.partner,
        funder_id=funder.partner_id,
        funder=funder.partner,
        contract_version=version_of(known, move.contract_no),
        issue_price=exact_text(move.issue_price),
        prefunded_share=rate_text(move.prefunded_share),
        money=[
            MovedMoney(
                account=side.account.name.lower(),
                partner_id=named(known, side.partner_no).partner_id,
                partner=named(known, side.partner_no).partner,
                currency=side.currency,
                amount=exact_text(side.unit * move.points),
            )
            for side in leg.priced.sides
        ],
    )


def _charge(known: Catalogue, charged: Charged) -> PostedCharge:
    charge, booking = charged.charge, charged.booking
    who = named(known, charge.partner_no)
    return PostedCharge(
        partner_id=who.partner_id,
        partner=who.partner,
        kind=charge.kind.name.lower(),
        contract_version=version_of(known, charge.contract_no),
        points=charged.points,
        unit_price=exact_text(charge.unit_price),
        amount=exact_text(charged.amount),
        currency=charge.currency,
        vat_code=charge.vat_code,
        vat_rate=rate_text(charge.vat_rate),
        period=booking.period,
        origin_period=booking.origin_period,
        state=booking.state,
        statement_id=booking.statement,
        line=booking.line,
    )


_PASSPORT = HotEndpoint(
    method="GET",
    summary="What a posting or compensation costs and earns everyone, and on which statements",
    handle=_show,
    answers={200: PostingPassport},
    scope=READ,
    refusals=(UnknownPosting,),
    tags=TAGS,
)
