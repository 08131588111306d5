"""`coalition currency`: point currencies, the coalition's and partners' own, and rates."""

import msgspec
import rich_click as click

from coalition.federation import currencies
from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import PointCurrency
from coalition.kernel.settings import Settings
from server.commands.known import find_partner, read_catalogue
from server.commands.money_rate import money_rate
from server.commands.options import (
    ACTOR,
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.rate import rate
from server.databases import do
from server.house_clock import HouseClock

_SHOWN = ("no", "code", "name", "partner")


@click.group()
def currency() -> None:
    """Make and list point currencies; agree on rates between them, and between those of money."""


currency.add_command(rate)
currency.add_command(money_rate)


@currency.command()
@click.argument("code")
@click.option("--name", required=True, help="What members call these points.")
@click.option("--partner", "partner_name", help="Whose own it is.  [default: the coalition's]")
@place_options
@as_json_option
@click.pass_context
@example('coalition currency create MILES --name "Miles" --partner "Corner Air"')
def create(
    context: click.Context, *, code: str, name: str, partner_name: str | None, as_json: bool
) -> None:
    """Make a point currency with CODE, 3 to 12 capitals; it is never changed.

    A partner issues in it from a version of its contract on that says so (`coalition partner
    contract propose --point-currency`).
    """

    async def work(_: Settings) -> dict[str, object]:
        known = await read_catalogue()
        owner = find_partner(known, partner_name).no if partner_name else None
        made = await currencies.create_currency(
            code=code, name=name, partner_no=owner, actor=ACTOR, at=HouseClock().now()
        )
        return _row(known, made)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _SHOWN))


@currency.command("list")
@place_options
@as_json_option
@click.pass_context
@example("coalition currency list --json")
def list_currencies(context: click.Context, *, as_json: bool) -> None:
    """List the point currencies."""

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        return [_row(known, one) for one in known.currencies]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


def _row(known: Catalogue, one: PointCurrency) -> dict[str, object]:
    owner = None if one.partner_no is None else known.partner(one.partner_no).name
    return msgspec.structs.asdict(one) | {"partner": owner}
