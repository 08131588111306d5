"""From a line of a statement down to its postings, and from a posting to all of its money."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.ledger.refusals import UnknownPosting
from partners.settlement import drilldown, feed, line_sources, passport, periods
from partners.settlement.drilldown import BEGINNING, Place
from partners.settlement.passport import Charged, Leg, Posted
from partners.settlement.rules import Line
from partners.settlement.statements import Statement
from server.commands.amounts import in_major, plain
from server.commands.known import party_name, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.commands.second_person import Row
from server.databases import do
from server.exits import WRONG_INPUT, Stopped
from server.house_clock import HouseClock

_CHARGE = ("posting", "occurred_at", "store", "receipt", "points", "unit_price", "amount")
_BY_HAND = ("adjustment", "reason", "prepared_by", "approved_by", "amount")
_LEG = ("points", "issuer", "funder", "issue_price", "prefunded_share")
_CHARGED = ("partner", "kind", "points", "unit_price", "amount", "period", "state", "line")


class Page(NamedTuple):
    """Which of the charges are wanted: those after what a page ended with, so many at most."""

    after: str | None
    limit: int


async def behind(found: Statement, line: Line, page: Page) -> Row:
    """Return a page of the charges behind a line; points times unit price is each amount."""
    known = await read_catalogue()
    partner_no, period_no = found.head.period.partner_no, found.head.period.no
    async with transaction() as connection:
        tariffs = await line_sources.tariffs_of(connection, partner_no, period_no, line)
        charges, following = await drilldown.charges(
            connection, tariffs, first=_place(page.after), limit=page.limit
        )
        by_hand = await line_sources.by_hand(connection, partner_no, period_no, line)
        occurred = await drilldown.occurrences(
            connection, (charge.posting for charge in charges), partner_no=None
        )
    return {
        "charges": [
            {
                "posting": one.posting,
                "occurred_at": occurred[one.posting].occurred_at,
                "store": _store(known, occurred[one.posting].store_no),
                "receipt": occurred[one.posting].receipt,
                "points": one.points,
                "unit_price": plain(one.unit_price),
                "amount": plain(one.amount),
            }
            for one in charges
        ],
        "by_hand": [
            {
                "adjustment": one.id,
                "reason": one.reason,
                "prepared_by": one.prepared_by,
                "approved_by": one.approved_by,
                "amount": in_major(one.amount_minor, one.currency),
            }
            for one in (by_hand if page.after is None else ())
        ],
        "next": None if following is None else _written(following),
    }


def show(row: Row, *, as_json: bool) -> None:
    """Print a page of charges."""
    charges, by_hand = row["charges"], row["by_hand"]
    assert isinstance(charges, list), "rows of charges"
    assert isinstance(by_hand, list), "rows of adjustments"
    answer(row, as_json=as_json, table=lambda: table_of(charges, _CHARGE))
    if by_hand and not as_json:
        answer(None, as_json=False, table=lambda: table_of(by_hand, _BY_HAND))
    if row["next"] and not as_json:
        say(f"The next page: --after {row['next']}")


@click.command("passport")
@click.argument("posting_id", type=click.UUID)
@place_options
@as_json_option
@click.pass_context
@example("coalition settle passport 01a2002b-a045-7632-8982-1587a375b00b")
def show_passport(context: click.Context, *, posting_id: UUID, as_json: bool) -> None:
    """Show whose points a posting moved, and what it costs and earns each partner where.

    What was paid for a benefit in money (a compensation) is found by its id as well; its points are
    minor units. Of a posting that waits for its drain they are the charges that it will have.
    """

    async def work(_: Settings) -> Row:
        await periods.ensure(HouseClock().now())
        return await _passport(posting_id)

    row = do(place_of(context), work)
    legs, charges = row["legs"], row["charges"]
    assert isinstance(legs, list), "rows of legs"
    assert isinstance(charges, list), "rows of charges"
    if not as_json:
        answer(None, as_json=False, table=lambda: _title(row))
    answer(row, as_json=as_json, table=lambda: table_of(legs, _LEG))
    if not as_json:
        answer(None, as_json=False, table=lambda: table_of(charges, _CHARGED))


async def _passport(posting_id: UUID) -> Row:
    async with transaction(feed.PLANS) as connection:
        posted = await passport.find(connection, posting_id)
        if posted is None:
            raise UnknownPosting
        book = await passport.read_book(connection)
        legs = await passport.legs(connection, posted, book)
        if posted.drain is None:
            charged = await passport.awaited(connection, posted, book)
        else:
            charged = await passport.settled(connection, posted.id, posted.drain)
    known = book.catalogue
    return {
        **_head(known, posted),
        "legs": [_leg(known, one) for one in legs],
        "charges": [_charge(known, one) for one in charged],
    }


def _head(known: Catalogue, posted: Posted) -> Row:
    return {
        "posting_id": posted.id,
        "kind": posted.kind_name,
        "partner": party_name(known, posted.partner_no),
        "store": _store(known, posted.store_no),
        "receipt": posted.receipt,
        "occurred_at": posted.occurred_at,
        "points": posted.points,
        "amount_minor": posted.amount_minor,
        "benefit": posted.reason,
        "reverses": posted.reverses,
        "drain_id": posted.drain,
        "settled_at": posted.drained_at,
    }


def _title(row: Row) -> str:
    receipt = f", receipt {row['receipt']}" if row["receipt"] else ""
    receipt += f", for the benefit {row['benefit']}" if row["benefit"] else ""
    at = row["occurred_at"]
    assert isinstance(at, datetime), "an instant"
    return f"{row['kind']} at {row['partner']}{receipt}, {at.isoformat()}"


def _leg(known: Catalogue, leg: Leg) -> Row:
    move = leg.move
    return {
        "points": move.points,
        "issuer": party_name(known, move.issuer_no),
        "funder": party_name(known, move.funder_no),
        "issue_price": plain(move.issue_price),
        "prefunded_share": plain(move.prefunded_share),
    }


def _charge(known: Catalogue, charged: Charged) -> Row:
    charge, booking = charged.charge, charged.booking
    return {
        "partner": party_name(known, charge.partner_no),
        "kind": charge.kind.name.lower(),
        "points": charged.points,
        "unit_price": plain(charge.unit_price),
        "amount": plain(charged.amount),
        "currency": charge.currency,
        "period": booking.period,
        "origin_period": booking.origin_period,
        "state": booking.state,
        "statement_id": booking.statement,
        "line": booking.line,
    }


def _store(known: Catalogue, store_no: int | None) -> str | None:
    return None if store_no is None else known.store_by_no(store_no).code


def _written(place: Place) -> str:
    return f"{place.drain.hex}.{place.block}.{place.tariff.hex}.{place.position}"


def _place(written: str | None) -> Place:
    if written is None:
        return BEGINNING
    try:
        drain, block, tariff, position = written.split(".")
        return Place(UUID(drain), int(block), UUID(tariff), int(position))
    except ValueError:
        message = f"--after {written} is not what a page ended with"
        raise Stopped(message, exit_code=WRONG_INPUT) from None
