"""`coalition doctor`: looks whether everything is in order, and says how to mend what is not."""

import os

import msgspec
import rich_click as click
import uvloop

from coalition.kernel.settings import Settings
from server import databases, health
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.exits import ANSWER_IS_NO
from server.findings import Finding
from server.house_clock import HouseClock


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition doctor", "coalition doctor --json | jq .ok")
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check settings, database, clock, keys, events, jobs, batches, settlement, Stripe and disk.

    Every setting is listed with its value, but for secrets. Ends with 1 when something needs
    mending; with 3 when the database cannot be reached.
    """

    async def work(settings: Settings) -> list[Finding]:
        async with databases.opened(settings):
            return await health.examine(settings, os.environ, HouseClock().now())

    with place_of(context).opened() as settings:
        findings = uvloop.run(work(settings))
        known = health.shown(settings)
    is_well = all(finding.ok for finding in findings)
    rows = [msgspec.to_builtins(finding) for finding in findings]
    lines = [row | {"ok": "ok" if row["ok"] else "MEND"} for row in rows]
    answer(
        {"ok": is_well, "findings": rows, "settings": known},
        as_json=as_json,
        table=lambda: table_of(lines, ("check", "ok", "found", "mend")),
    )
    if not as_json:
        settings_rows = [{"setting": name, "value": value} for name, value in known.items()]
        answer(None, as_json=False, table=lambda: table_of(settings_rows, ("setting", "value")))
    if not is_well:
        context.exit(ANSWER_IS_NO)
