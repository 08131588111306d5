"""`coalition membership unexplained|set-aside`: what no comparison with Stripe explains."""

import msgspec
import rich_click as click

from billing.subscriptions import unexplained
from billing.subscriptions.unexplained import Kind, Row
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.oversight.reasons import valid_reason
from server import payments
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.commands.second_person import PersonName
from server.databases import do

_SHOWN = ("id", "kind", "told", "customer_id", "member_id", "found_at", "set_aside_by", "reason")


@click.command("unexplained")
@click.option("--all", "with_closed", is_flag=True, help="Also what is set aside or explained.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition membership unexplained", "coalition membership unexplained --all --json")
def list_unexplained(
    context: click.Context, *, with_closed: bool, limit: int, as_json: bool
) -> None:
    """List what no comparison with Stripe explains: what it is, whose, and since when.

    It waits until it is gone or `coalition membership set-aside` gives it a reason.
    """

    async def work(_: Settings) -> list[Row]:
        async with transaction() as connection:
            return await unexplained.listed(connection, with_closed=with_closed, most=limit)

    _show(do(place_of(context), work), as_json=as_json)


@click.command("set-aside")
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--kind", type=click.Choice([one.value for one in Kind]), help="All of this kind.")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@click.option("--by", type=PersonName(), required=True, help="Who sets it aside.")
@place_options
@as_json_option
@click.pass_context
@example(
    'coalition membership set-aside sub_1NG8Du2eZvKYlo2C --by anna --reason "the book shop\'s own"'
)
def set_aside(
    context: click.Context,
    *,
    ids: tuple[str, ...],
    kind: str | None,
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Set aside what waits under these ids of Stripe, or all of a kind, with a reason."""
    if not ids and kind is None:
        raise click.UsageError("Name what to set aside: its ids, or --kind.")

    async def work(settings: Settings) -> list[Row]:
        at = payments.now(settings)
        async with transaction() as connection:
            return await unexplained.set_aside(
                connection,
                ids,
                kind=None if kind is None else Kind(kind),
                by=by,
                reason=valid_reason(reason),
                at=at,
            )

    done = do(place_of(context), work)
    _show(done, as_json=as_json)
    if not as_json:
        say(f"{len(done)} set aside.")


def add_to(membership: click.Group) -> None:
    """Bring the commands under `coalition membership`."""
    membership.add_command(list_unexplained)
    membership.add_command(set_aside)


def _show(found: list[Row], *, as_json: bool) -> None:
    rows = [msgspec.structs.asdict(one) for one in found]
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))
