"""`coalition earning set|rates`: what purchases earn by the base rates, and since when."""

from datetime import UTC, datetime

import rich_click as click

from coalition.federation.catalogue import beginning
from coalition.kernel.database import transaction
from coalition.kernel.money import Rounding
from coalition.kernel.settings import Settings
from coalition.points import earning as rules
from coalition.points.rules import EarningRule, decimal_text
from server.commands.known import find_partner, read_catalogue
from server.commands.options import (
    ACTOR,
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.terms import EarningText
from server.databases import do
from server.founding import Earning
from server.house_clock import HouseClock

_SHOWN = ("no", "partner", "points", "per_amount", "currency", "rounding", "valid_from")


@click.command("set")
@click.argument("partner_name", metavar="PARTNER")
@click.argument("rule", type=EarningText(), metavar="POINTS/AMOUNT")
@click.option("--currency", help="Of the purchase.  [default: the partner's contract's]")
@click.option(
    "--rounding",
    type=click.Choice([rounding.value for rounding in Rounding]),
    default=Rounding.DOWN.value,
    show_default=True,
    help="How a fraction of a point is rounded.",
)
@click.option(
    "--from",
    "valid_from",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]),
    help="From when (UTC).  [default: now; the first rule: as long as there is a contract]",
)
@place_options
@as_json_option
@click.pass_context
@example(
    'coalition earning set "Corner Shop" 2/1.00',
    "coalition earning set 1 5/10.00 --from 2027-01-01",
)
def set_rule(
    context: click.Context,
    *,
    partner_name: str,
    rule: Earning | None,
    currency: str | None,
    rounding: str,
    valid_from: datetime | None,
    as_json: bool,
) -> None:
    """Let purchases at PARTNER (its name, number or id) earn POINTS for every AMOUNT.

    It holds until the next rule of that partner and currency begins. What was earned stays.
    """
    if rule is None:
        raise click.UsageError("name a rule, such as 2/1.00")

    async def work(_: Settings) -> dict[str, object]:
        at = HouseClock().now()
        known = await read_catalogue()
        partner = find_partner(known, partner_name)
        contracts = known.contracts_of(partner.no)
        of = currency or contracts[-1].currency
        async with transaction() as connection:
            earlier = [
                one for one in await rules.rules_of(connection, partner.no) if one.currency == of
            ]
            begins = at if earlier else beginning(contracts[0])
            agreed = await rules.agree(
                partner_no=partner.no,
                currency=of,
                points=rule.points,
                per_minor=rule.per_minor(of),
                rounding=Rounding(rounding),
                valid_from=valid_from.replace(tzinfo=UTC) if valid_from else begins,
                actor=ACTOR,
                at=at,
            )
        return _row(agreed, partner.name)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _SHOWN))


@click.command("rates")
@click.argument("partner_name", metavar="[PARTNER]", required=False)
@place_options
@as_json_option
@click.pass_context
@example("coalition earning rates", 'coalition earning rates "Corner Shop" --json')
def list_rates(context: click.Context, *, partner_name: str | None, as_json: bool) -> None:
    """List the base rates of all partners, or of one."""

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        no = find_partner(known, partner_name).no if partner_name else None
        async with transaction() as connection:
            found = await rules.rules_of(connection, no)
        return [_row(one, known.partner(one.partner_no).name) for one in found]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


def add_to(group: click.Group) -> None:
    """Give `group` the commands of base rates."""
    group.add_command(set_rule)
    group.add_command(list_rates)


def _row(rule: EarningRule, partner: str) -> dict[str, object]:
    return {
        "no": rule.no,
        "partner": partner,
        "points": rule.points,
        "per_amount": decimal_text(rule.per_minor, rule.currency),
        "currency": rule.currency,
        "rounding": rule.rounding.value,
        "valid_from": rule.valid_from,
    }
