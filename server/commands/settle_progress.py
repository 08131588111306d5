"""`coalition settle status|drain`: how far the periods have come, and booking what waits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import transaction
from coalition.kernel.identity import OPERATOR
from coalition.kernel.ids import time_of
from coalition.kernel.settings import Settings
from coalition.ledger import totals
from coalition.oversight import approvals
from partners.settlement import draining, figures, overview, periods, statements
from partners.settlement.overview import Standing
from server.commands.amounts import in_major
from server.commands.known import party_name, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.second_person import Row
from server.commands.settle_approvals import SECOND
from server.databases import do
from server.house_clock import HouseClock

_STATUS = ("partner", "open", "net", "to_seal", "to_close", "to_net", "settled")


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition settle status", "coalition settle status --json | jq .queue")
def status(context: click.Context, *, as_json: bool) -> None:
    """Show where each partner's periods stand, and what waits for whom.

    "net" is what all that is not closed comes to now: above zero the partner pays. "to seal" waits
    for the worker, "to close" for two persons, "to net" for a clearing cycle. At the end stands
    which command comes next.
    """

    async def work(_: Settings) -> Row:
        at = HouseClock().now()
        await periods.ensure(at)
        known = await read_catalogue()
        async with transaction() as connection:
            oldest = await totals.oldest_unsettled(connection)
            progress = await figures.progress(connection, at)
            standings = await overview.standings(connection, at)
        waiting = [len(await approvals.waiting(at=at, kind=kind)) for kind in SECOND.kinds]
        rows = [await _row(known, one, at) for one in standings]
        return {
            "queue": {
                "postings": progress.queued_postings,
                "oldest_seconds": _age_s(oldest, at),
                "last_drain_at": progress.last_drain_at,
            },
            "waiting_for_a_second_person": sum(waiting),
            "partners": [row for row in rows if row["partner_no"] != OPERATOR],
            "operator": next((row for row in rows if row["partner_no"] == OPERATOR), None),
            "next": _next(standings, sum(waiting)),
        }

    found: dict[str, Any] = do(place_of(context), work)
    rows = [*found["partners"], *([found["operator"]] if found["operator"] else [])]
    answer(found, as_json=as_json, table=lambda: table_of([_cells(row) for row in rows], _STATUS))
    if not as_json:
        answer(None, as_json=False, table=lambda: _in_words(found))


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition settle drain")
def drain(context: click.Context, *, as_json: bool) -> None:
    """Book the money of every posting that waits, now; the worker does so all day."""

    async def work(_: Settings) -> int:
        return await draining.drain_all(HouseClock().now())

    drained = do(place_of(context), work)
    answer({"postings": drained}, as_json=as_json, table=lambda: f"{drained} postings are booked.")


async def _row(known: Catalogue, one: Standing, at: datetime) -> Row:
    live = await statements.live(one.partner_no, at)
    return {
        "partner": party_name(known, one.partner_no),
        **msgspec.structs.asdict(one),
        "net_minor": live.net_minor,
        "unpriced_since": live.unpriced_since,
    }


def _age_s(oldest: UUID | None, at: datetime) -> float:
    """Return how long the oldest posting has waited, in seconds; 0 when none waits."""
    return max((at - time_of(oldest)).total_seconds(), 0.0) if oldest else 0.0


def _cells(row: Row) -> Row:
    net = row["net_minor"]
    assert isinstance(net, dict), "amounts by currency"
    short = {name: _short(value) for name, value in row.items() if isinstance(value, list)}
    sums = ", ".join(f"{in_major(amount, currency)} {currency}" for currency, amount in net.items())
    return row | short | {"net": sums}


def _in_words(found: dict[str, Any]) -> str:
    queue = found["queue"]
    drain = "No posting waits for a drain."
    if queue["postings"]:
        age = timedelta(seconds=round(queue["oldest_seconds"]))
        drain = f"{queue['postings']} postings wait for a drain, the oldest for {age}."
    if any(one["unpriced_since"] for one in found["partners"]):
        drain += " They are NOT counted in net: there are too many."
    waiting = f"Waiting for a second person: {found['waiting_for_a_second_person']}."
    return "\n".join([f"{drain} {waiting}", *(f"Next: {command}" for command in found["next"])])


def _next(standings: Sequence[Standing], waiting: int) -> list[str]:
    """Return the commands that take settlement on, in the order in which they are given."""
    commands = ["seal"] if any(one.to_seal for one in standings) else []
    if waiting:
        commands.append("waiting")
    to_close = [one.to_close[0] for one in standings if one.to_close]
    to_net = [one.to_net[0] for one in standings if one.to_net]
    commands += [f"close --period {name} --prepared-by NAME" for name in sorted(to_close)[:1]]
    commands += [f"net --period {name} --prepared-by NAME" for name in sorted(to_net)[:1]]
    return [f"coalition settle {command}" for command in commands]


def _short(names: Sequence[str]) -> str:
    """Return the names of periods in the space of a cell."""
    if len(names) <= 2:
        return ", ".join(names)
    return f"{names[0]} to {names[-1]} ({len(names)})"
