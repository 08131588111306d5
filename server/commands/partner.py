"""`coalition partner`: the companies of the coalition."""

from datetime import datetime

import msgspec
import rich_click as click

from coalition.federation import service
from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import ContractTerms, Partner
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from server import founding
from server.commands.contract import contract
from server.commands.known import find_partner, read_catalogue
from server.commands.options import (
    ACTOR,
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.commands.store import store
from server.commands.terms import EarningText, terms_options
from server.databases import do
from server.founding import Earning
from server.house_clock import HouseClock

_SHOWN = ("partner_id", "partner_no", "name", "state", "stores", "contracts")


@click.group()
def partner() -> None:
    """Make, list and change partner companies, their stores and their contracts."""


partner.add_command(store)
partner.add_command(contract)


@partner.command()
@click.option("--name", required=True, help="The company's name.")
@terms_options
@click.option(
    "--earn",
    type=EarningText(),
    default="1/1.00",
    show_default=True,
    metavar="POINTS/AMOUNT",
    help="What purchases earn, in the contract's currency; 'none' for no rule.",
)
@click.option(
    "--valid-from",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The contract's first day.  [default: as far back as a receipt may lie]",
)
@click.option(
    "--timezone",
    help="The contract's zone; the first partner's is the coalition's too.  "
    f"[default: the coalition's, at first {founding.TIMEZONE}]",
)
@place_options
@as_json_option
@click.pass_context
@example(
    'coalition partner create --name "Corner Shop" --issue-price 0.012 --expiry-months 24 --json'
)
def create(
    context: click.Context,
    *,
    name: str,
    terms: ContractTerms,
    earn: Earning | None,
    valid_from: datetime | None,
    timezone: str | None,
    as_json: bool,
) -> None:
    """Make a partner that can work at once, and print its credential.

    It gets its first contract, signed here for both parties (the audit log says so), an earning
    rule, and a client with all scopes, whose secret is shown this once.
    """

    async def work(_: Settings) -> founding.Founded:
        at = HouseClock().now()
        async with transaction():
            zone = timezone or founding.TIMEZONE
            if await founding.set_up_coalition(actor=ACTOR, at=at, timezone=zone):
                say(f"Set up the coalition; its days are those of {zone}.")
            return await founding.found_partner(
                name=name,
                terms=terms,
                earns=earn,
                actor=ACTOR,
                at=at,
                timezone=timezone,
                valid_from=valid_from.date() if valid_from else None,
            )

    founded = msgspec.structs.asdict(do(place_of(context), work, makes=True))
    rows = [{"what": key, "value": value} for key, value in founded.items()]
    answer(founded, as_json=as_json, table=lambda: table_of(rows, ("what", "value")))
    if not as_json:
        say("Keep the client_secret: it is not shown again.")


@partner.command("list")
@place_options
@as_json_option
@click.pass_context
@example("coalition partner list --json")
def list_partners(context: click.Context, *, as_json: bool) -> None:
    """List the partners."""

    async def work(_: Settings) -> Catalogue:
        return await read_catalogue()

    known = do(place_of(context), work)
    rows = [
        {
            "partner_id": one.id,
            "partner_no": one.no,
            "name": one.name,
            "state": one.state.value,
            "stores": len(known.stores_of(one.no)),
            "contracts": len(known.contracts_of(one.no)),
        }
        for one in known.partners
    ]
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


@partner.command()
@click.argument("partner_name", metavar="PARTNER")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@place_options
@click.pass_context
@example('coalition partner suspend "Corner Shop" --reason "invoice of May unpaid"')
def suspend(context: click.Context, *, partner_name: str, reason: str) -> None:
    """Stop the business of PARTNER (its name, number or id) from the next posting on."""

    async def work(_: Settings) -> Partner:
        found = find_partner(await read_catalogue(), partner_name)
        return await service.suspend_partner(
            partner_no=found.no, reason=reason, actor=ACTOR, at=HouseClock().now()
        )

    say(f"{do(place_of(context), work).name} is suspended.")


@partner.command()
@click.argument("partner_name", metavar="PARTNER")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@place_options
@click.pass_context
@example('coalition partner reactivate "Corner Shop" --reason "invoice of May paid"')
def reactivate(context: click.Context, *, partner_name: str, reason: str) -> None:
    """Let a suspended PARTNER (its name, number or id) do business again."""

    async def work(_: Settings) -> Partner:
        found = find_partner(await read_catalogue(), partner_name)
        return await service.reactivate_partner(
            partner_no=found.no, reason=reason, actor=ACTOR, at=HouseClock().now()
        )

    say(f"{do(place_of(context), work).name} is active.")
