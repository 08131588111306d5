"""Options that many commands share, and how they answer: a table for people, JSON for machines."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table

from server.place import Place

Command = TypeVar("Command", bound=Callable[..., Any])  # Any: whatever options a command has

ACTOR = "staff:command-line"
"""Who the audit log says did what a command does."""

_PIPE_WIDTH = 240

as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


def example(*lines: str) -> Callable[[Command], Command]:
    """Return a decorator that ends the help of a command with command lines to try, as they are."""

    def add(command: Command) -> Command:
        # A backspace tells click to leave the lines of a paragraph alone.
        shown = "\n".join(f"    {line}" for line in lines)
        command.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n\b\nTry:\n{shown}"
        return command

    return add


def place_options(command: Command) -> Command:
    """Give `command` the options --data and --database-url; it gets a `place`."""

    def remember_data(context: click.Context, _: click.Parameter, value: Path | None) -> None:
        _remember(context, data=value)

    def remember_url(context: click.Context, _: click.Parameter, value: str | None) -> None:
        _remember(context, database_url=value)

    with_url = click.option(
        "--database-url",
        metavar="URL",
        expose_value=False,
        is_eager=True,
        callback=remember_url,
        help="Work on this PostgreSQL server (or set COALITION_DATABASE_URL).",
    )(command)
    return click.option(
        "--data",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=True),
        expose_value=False,
        is_eager=True,
        callback=remember_data,
        help="Work in this data directory, with an embedded PostgreSQL.  [default: data/coalition]",
    )(with_url)


def place_of(context: click.Context) -> Place:
    """Return where the command was told to work."""
    given = context.meta.get(__name__, {})
    return Place(environ=os.environ, **given)


def answer(document: object, *, as_json: bool, table: Callable[[], Table | str]) -> None:
    """Print `document` as JSON, or the table or sentence that says the same to a person."""
    if as_json:
        written = msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2)
        sys.stdout.write(written.decode() + "\n")
        sys.stdout.flush()
    else:
        shown = table()
        if isinstance(shown, str):
            sys.stdout.write(shown + "\n")
        else:
            # Into a file or a pipe nothing is folded to the width of a terminal that is not there.
            width = None if sys.stdout.isatty() else _PIPE_WIDTH
            Console(markup=False, width=width).print(shown)
        sys.stdout.flush()


def table_of(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], title: str = ""
) -> Table:
    """Return a table of `rows` with these columns."""
    table = Table(title=title or None, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    return table


def say(text: str) -> None:
    """Tell a person something on standard error, which carries no document."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _remember(context: click.Context, **given: object) -> None:
    context.meta.setdefault(__name__, {}).update(given)
