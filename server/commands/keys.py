"""`coalition keys`: the keys that our own access tokens are signed with."""

import msgspec
import rich_click as click

from coalition.access.signing_keys import ensure_signing_key, rotate_signing_key
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
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


@click.group()
def keys() -> None:
    """Change the keys that access tokens are signed with; every 90 days it happens by itself."""


@keys.command()
@click.option(
    "--compromised",
    is_flag=True,
    help="The present key is in wrong hands: the new one signs at once, all tokens given are void.",
)
@place_options
@as_json_option
@click.pass_context
@example("coalition keys rotate", "coalition keys rotate --compromised")
def rotate(context: click.Context, *, compromised: bool, as_json: bool) -> None:
    """Publish the next signing key; it signs in fifteen minutes, when everybody knows it."""

    async def work(settings: Settings) -> dict[str, object]:
        at = HouseClock().now()
        async with transaction():
            # Where no service has run yet there is no key to follow.
            await ensure_signing_key(master_key=settings.master_key, at=at)
            rotated = await rotate_signing_key(
                master_key=settings.master_key, actor=ACTOR, at=at, is_compromised=compromised
            )
        return msgspec.structs.asdict(rotated)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], tuple(row)))
