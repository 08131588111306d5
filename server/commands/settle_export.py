"""`coalition settle export`: the file of a closed statement, which proves itself anywhere."""

import tempfile
from pathlib import Path
from typing import IO

import rich_click as click

from coalition.kernel.settings import Settings
from partners.settlement import exporting, statements
from partners.settlement.refusals import StatementNotClosed
from partners.settlement.statements import Statement
from server.commands.known import find_party, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.second_person import Row
from server.databases import do
from server.exits import WRONG_INPUT, Stopped
from server.house_clock import HouseClock

_STILL_OPEN = "Only closed statements are exported; two persons close the period first"

_SHOWN = ("file", "number", "period", "charges", "digest")


@click.command()
@click.argument("partner_name", metavar="PARTNER")
@click.option("--period", required=True, help="A closed one, such as 2026-10.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it.  [default: statement-NUMBER.ndjson]",
)
@place_options
@as_json_option
@click.pass_context
@example('coalition settle export "Corner Shop" --period 2026-10 --out october.ndjson')
def export(
    context: click.Context, *, partner_name: str, period: str, out: Path | None, as_json: bool
) -> None:
    """Write the file of a closed statement of PARTNER: every charge, nothing about members.

    It is what the partner downloads; `coalition verify` proves it without a database.
    """

    async def work(_: Settings) -> Row:
        known = await read_catalogue()
        partner_no = find_party(known, partner_name)
        found = await statements.read(partner_no, period, HouseClock().now())
        if found.head.id is None:
            raise StatementNotClosed(_STILL_OPEN)
        closed = await exporting.find(found.head.id, partner_no=partner_no)
        file = out or Path(f"statement-{closed.head.number}.ndjson")
        # Written aside and moved into place: whoever finds the file has the whole of it.
        with _aside(file) as written:
            async for lines in exporting.lines(closed, known):
                written.write(lines)
        _move(Path(written.name), file)
        return _row(file, closed)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _SHOWN))


def _aside(file: Path) -> IO[bytes]:
    """Open a file beside the wanted one. Raises `Stopped` where none can be written."""
    try:
        return tempfile.NamedTemporaryFile("wb", dir=file.parent, delete=False)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror}"
        raise Stopped(message, exit_code=WRONG_INPUT) from error


def _move(written: Path, file: Path) -> None:
    try:
        written.replace(file)
    except OSError as error:
        written.unlink()
        message = f"{file} cannot be written: {error.strerror}"
        raise Stopped(message, exit_code=WRONG_INPUT) from error


def _row(file: Path, closed: Statement) -> Row:
    head = closed.head
    assert head.digest is not None, "what is closed has a digest"
    return {
        "file": str(file),
        "number": head.number,
        "period": head.period.name,
        "charges": head.charges,
        "digest": head.digest.hex(),
    }
