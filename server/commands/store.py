"""`coalition partner store`: the stores of a partner."""

import rich_click as click

from coalition.federation import stores
from coalition.federation.terms import Store
from coalition.kernel.settings import Settings
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
from server.databases import do
from server.house_clock import HouseClock

_SHOWN = ("store_no", "code", "name", "state")


@click.group()
def store() -> None:
    """Add and list stores."""


@store.command("add")
@click.argument("partner_name", metavar="PARTNER")
@click.option("--code", required=True, help="What receipts call it: letters, digits, . _ -")
@click.option("--name", required=True, help="What people call it.")
@place_options
@as_json_option
@click.pass_context
@example('coalition partner store add "Corner Shop" --code 17 --name "Main Street"')
def add_store(
    context: click.Context, *, partner_name: str, code: str, name: str, as_json: bool
) -> None:
    """Add a store to PARTNER (its name, number or id)."""

    async def work(_: Settings) -> dict[str, object]:
        owner = find_partner(await read_catalogue(), partner_name)
        made = await stores.create_store(
            partner_no=owner.no, code=code, name=name, actor=ACTOR, at=HouseClock().now()
        )
        return _row(made)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _SHOWN))


@store.command("list")
@click.argument("partner_name", metavar="PARTNER")
@place_options
@as_json_option
@click.pass_context
@example('coalition partner store list "Corner Shop"')
def list_stores(context: click.Context, *, partner_name: str, as_json: bool) -> None:
    """List the stores of PARTNER (its name, number or id)."""

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        owner = find_partner(known, partner_name)
        return [_row(one) for one in known.stores_of(owner.no)]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


def _row(one: Store) -> dict[str, object]:
    return {"store_no": one.no, "code": one.code, "name": one.name, "state": one.state.value}
