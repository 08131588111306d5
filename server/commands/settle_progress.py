"""`coalition settle status|drain|seal`: how far the periods have come, and taking them further."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import time_of
from coalition.kernel.settings import Settings
from coalition.ledger import totals
from partners.settlement import draining, figures, overview, periods
from server.commands.known import read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.databases import do

_STATUS = ("partner", "open", "to_seal", "to_close", "to_net", "settled")


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition settle status", "coalition settle status --json | jq .queue")
def status(context: click.Context, *, as_json: bool) -> None:
    """Show where each partner's periods stand, and what waits for whom.

    "to seal" waits for the worker, "to close" for two persons, "to net" for a clearing cycle.
    """

    async def work(_: Settings) -> dict[str, object]:
        at = SystemClock().now()
        await periods.ensure(at)
        known = await read_catalogue()
        async with transaction() as connection:
            oldest = await totals.oldest_unsettled(connection)
            progress = await figures.progress(connection, at)
            standings = await overview.standings(connection, at)
        return {
            "queue": {
                "postings": progress.queued_postings,
                "oldest_seconds": _age_s(oldest, at),
                "last_drain_at": progress.last_drain_at,
            },
            "partners": [
                {"partner": known.partner(one.partner_no).name, **msgspec.structs.asdict(one)}
                for one in standings
            ],
        }

    found = do(place_of(context), work)
    rows = found["partners"]
    assert isinstance(rows, list), "a list of partners"
    answer(found, as_json=as_json, table=lambda: table_of([_cells(row) for row in rows], _STATUS))
    queue = found["queue"]
    assert isinstance(queue, dict), "figures by name"
    say(f"{queue['postings']} postings wait for a drain.")


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition settle drain")
def drain(context: click.Context, *, as_json: bool) -> None:
    """Book the money of every posting that waits, now; the worker does so all day."""

    async def work(_: Settings) -> int:
        return await draining.drain_all(SystemClock().now())

    drained = do(place_of(context), work)
    answer({"postings": drained}, as_json=as_json, table=lambda: f"{drained} postings are booked.")


def _age_s(oldest: UUID | None, at: datetime) -> float:
    """Return how long the oldest posting has waited, in seconds; 0 when none waits."""
    return max((at - time_of(oldest)).total_seconds(), 0.0) if oldest else 0.0


def _cells(row: dict[str, object]) -> dict[str, object]:
    return {
        name: _short(value) if isinstance(value, list) else value for name, value in row.items()
    }


def _short(names: Sequence[str]) -> str:
    """Return the names of periods in the space of a cell."""
    if len(names) <= 2:
        return ", ".join(names)
    return f"{names[0]} to {names[-1]} ({len(names)})"
