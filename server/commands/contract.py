"""`coalition partner contract`: what was agreed with a partner, and since when."""

import rich_click as click

from coalition.kernel.settings import Settings
from server.commands import proposal
from server.commands.known import find_partner, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.terms import shown_terms
from server.databases import do


@click.group()
def contract() -> None:
    """Show contracts; propose and sign later versions of them."""


proposal.add_to(contract)


@contract.command()
@click.argument("partner_name", metavar="PARTNER")
@place_options
@as_json_option
@click.pass_context
@example('coalition partner contract show "Corner Shop" --json')
def show(context: click.Context, *, partner_name: str, as_json: bool) -> None:
    """Show every version of the contract of PARTNER (its name, number or id), the first first."""

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        versions = known.contracts_of(find_partner(known, partner_name).no)
        return [shown_terms(version) for version in versions]

    versions = do(place_of(context), work)
    names = list(versions[0]) if versions else []
    rows = [
        {"term": name, **{str(one["version"]): one[name] for one in versions}} for name in names
    ]
    columns = ["term", *(str(one["version"]) for one in versions)]
    answer({"items": versions}, as_json=as_json, table=lambda: table_of(rows, columns))
