"""`coalition settle seal|close|adjust`: periods to their end, and money by hand."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from partners.settlement import adjusting, closing, periods, sealing
from partners.settlement.adjusting import OfLine
from partners.settlement.calendars import Period
from server.commands.amounts import in_minor
from server.commands.known import find_partner, find_party, party_name, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.second_person import Row, prepared_by_option
from server.commands.settle_approvals import SECOND
from server.commands.settlement_terms import Amount
from server.databases import do
from server.house_clock import HouseClock

_SEALED = ("partner", "period", "from", "until", "cut_off_at")


@click.command()
@click.option("--period", help="Only this one, such as 2026-10.  [default: all that are due]")
@click.option("--partner", "partner_name", help="Only of this one (name, number or id).")
@place_options
@as_json_option
@click.pass_context
@example("coalition settle seal", 'coalition settle seal --period 2026-10 --partner "Corner Shop"')
def seal(
    context: click.Context, *, period: str | None, partner_name: str | None, as_json: bool
) -> None:
    """Seal periods whose cut-off has come; the worker does so each minute.

    What is posted later for a sealed period stands on the next statement. One person is enough:
    nothing is agreed by it, and its statement is provisional until two persons close it.
    """

    async def work(_: Settings) -> list[Row]:
        at = HouseClock().now()
        known = await read_catalogue()
        partner_no = None if partner_name is None else find_party(known, partner_name)
        if period is None:
            wanted = None if partner_no is None else [partner_no]
            sealed = await sealing.seal_due(at, wanted)
        else:
            named = await _named(period, partner_no, at)
            sealed = [await sealing.seal(one.partner_no, one.no, at) for one in named]
        return [_period_row(known, one) for one in sealed]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SEALED))


@click.command()
@click.option("--period", required=True, help="Such as 2026-10, 2026-10-H1 or 2026-W41.")
@click.option("--partner", "partner_name", help="Only of this one.  [default: all that are sealed]")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition settle close --period 2026-10 --prepared-by anna",
    'coalition settle close --period 2026-W41 --partner "Corner Shop" --prepared-by anna',
)
def close(
    context: click.Context,
    *,
    period: str,
    partner_name: str | None,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose to close a sealed period for good; a second person approves what it comes to."""

    async def prepare(at: datetime) -> UUID:
        known = await read_catalogue()
        return await closing.prepare(
            period=period,
            prepared_by=prepared_by,
            at=at,
            partner_no=None if partner_name is None else find_party(known, partner_name),
        )

    SECOND.propose(context, prepare, as_json=as_json)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("partner_name", metavar="PARTNER")
@click.argument("amount", type=Amount())
@click.option("--currency", help="[default: the currency of the partner's contract]")
@click.option("--reason", required=True, help="Why; it stands on the statement.")
@click.option("--statement", type=click.UUID, help="The closed statement that it puts right.")
@click.option("--line", "line_no", type=click.IntRange(1), help="The line of that statement.")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    'coalition settle adjust "Corner Shop" 25.00 --reason "late fee" --prepared-by anna',
    'coalition settle adjust "Corner Shop" -12.50 --reason "a till was down" --prepared-by anna',
)
def adjust(
    context: click.Context,
    *,
    partner_name: str,
    amount: Decimal,
    currency: str | None,
    reason: str,
    statement: UUID | None,
    line_no: int | None,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that PARTNER pays AMOUNT more, before VAT, or receives it where it is below zero.

    It stands on the statement of the first period that is not sealed. With --statement and --line
    it belongs to the period of that line.
    """
    if (statement is None) != (line_no is None):
        raise click.UsageError("--statement and --line go together")

    async def prepare(at: datetime) -> UUID:
        known = await read_catalogue()
        partner_no = find_partner(known, partner_name).no
        of = None if statement is None or line_no is None else OfLine(statement, line_no)
        agreed = currency or known.contract_at(partner_no, at).currency
        return await adjusting.prepare(
            partner_no=partner_no,
            amount_minor=in_minor(amount, agreed),
            currency=agreed,
            reason=reason,
            prepared_by=prepared_by,
            at=at,
            line=of,
        )

    SECOND.propose(context, prepare, as_json=as_json)


async def _named(name: str, partner_no: int | None, at: datetime) -> list[Period]:
    await periods.ensure(at)
    async with transaction() as connection:
        if partner_no is None:
            return await periods.all_named(connection, name)
        return [await periods.named(connection, partner_no, name)]


def _period_row(known: Catalogue, period: Period) -> Row:
    return {
        "partner": party_name(known, period.partner_no),
        "period": period.name,
        "from": period.starts_at,
        "until": period.ends_at,
        "cut_off_at": period.cut_off_at,
    }
