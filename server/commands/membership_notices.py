"""`coalition membership notices`: what members were told ahead."""

import msgspec
import rich_click as click

from billing.subscriptions import notices
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do

_COLUMNS = ("told_at", "kind", "member_id", "about", "text_version", "wants_consent")


def add_to(group: click.Group) -> None:
    """Give `group` the command."""
    group.add_command(listed)


@click.command("notices")
@click.option(
    "--kind", type=click.Choice(["trial_ends", "renews", "price"]), help="Of one kind alone."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition membership notices", "coalition membership notices --kind price --json")
def listed(context: click.Context, *, kind: str | None, limit: int, as_json: bool) -> None:
    """List what members were told ahead, the latest first: ends of trials, renewals, new prices.

    `about` is when the trial ends, the year renews, or from when the new price holds at the
    earliest; `text_version` is of the country's terms that held then.
    """

    async def work(_: Settings) -> list[dict[str, object]]:
        async with transaction() as connection:
            found = await notices.listed(connection, kind=kind, most=limit)
        return [msgspec.structs.asdict(one) for one in found]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _COLUMNS))
