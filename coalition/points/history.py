"""What a partner is told of its postings and holds afterwards, with the reasons."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import msgspec
from msgspec import UNSET

from coalition.kernel.database import Connection, transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.ledger import receipts, register
from coalition.ledger.accounts import INTO_LOT, HoldState, Kind
from coalition.ledger.posting import POSTER_ROLE
from coalition.ledger.refusals import UnknownHold, UnknownPosting
from coalition.ledger.register import Recorded, RecordedHold
from coalition.points import purchases
from coalition.points.commands import PointCurrencyTold, Purchase
from coalition.points.purchases import KeptLine
from coalition.points.rules import Reason, reversed_reason, spent_reason, why_earned
from coalition.points.terms import Terms


class PostingKind(StrEnum):
    """What a posting did."""

    ISSUE = "issue"
    REDEEM = "redeem"
    REVERSAL = "reversal"
    EXPIRE = "expire"
    ADJUSTMENT = "adjustment"
    CONVERSION = "conversion"
    MERGE = "merge"
    RECOVERY = "recovery"
    TRANSFER = "transfer"
    FEE = "fee"
    BENEFIT = "benefit"


class Direction(StrEnum):
    """Where points went, seen from the member."""

    CREDIT = "credit"
    """To the member."""
    DEBIT = "debit"
    """From the member."""


class HoldStanding(StrEnum):
    """What became of a hold."""

    OPEN = "open"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"


_KINDS = {kind: PostingKind[kind.name] for kind in Kind}
_WHY = {
    Kind.EXPIRE: "the last day to spend them has passed",
    Kind.ADJUSTMENT: "two of the staff agreed on it",
    Kind.CONVERSION: "exchanged for points of another currency",
    Kind.MERGE: "two accounts of one person became one",
    Kind.RECOVERY: "for points that were spent before their purchase was returned",
    Kind.TRANSFER: "passed from one member to another",
    Kind.FEE: "the price of passing points on",
    Kind.BENEFIT: "given for a membership",
}
_STANDINGS = {
    HoldState.OPEN: HoldStanding.OPEN,
    HoldState.CAPTURED: HoldStanding.CAPTURED,
    HoldState.VOIDED: HoldStanding.VOIDED,
    HoldState.EXPIRED: HoldStanding.EXPIRED,
}


class MovedLot(msgspec.Struct, frozen=True):
    """Points that a posting moved: who issued them (null is the operator), and their last day.

    `expires_on` null is never.
    """

    issuer_id: UUID | None
    points: int
    expires_on: date | None


class BoughtLine(msgspec.Struct, frozen=True):
    """A line of a purchase; `returned` of its quantity went back since."""

    no: int
    amount_minor: int
    category: str | None
    sku: str | None
    quantity: int
    returned: int


class PostingView(msgspec.Struct, frozen=True, kw_only=True):
    """A posting as it was made; `reversed_points` is how many of its points were reversed since."""

    posting_id: UUID
    kind: PostingKind
    member_id: UUID
    store: str | None
    receipt: str | None
    occurred_at: datetime
    committed_at: datetime
    points: int
    direction: Direction
    lots: list[MovedLot]
    reasons: list[Reason]
    purchase: Purchase | None
    reverses: UUID | None
    linked: UUID | None
    """The issue that a recovery pays for, the other half of a conversion, a merge or a transfer, or
    the transfer that a fee was taken for."""
    reversed_points: int
    lines: list[BoughtLine] | None = None
    """The purchase's lines, where the till sent any."""
    point_currency: PointCurrencyTold = UNSET


class PostingPage(msgspec.Struct, frozen=True):
    """Postings, the latest first; ask again with `cursor` set to `next_cursor` for those before."""

    items: list[PostingView]
    next_cursor: UUID | None


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    """A hold as it stands; `posting_id` is the redemption of a captured one."""

    hold_id: UUID
    state: HoldStanding
    member_id: UUID
    store: str | None
    receipt: str
    points: int
    occurred_at: datetime
    made_at: datetime
    expires_at: datetime
    resolved_at: datetime | None
    posting_id: UUID | None
    point_currency: PointCurrencyTold = UNSET


async def show_posting(posting: UUID, *, partner_no: int, terms: Terms) -> PostingView:
    """Return a posting of the partner. Raises `UnknownPosting`."""
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        recorded = await register.read_posting(connection, posting, partner_no=partner_no)
        if recorded is None:
            raise UnknownPosting
        (view,) = await _views(connection, [recorded], terms)
    return view


async def list_postings(
    *,
    partner_no: int,
    terms: Terms,
    cursor: UUID | None,
    limit: int,
) -> PostingPage:
    """Return a page of the partner's postings."""
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        found = await register.list_postings(
            connection,
            partner_no=partner_no,
            before=cursor,
            limit=limit + 1,
        )
        page = await _views(connection, found[:limit], terms)
    return PostingPage(page, page[-1].posting_id if len(found) > limit else None)


async def list_of_member(
    connection: Connection, member: UUID, *, terms: Terms, after: UUID, limit: int
) -> list[tuple[int, PostingView]]:
    """Return at most `limit` postings of a member, the earliest first, each with its partner."""
    found = await register.list_of_holder(connection, member, after=after, limit=limit)
    views = await _views(connection, found, terms)
    return [(one.partner_no, view) for one, view in zip(found, views, strict=True)]


async def list_latest_of_member(
    connection: Connection, member: UUID, *, terms: Terms, before: UUID | None, limit: int
) -> list[tuple[int, PostingView]]:
    """Return at most `limit` postings of a member, the latest first, each with its partner."""
    found = await register.list_latest_of_holder(connection, member, before=before, limit=limit)
    views = await _views(connection, found, terms)
    return [(one.partner_no, view) for one, view in zip(found, views, strict=True)]


async def list_on_receipt(
    *,
    partner_no: int,
    terms: Terms,
    store: str | None,
    receipt: str,
    day: date,
    bound_no: int | None = None,
) -> PostingPage:
    """Return what a receipt of one store and day earned and paid. Raises `UnknownStore`.

    Where no store is named it is the one that the client is bound to. A closed store's receipts are
    found as well, and those of the partner's other stores: returns go across them.
    """
    store_no = bound_no if store is None else terms.catalogue.store(partner_no, store).no
    # Claims are kept under digests that name nobody, so only the poster's role reads them.
    async with transaction(role=POSTER_ROLE) as connection:
        batches = await receipts.batches_of(
            connection, partner_no=partner_no, store_no=store_no, receipt=receipt, business_day=day
        )
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        found = [
            recorded
            for batch in batches
            for recorded in await register.list_on_receipt(
                connection, batch, partner_no=partner_no, receipt=receipt
            )
            # The batch may have used the same number at another store or for another day.
            if recorded.store_no == store_no and terms.day(recorded.occurred_at) == day
        ]
        return PostingPage(await _views(connection, found, terms), None)


async def kind_of_posting(posting: UUID, *, partner_no: int) -> Kind:
    """Return the kind of a posting of the partner. Raises `UnknownPosting`."""
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        kind = await register.read_kind(connection, posting, partner_no=partner_no)
    if kind is None:
        raise UnknownPosting
    return Kind(kind)


async def check_own_hold(hold: UUID, *, partner_no: int) -> None:
    """Refuse a hold that is not the partner's. Raises `UnknownHold`."""
    await _read_hold(hold, partner_no)


async def show_hold(hold: UUID, *, partner_no: int, terms: Terms, at: datetime) -> HoldView:
    """Return a hold of the partner as it stands at `at`. Raises `UnknownHold`."""
    kept = await _read_hold(hold, partner_no)
    standing = _STANDINGS[HoldState(kept.state)]
    if standing is HoldStanding.OPEN and kept.expires_at <= at:
        standing = HoldStanding.EXPIRED  # the job that books it has not come by yet
    return HoldView(
        hold_id=kept.id,
        state=standing,
        member_id=kept.holder,
        store=_store_code(kept.store_no, terms),
        receipt=kept.receipt,
        points=kept.points,
        occurred_at=kept.occurred_at,
        made_at=kept.made_at,
        expires_at=kept.expires_at,
        resolved_at=kept.resolved_at,
        posting_id=kept.posting,
        point_currency=_currency_code(kept.currency_no, terms),
    )


async def _read_hold(hold: UUID, partner_no: int) -> RecordedHold:
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        kept = await register.read_hold(connection, hold, partner_no=partner_no)
    if kept is None:
        raise UnknownHold
    return kept


async def _views(
    connection: Connection, found: Sequence[Recorded], terms: Terms
) -> list[PostingView]:
    """Return the views of postings; what rules said of an issue is told as it was then."""
    issues = [recorded.id for recorded in found if recorded.kind == Kind.ISSUE]
    reasons = await purchases.read_reasons(connection, issues) if issues else {}
    lines = await purchases.read_lines(connection, issues) if issues else {}
    return [
        _posting_view(one, terms, reasons=reasons.get(one.id), lines=lines.get(one.id))
        for one in found
    ]


def _posting_view(
    recorded: Recorded,
    terms: Terms,
    *,
    reasons: list[Reason] | None,
    lines: Sequence[KeptLine] | None,
) -> PostingView:
    bought = None
    if recorded.purchase_minor is not None and recorded.purchase_currency is not None:
        bought = Purchase(amount_minor=recorded.purchase_minor, currency=recorded.purchase_currency)
    return PostingView(
        posting_id=recorded.id,
        kind=_KINDS[Kind(recorded.kind)],
        member_id=recorded.holder,
        store=_store_code(recorded.store_no, terms),
        receipt=recorded.receipt,
        occurred_at=recorded.occurred_at,
        committed_at=recorded.committed_at,
        points=recorded.points,
        direction=Direction.CREDIT if recorded.direction == INTO_LOT else Direction.DEBIT,
        lots=[
            MovedLot(_issuer_id(moved.issuer_no, terms), moved.points, moved.expires_on)
            for moved in recorded.moved
        ],
        reasons=reasons or [_reason(recorded, bought, terms)],
        purchase=bought,
        reverses=recorded.reverses,
        linked=recorded.linked,
        reversed_points=recorded.reversed,
        lines=[BoughtLine(*line) for line in lines] if lines else None,
        point_currency=_currency_code(recorded.currency_no, terms),
    )


def _reason(recorded: Recorded, bought: Purchase | None, terms: Terms) -> Reason:
    """Explain a posting again from what is stored; the same words as in its first answer."""
    kind = Kind(recorded.kind)
    match kind:
        case Kind.ISSUE:
            rule = None if recorded.rule_no is None else terms.rules.numbered(recorded.rule_no)
            return why_earned(recorded.points, rule, bought)
        case Kind.REDEEM:
            return spent_reason(recorded.points)
        case Kind.REVERSAL:
            return reversed_reason(recorded.points, recorded.reason)
        case Kind.EXPIRE:
            return Reason("expiry", recorded.points, recorded.reason or _WHY[kind])
        case _:
            return Reason(_KINDS[kind].value, recorded.points, recorded.reason or _WHY[kind])


def _currency_code(currency_no: int, terms: Terms) -> PointCurrencyTold:
    """Return the code of a point currency; nothing where it is the coalition's own."""
    if currency_no == terms.catalogue.coalition.point_currency_no:
        return UNSET
    return terms.catalogue.currency_by_no(currency_no).code


def _issuer_id(issuer_no: int, terms: Terms) -> UUID | None:
    return terms.catalogue.partner(issuer_no).id if issuer_no else None


def _store_code(store_no: int | None, terms: Terms) -> str | None:
    return None if store_no is None else terms.catalogue.store_by_no(store_no).code
