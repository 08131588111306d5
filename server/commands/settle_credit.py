"""`coalition settle credit|prepay`: how much partners may still owe, and money paid in before."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from partners.settlement import credit as crediting
from partners.settlement import prepaying
from partners.settlement.credit import Standing
from server.commands.amounts import in_major, in_minor
from server.commands.known import find_partner, party_name, read_catalogue
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

CREDIT_COLUMNS = ("mode", "limit", "paid_in", "owes", "left", "currency", "blocked", "judged_at")


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition settle credit", "coalition settle credit --json")
def credit(context: click.Context, *, as_json: bool) -> None:
    """Show how partners with a credit limit or prepaid money stood when they were last judged.

    The worker judges after each drain; whoever is blocked issues no more points.
    """

    async def work(_: Settings) -> list[Row]:
        known = await read_catalogue()
        async with transaction() as connection:
            found = await crediting.standings(connection, HouseClock().now())
        return [credit_row(known, one) for one in found]

    rows = do(place_of(context), work)
    columns = ("partner", *CREDIT_COLUMNS)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, columns))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("partner_name", metavar="PARTNER")
@click.argument("amount", type=Amount())
@click.option("--reference", required=True, help="The bank's; what is booked once stays once.")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example('coalition settle prepay "Corner Shop" 5000.00 --reference "bank 4711" --prepared-by anna')
def prepay(
    context: click.Context,
    *,
    partner_name: str,
    amount: Decimal,
    reference: str,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that PARTNER has paid in AMOUNT, to be used up as it issues points.

    It is booked when a second person has seen it at the bank and approves it.
    """

    async def prepare(at: datetime) -> UUID:
        known = await read_catalogue()
        partner_no = find_partner(known, partner_name).no
        currency = known.contract_at(partner_no, at).currency
        return await prepaying.prepare(
            partner_no=partner_no,
            amount_minor=in_minor(amount, currency),
            currency=currency,
            reference=reference,
            prepared_by=prepared_by,
            at=at,
        )

    SECOND.propose(context, prepare, as_json=as_json)


def credit_row(known: Catalogue, one: Standing) -> Row:
    """Return how a partner stood, as it is told to finance; money in major units."""

    def money(amount_minor: int | None) -> str | None:
        return None if amount_minor is None else in_major(amount_minor, one.currency)

    return {
        "partner": party_name(known, one.partner_no),
        "mode": one.mode,
        "limit": money(one.limit_minor),
        "low_water": money(one.low_water_minor),
        "paid_in": money(one.prepaid_minor),
        "leased": money(one.leased_minor),
        "owes": money(one.exposure_minor),
        "left": money(one.left_minor),
        "left_minor": one.left_minor,
        "currency": one.currency,
        "is_low": one.is_low,
        "is_reached": one.is_reached,
        "blocked": one.blocked,
        "judged_at": one.judged_at,
    }
