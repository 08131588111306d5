"""`coalition backup` and `coalition restore`: the whole coalition into a directory, and back."""

from pathlib import Path

import msgspec
import rich_click as click
import uvloop

from server import backup as backups
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
)
from server.house_clock import HouseClock


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@place_options
@as_json_option
@click.pass_context
@example("coalition backup /backup/2027-01-31 --data data/coalition")
def backup(context: click.Context, *, directory: Path, as_json: bool) -> None:
    """Write a backup to DIRECTORY, new or empty: the database as of now, and the two keys.

    Tills go on meanwhile. Who has the whole directory can read personal data: keep the two key
    files apart from the dump.
    """
    with place_of(context).opened() as settings:
        say("Dumping the database.")
        made = backups.back_up(settings, directory, HouseClock().now())
    size = sum(file.bytes for file in made.files.values())
    answer(
        {"directory": directory, **msgspec.to_builtins(made)},
        as_json=as_json,
        table=lambda: f"Backed up to {directory}, {size / 1e6:.1f} MB.",
    )


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@place_options
@click.pass_context
@example("coalition restore /backup/2027-01-31 --data data/restored")
def restore(context: click.Context, *, directory: Path) -> None:
    """Restore the backup in DIRECTORY where nothing is yet: a new data directory, or a database.

    A database given by its address is empty, and the variables have the keys of the backup. What
    fails leaves nothing behind.
    """
    place = place_of(context)
    backups.read_backup(directory)
    data = place.directory
    if data is not None:
        backups.put_keys(directory, data)
    try:
        with place.opened(makes=True) as settings:
            say("Filling the database.")
            uvloop.run(backups.restore(settings, directory))
    except BaseException:
        if data is not None:
            backups.take_away(data)
        raise
    say("Restored; prove it with `coalition audit`.")
