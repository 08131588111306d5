"""Converting: points of one currency become points of another, at the rate of their time."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from coalition.kernel import outbox
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.kernel.web.fields import Body, Instant, PointsAmount, ReceiptText, ShortText
from coalition.ledger import posting
from coalition.ledger.drafts import Convert, Converted, Till
from coalition.members import queries, relations
from coalition.points.commands import CardText, CashierText, PointCurrencyCode
from coalition.points.guards.signals import POSTED
from coalition.points.refusals import NotInContract, OneMemberNeeded, SameCurrency, UnknownCard
from coalition.points.service import digest_or_none
from coalition.points.terms import Terms, check_time


class ConvertBody(Body, frozen=True):
    """Exchange points of one currency for points of another, at the rate of `occurred_at`."""

    receipt: ReceiptText
    occurred_at: Instant
    from_currency: PointCurrencyCode = msgspec.field(name="from")
    to_currency: PointCurrencyCode = msgspec.field(name="to")
    points: Annotated[PointsAmount, Meta(description="How many to take, at most")]
    member_id: UUID | None = None
    card: CardText | None = None
    store: ShortText | None = None
    cashier: CashierText | None = None


class ConversionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A conversion: the half that took points, the half that gave others, and what stayed."""

    posting_id: UUID
    into_posting_id: UUID
    member_id: UUID
    from_currency: str = msgspec.field(name="from")
    to_currency: str = msgspec.field(name="to")
    points: int
    """Taken; always a multiple of what the rate exchanges."""
    converted: int
    """Given in the other point currency."""
    remainder: int
    """Asked for and left where they are, since no lot gives them in whole multiples."""
    balance: int
    """What the member can still spend of the points that were taken."""


class Asker(NamedTuple):
    """Who asks for a conversion: a partner, its client, and the store that this is bound to."""

    partner_no: int
    client_no: int | None
    store_no: int | None


async def convert(
    connection: Connection,
    asker: Asker,
    body: ConvertBody,
    *,
    terms: Terms,
    card_key: bytes,
    at: datetime,
) -> ConversionAnswer:
    """Convert points of a member in the caller's transaction; `ensure_partition(at)` came before.

    Raises what stands in the way: of the till as for a redemption, `UnknownPointCurrency`,
    `NoExchangeRate`, `NothingToConvert`, `PriceNotExact` or `ConversionTooLarge`.
    """
    known = terms.catalogue
    known.active_partner(asker.partner_no)
    member = await _member_of(connection, body, card_key)
    draft = _draft(asker, body, member, terms, at)
    today = terms.day(at)
    suspended = known.suspended_at(at)
    batch, (outcome,) = await posting.post(
        connection, [draft], at=at, today=today, clocks=known.clocks, suspended=suspended
    )
    if isinstance(outcome, Refused):
        raise outcome
    assert isinstance(outcome, Converted), "a conversion converts or is refused"
    await relations.ensure(connection, {(MemberId(member), asker.partner_no)}, at)
    told = {"batch": str(batch), "postings": 2, "partners": [asker.partner_no]}
    await outbox.append(connection, [outbox.Event(POSTED, told)], at)
    balances = await posting.balances(
        connection, [member], currency_no=draft.currency_no, today=today, suspended=suspended
    )
    return ConversionAnswer(
        posting_id=outcome.posting,
        into_posting_id=outcome.into_posting,
        member_id=member,
        from_currency=body.from_currency,
        to_currency=body.to_currency,
        points=outcome.points,
        converted=outcome.given,
        remainder=outcome.remainder,
        balance=balances[member],
    )


def _draft(asker: Asker, body: ConvertBody, member: UUID, terms: Terms, at: datetime) -> Convert:
    check_time(body.occurred_at, at)
    known = terms.catalogue
    till = Till(
        asker.partner_no,
        terms.store(asker.partner_no, body.store, asker.store_no),
        asker.client_no,
        body.receipt,
        terms.day(body.occurred_at),
        body.occurred_at,
        body.cashier,
    )
    if not known.contract_at(asker.partner_no, body.occurred_at).accepts:
        raise NotInContract("The partner's contract does not let it take points")
    from_no, to_no = known.currency(body.from_currency).no, known.currency(body.to_currency).no
    if from_no == to_no:
        raise SameCurrency
    rate = known.rate_at(from_no, to_no, body.occurred_at)
    return Convert(member, till, from_no, to_no, body.points, rate.from_points, rate.to_points)


async def _member_of(connection: Connection, body: ConvertBody, card_key: bytes) -> UUID:
    if (body.member_id is None) == (body.card is None):
        raise OneMemberNeeded
    if body.member_id is not None:
        return body.member_id
    digest = digest_or_none(card_key, body.card or "")
    found = await queries.holders_of_cards(connection, [digest] if digest else [])
    if digest not in found:
        raise UnknownCard
    return found[digest]
