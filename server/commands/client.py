"""`coalition client`: the programs of partners and of the operator that may get access tokens."""

from datetime import timedelta

import rich_click as click

from coalition.access import service
from coalition.kernel.database import transaction
from coalition.kernel.identity import EVERY_SCOPE, OPERATOR, SCOPES, STAFF_SCOPES
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
from server.house_clock import HouseClock

_SHOWN = ("client_id", "partner", "name", "state", "scopes", "store")

_LIST = """
SELECT client.client_id, partner.name AS partner, client.name, client.state, client.scopes,
       store.code AS store
FROM client
LEFT JOIN partner ON partner.no = client.partner_no
LEFT JOIN store ON store.no = client.store_no
WHERE $1::int IS NULL OR client.partner_no = $1
ORDER BY client.no
"""


class Scopes(click.ParamType[tuple[str, ...]]):
    """Some scopes with commas between; each must be one that there is."""

    name = "scopes"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the scopes that are named."""
        named = tuple(word.strip() for word in str(value).split(","))
        unknown = [word for word in named if word not in EVERY_SCOPE]
        if unknown:
            self.fail(f"{unknown[0]!r} is none of {', '.join(EVERY_SCOPE)}", param, ctx)
        return named


@click.group()
def client() -> None:
    """Make, list, rotate and revoke the credentials of partners' systems, and of the operator's."""


client.add_command(secret)
client.add_command(key)


@client.command()
@click.argument("partner_name", metavar="[PARTNER]", required=False)
@click.option("--operator", is_flag=True, help="Make it the operator's own, for its staff.")
@click.option("--name", required=True, help="What the client is, such as 'tills of store 17'.")
@click.option(
    "--scope",
    "--scopes",
    "scopes",
    type=Scopes(),
    multiple=True,
    help="What its tokens may do, with commas between or given several times."
    "  [default: all of a partner's; the operator's are always named]",
)
@click.option("--store", "store_code", help="Bind it to the store with this code.")
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition client create --operator --name 'finance, second person'"
    " --scopes settlement:read,settlement:approve"
)
def create(
    context: click.Context,
    *,
    partner_name: str | None,
    operator: bool,
    name: str,
    scopes: tuple[tuple[str, ...], ...],
    store_code: str | None,
    as_json: bool,
) -> None:
    """Make a client of PARTNER (its name, number or id) or of the operator.

    Its secret is shown this once. Scopes of staff go with --operator only, and all others without.
    """
    wanted = tuple(scope for some in scopes for scope in some)
    _check_side(partner_name, store_code, wanted, operator=operator)

    async def work(_: Settings) -> dict[str, object]:
        partner_no, store = OPERATOR, None
        if partner_name is not None:
            known = await read_catalogue()
            partner_no = find_partner(known, partner_name).no
            store = known.store(partner_no, store_code) if store_code else None
        made = await service.create_client(
            partner_no=partner_no,
            name=name,
            scopes=wanted or SCOPES,
            store_no=store.no if store else None,
            actor=ACTOR,
            at=HouseClock().now(),
        )
        return {"client_id": made.client_id, "client_secret": made.client_secret}

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], tuple(row)))


def _check_side(
    partner_name: str | None, store_code: str | None, scopes: tuple[str, ...], *, operator: bool
) -> None:
    """Refuse a client of nobody or of both, and one of the operator whose scopes are not named."""
    if operator == (partner_name is not None):
        raise click.UsageError("Name a partner or give --operator")
    if operator and store_code is not None:
        raise click.UsageError("The operator has no stores")
    if operator and not scopes:
        raise click.UsageError(f"Name its --scopes: {', '.join(STAFF_SCOPES)}")


@client.command("list")
@click.argument("partner_name", metavar="[PARTNER]", required=False)
@click.option("--operator", is_flag=True, help="Those of the operator only.")
@place_options
@as_json_option
@click.pass_context
@example("coalition client list --json")
def list_clients(
    context: click.Context, *, partner_name: str | None, operator: bool, as_json: bool
) -> None:
    """List all clients, those of one partner, or the operator's (whose partner is null)."""
    if operator and partner_name:
        raise click.UsageError("Name a partner or give --operator")

    async def work(_: Settings) -> list[dict[str, object]]:
        no = OPERATOR if operator else None
        if partner_name:
            no = find_partner(await read_catalogue(), partner_name).no
        async with transaction() as connection:
            return [dict(row) for row in await connection.fetch(_LIST, no)]

    rows = do(place_of(context), work)
    shown = [
        row | {"partner": row["partner"] or "the operator", "scopes": " ".join(row["scopes"])}  # type: ignore[arg-type]  # a text array
        for row in rows
    ]
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
        at = HouseClock().now()
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
        await service.revoke_client(client_id, actor=ACTOR, at=HouseClock().now())

    do(place_of(context), work)
    say(f"{client_id} is revoked.")
