"""`coalition client`: the programs of partners that may get access tokens."""

from datetime import timedelta

import rich_click as click

from coalition.access import service
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.identity import SCOPES
from coalition.kernel.settings import Settings
from server.commands.credential import key, secret
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
from server.databases import do

_SHOWN = ("client_id", "partner", "name", "state", "scopes", "store")

_LIST = """
SELECT client.client_id, partner.name AS partner, client.name, client.state, client.scopes,
       store.code AS store
FROM client
JOIN partner ON partner.no = client.partner_no
LEFT JOIN store ON store.no = client.store_no
WHERE $1::int IS NULL OR client.partner_no = $1
ORDER BY client.no
"""


@click.group()
def client() -> None:
    """Make, list, rotate and revoke the credentials of partners' systems."""


client.add_command(secret)
client.add_command(key)


@client.command()
@click.argument("partner_name", metavar="PARTNER")
@click.option("--name", required=True, help="What the client is, such as 'tills of store 17'.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="What its tokens may do; may be given several times.  [default: all]",
)
@click.option("--store", "store_code", help="Bind it to the store with this code.")
@place_options
@as_json_option
@click.pass_context
@example('coalition client create "Corner Shop" --name "web shop" --scope points:issue --json')
def create(
    context: click.Context,
    *,
    partner_name: str,
    name: str,
    scopes: tuple[str, ...],
    store_code: str | None,
    as_json: bool,
) -> None:
    """Make a client of PARTNER (its name, number or id); its secret is shown this once."""

    async def work(_: Settings) -> dict[str, object]:
        known = await read_catalogue()
        partner = find_partner(known, partner_name)
        store = known.store(partner.no, store_code) if store_code else None
        made = await service.create_client(
            partner_no=partner.no,
            name=name,
            scopes=scopes or SCOPES,
            store_no=store.no if store else None,
            actor=ACTOR,
            at=SystemClock().now(),
        )
        return {"client_id": made.client_id, "client_secret": made.client_secret}

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], tuple(row)))


@client.command("list")
@click.argument("partner_name", metavar="[PARTNER]", required=False)
@place_options
@as_json_option
@click.pass_context
@example("coalition client list --json")
def list_clients(context: click.Context, *, partner_name: str | None, as_json: bool) -> None:
    """List the clients of all partners, or of one."""

    async def work(_: Settings) -> list[dict[str, object]]:
        no = find_partner(await read_catalogue(), partner_name).no if partner_name else None
        async with transaction() as connection:
            return [dict(row) for row in await connection.fetch(_LIST, no)]

    rows = do(place_of(context), work)
    shown = [row | {"scopes": " ".join(row["scopes"])} for row in rows]  # type: ignore[arg-type]  # a text array
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(shown, _SHOWN))


@client.command()
@click.argument("client_id")
@click.option(
    "--expires-in-days", type=click.IntRange(1, 3650), help="When it ends.  [default: never]"
)
@place_options
@as_json_option
@click.pass_context
@example("coalition client rotate client_0123456789abcdef --json")
def rotate(
    context: click.Context, *, client_id: str, expires_in_days: int | None, as_json: bool
) -> None:
    """Give CLIENT_ID a further secret; the old one stays until `secret revoke` ends it.

    Revoke the old one when every system has the new one; `secret list` shows its id.
    """

    async def work(_: Settings) -> dict[str, object]:
        at = SystemClock().now()
        expires_at = at + timedelta(days=expires_in_days) if expires_in_days else None
        made = await service.add_secret(client_id, actor=ACTOR, at=at, expires_at=expires_at)
        return {"secret_id": made.id, "client_secret": made.client_secret}

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], tuple(row)))


@client.command()
@click.argument("client_id")
@place_options
@click.pass_context
@example("coalition client revoke client_0123456789abcdef")
def revoke(context: click.Context, *, client_id: str) -> None:
    """Let CLIENT_ID in no longer, for good; services know within seconds."""

    async def work(_: Settings) -> None:
        await service.revoke_client(client_id, actor=ACTOR, at=SystemClock().now())

    do(place_of(context), work)
    say(f"{client_id} is revoked.")
