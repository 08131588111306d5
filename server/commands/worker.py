"""`coalition worker`: the job worker, alone or beside a service."""

import importlib
from pathlib import Path

import rich_click as click

from server.commands.options import example, place_of, place_options


@click.command()
@click.option("--while-stdin-open", is_flag=True, hidden=True)
@click.option(
    "--pulse",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Touch FILE some times a second; older than a minute, it says that this worker hangs.",
)
@place_options
@click.pass_context
@example("coalition worker --database-url postgresql://coalition@db.example/coalition")
def worker(context: click.Context, *, while_stdin_open: bool, pulse: Path | None) -> None:
    """Do jobs until told to stop (SIGTERM or Ctrl-C): events, batches, holds, expiry, audit.

    `coalition serve` runs one beside itself. Any number may run at once.
    """
    house = importlib.import_module("server.house")
    house.run_worker(place_of(context), while_stdin_open=while_stdin_open, pulse=pulse)
