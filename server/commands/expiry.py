"""`coalition expiry`: books what has expired, tells what will, and whose points never do."""

from datetime import date

import rich_click as click

from coalition.federation import service
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.ledger import endings
from coalition.ledger.clocks import months_later
from coalition.members import suspending
from server import upkeep
from server.commands.known import read_catalogue
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

_SHOWN = ("month", "issuer", "point_currency", "points")
_MONTHS_MOST = 600


@click.group()
def expiry() -> None:
    """Book what has expired; see what will expire, and whose points never do."""


@expiry.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition expiry run --json")
def run(context: click.Context, *, as_json: bool) -> None:
    """Book what has expired, and tell members of what will, as the worker does by itself.

    Done again it books and tells nothing twice. Points that have expired cannot be spent, whether
    or not this has been booked.
    """

    async def work(_: Settings) -> dict[str, int]:
        at = HouseClock().now()
        return {
            "points": await upkeep.expire_points(at),
            "notices": await upkeep.tell_of_expiry(at),
        }

    done = do(place_of(context), work)
    text = f"{done['points']} points have expired; {done['notices']} notices were given."
    answer(done, as_json=as_json, table=lambda: text)


@expiry.command()
@click.option(
    "--months",
    type=click.IntRange(1, _MONTHS_MOST),
    default=24,
    show_default=True,
    help="How far to look ahead.",
)
@place_options
@as_json_option
@click.pass_context
@example("coalition expiry forecast --months 12 --json")
def forecast(context: click.Context, *, months: int, as_json: bool) -> None:
    """Show how many points end in which month, by issuer, if nobody spends any.

    As things stand: where activity keeps points alive, it moves their last day.
    """

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        today = HouseClock().now().astimezone(known.zone).date()
        before = months_later(date(today.year, today.month, 1), months)
        async with transaction() as connection:
            found = await endings.forecast(connection, today=today, before=before)
        return [
            {
                "month": f"{one.month:%Y-%m}",
                "issuer": known.partner(one.issuer_no).name if one.issuer_no else "the operator",
                "point_currency": known.currency_by_no(one.currency_no).code,
                "points": one.points,
            }
            for one in found
        ]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


@expiry.command()
@click.argument("tiers", nargs=-1)
@place_options
@click.pass_context
@example("coalition expiry suspend gold platinum", "coalition expiry suspend")
def suspend(context: click.Context, *, tiers: tuple[str, ...]) -> None:
    """Let nothing expire of members who have, or are given, one of TIERS; none: of nobody more.

    It lasts as long as the tier was given for, also where the tier is no longer named later. What
    has expired already stays so.
    """

    async def work(_: Settings) -> tuple[tuple[str, ...], int]:
        at = HouseClock().now()
        changed = await service.suspend_expiry_of_tiers(tiers=tiers, actor=ACTOR, at=at)
        named = changed.expiry_suspended_tiers
        return named, await suspending.suspend_for(named, at)

    kept, members = do(place_of(context), work)
    if kept:
        say(f"Expiry is suspended for {', '.join(kept)}: of {members} members so far.")
    else:
        say("No tier suspends expiry.")
