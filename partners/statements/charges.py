"""From a line to the postings behind it, and from a posting to the lines it stands on."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.kernel.money import Money
from coalition.ledger.refusals import UnknownPosting
from partners.settlement import drilldown, feed, line_sources, passport, periods
from partners.settlement.drilldown import BEGINNING, Charge, Occurrence, Place
from partners.settlement.finance_words import exact_text, rate_text, version_of
from partners.settlement.line_sources import ByHand
from partners.settlement.passport import Charged, Leg, Posted
from partners.settlement.refusals import CursorOfAnotherLine, UnknownLine
from partners.settlement.rules import Line
from partners.settlement.statements import Statement
from partners.statements import service
from partners.statements.views import (
    AdjustmentView,
    ChargeList,
    ChargeView,
    Passport,
    PassportCharge,
    PassportLeg,
)


class OpenedLine(NamedTuple):
    """A line of a partner's statement, whose charges are wanted."""

    partner_no: int
    period_no: int
    line: Line


async def line_of_statement(
    statement_id: UUID, no: int, *, partner_no: int, at: datetime
) -> OpenedLine:
    """Return a line of the partner's statement. Raises `UnknownStatement`, `UnknownLine`."""
    return _opened(await service.statement_of(statement_id, partner_no, at), no)


async def line_of_period(
    period: str | None, no: int, *, partner_no: int, at: datetime
) -> OpenedLine:
    """Return a line of an open period as it stands. Raises `UnknownPeriod`, `UnknownLine`."""
    live = await service.live_statement(partner_no, period, at)
    return _opened(live.statements[-1], no)


async def behind(
    opened: OpenedLine, catalogue: Catalogue, *, cursor: str | None, limit: int
) -> ChargeList:
    """Return a page of the charges behind a line. Raises `CursorOfAnotherLine`."""
    partner_no, period_no, line = opened
    first = BEGINNING if cursor is None else Place.read(cursor)
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        tariffs = await line_sources.tariffs_of(connection, partner_no, period_no, line)
        if cursor is not None and first.tariff not in tariffs:
            raise CursorOfAnotherLine
        found, following = await drilldown.charges(connection, tariffs, first=first, limit=limit)
        by_hand = await line_sources.by_hand(
            connection, partner_no, period_no, line, names_staff=False
        )
    # A partner reads its own postings only; when the others took place it is told all the same,
    # since prices depend on it.
    async with transaction() as connection:
        occurred = await drilldown.occurrences(
            connection, (charge.posting for charge in found), partner_no=partner_no
        )
    return ChargeList(
        [_view(charge, occurred[charge.posting], line.currency, catalogue) for charge in found],
        [_adjustment(one) for one in by_hand if cursor is None],
        None if following is None else following.written(),
    )


async def passport_of(
    posting: UUID, catalogue: Catalogue, *, partner_no: int, at: datetime
) -> Passport:
    """Return what a posting costs or earns the partner.

    Raises `UnknownPosting` for one that the partner neither made nor is charged for.
    """
    await periods.ensure(at)
    async with transaction(feed.PLANS) as connection:
        posted = await passport.find(connection, posting)
        if posted is None:
            raise UnknownPosting
        book = await passport.read_book(connection)
        legs = await passport.legs(connection, posted, book)
        awaited = [] if posted.drain else await passport.awaited(connection, posted, book)
    charged = [one for one in awaited if one.charge.partner_no == partner_no]
    if posted.drain is not None:
        async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
            charged = await passport.settled(connection, posting, posted.drain)
    is_own = posted.partner_no == partner_no
    if not is_own and not charged:
        raise UnknownPosting
    return _passport(posted, legs, charged, catalogue, partner_no=partner_no)


def _opened(statement: Statement, no: int) -> OpenedLine:
    period = statement.head.period
    for line in statement.lines:
        if line.no == no:
            return OpenedLine(period.partner_no, period.no, line)
    raise UnknownLine


def _view(charge: Charge, occurred: Occurrence, currency: str, catalogue: Catalogue) -> ChargeView:
    return ChargeView(
        posting_id=charge.posting,
        occurred_at=occurred.occurred_at,
        receipt=occurred.receipt,
        store=_store(occurred.store_no, catalogue),
        points=charge.points,
        unit_price=exact_text(charge.unit_price),
        amount=exact_text(charge.amount),
        currency=currency,
        drain_id=charge.place.drain,
    )


def _adjustment(by_hand: ByHand) -> AdjustmentView:
    return AdjustmentView(
        adjustment_id=by_hand.id,
        amount=Money(by_hand.amount_minor, by_hand.currency),
        reason=by_hand.reason,
    )


def _passport(
    posted: Posted,
    legs: list[Leg],
    charged: list[Charged],
    catalogue: Catalogue,
    *,
    partner_no: int,
) -> Passport:
    is_own = posted.partner_no == partner_no
    return Passport(
        posting_id=posted.id,
        occurred_at=posted.occurred_at,
        points=posted.points,
        receipt=posted.receipt if is_own else None,
        store=_store(posted.store_no, catalogue) if is_own else None,
        reverses=posted.reverses,
        drain_id=posted.drain,
        settled_at=posted.drained_at,
        legs=[
            _leg(leg, catalogue, partner_no)
            for leg in legs
            if is_own or partner_no in {leg.move.issuer_no, leg.move.funder_no}
        ],
        charges=[_charge(one, catalogue) for one in charged],
    )


def _leg(leg: Leg, catalogue: Catalogue, partner_no: int) -> PassportLeg:
    move = leg.move
    is_own = partner_no in {move.issuer_no, move.funder_no}
    return PassportLeg(
        points=move.points,
        issuer_id=catalogue.partner(move.issuer_no).id if move.issuer_no else None,
        issue_price=exact_text(move.issue_price) if is_own else None,
    )


def _charge(charged: Charged, catalogue: Catalogue) -> PassportCharge:
    charge, booking = charged.charge, charged.booking
    return PassportCharge(
        kind=charge.kind.name.lower(),
        contract_version=version_of(catalogue, charge.contract_no),
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


def _store(store_no: int | None, catalogue: Catalogue) -> str | None:
    return None if store_no is None else catalogue.store_by_no(store_no).code
