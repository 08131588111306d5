"""`coalition settle credit|prepay`: how much partners may still owe, and money paid in before."""

from decimal import Decimal

import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from partners.settlement import credit as crediting
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
from server.commands.second_person import PersonName, Row
from server.commands.settlement_terms import Amount
from server.databases import do

CREDIT_COLUMNS = ("mode", "limit", "paid_in", "owes", "left", "currency", "blocked", "judged_at")

_PREPAID = ("partner", "amount", "currency", "reference")


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
            found = await crediting.standings(connection, SystemClock().now())
        return [credit_row(known, one) for one in found]

    rows = do(place_of(context), work)
    columns = ("partner", *CREDIT_COLUMNS)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, columns))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("partner_name", metavar="PARTNER")
@click.argument("amount", type=Amount())
@click.option("--reference", required=True, help="The bank's; the same again changes nothing.")
@click.option("--by", "recorded_by", type=PersonName(), required=True, help="Who records it.")
@place_options
@as_json_option
@click.pass_context
@example('coalition settle prepay "Corner Shop" 5000.00 --reference "bank 4711" --by anna')
def prepay(
    context: click.Context,
    *,
    partner_name: str,
    amount: Decimal,
    reference: str,
    recorded_by: str,
    as_json: bool,
) -> None:
    """Record money that PARTNER has paid in, to be used up as it issues points."""

    async def work(_: Settings) -> Row:
        at = SystemClock().now()
        known = await read_catalogue()
        partner_no = find_partner(known, partner_name).no
        made = await crediting.prepay(
            partner_no=partner_no,
            amount_minor=in_minor(amount, known.contract_at(partner_no, at).currency),
            reference=reference,
            recorded_by=recorded_by,
            at=at,
        )
        return {
            "partner": party_name(known, partner_no),
            "amount": in_major(made.amount_minor, made.currency),
            "amount_minor": made.amount_minor,
            "currency": made.currency,
            "reference": made.reference,
            "posting": made.posting,
        }

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _PREPAID))


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
