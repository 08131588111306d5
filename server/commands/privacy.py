"""`coalition member export|erase|erasures`: a person's copy of everything, and being forgotten."""

import os
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import msgspec
import rich_click as click

from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members import privacy
from coalition.members.privacy import Erasure
from server import people
from server.commands.card import by_option
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
from server.house_clock import HouseClock

_SHOWN = ("member_id", "asked_at", "asked_by", "reason", "steps", "finished_at")


@click.command()
@click.argument("member_id", type=click.UUID)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file for it, which nobody else can read.  [default: standard output]",
)
@by_option
@place_options
@click.pass_context
@example("coalition member export 8cf51be2-9d72-458f-a1d0-370077b9240b --to copy.json --by anna")
def export(context: click.Context, *, member_id: UUID, target: Path | None, by: str) -> None:
    """Write everything that is kept of MEMBER_ID, who is named in it, as one JSON document."""
    member = MemberId(member_id)

    async def work(settings: Settings) -> None:
        at = HouseClock().now()
        await privacy.note_export(member, actor=by, at=at)
        pieces = privacy.export(member, people.keepers(settings), at=at)
        with _opened(target) as file:
            async with aclosing(pieces):
                async for piece in pieces:
                    file.write(piece)

    if target is not None and target.exists():
        raise _there_already(target)
    if target is not None and not target.parent.is_dir():
        raise click.UsageError(f"there is no directory {target.parent}; make it, or name another")
    do(place_of(context), work)
    say("The copy is written." if target is None else f"The copy is written to {target}.")


@click.command()
@click.argument("member_id", type=click.UUID)
@click.option("--reason", required=True, help="How the member asked for it; name nobody.")
@click.option("--later", is_flag=True, help="Leave it to the worker.")
@by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition member erase 8cf51be2-9d72-458f-a1d0-370077b9240b"
    ' --reason "letter of 2026-11-20" --by anna'
)
def erase(
    context: click.Context, *, member_id: UUID, reason: str, later: bool, by: str, as_json: bool
) -> None:
    """Forget who MEMBER_ID is, for good: points are forfeited, the books stay. Asked twice, once.

    Killed midway it goes on when asked again, or when a worker comes to it.
    """
    member = MemberId(member_id)

    async def work(settings: Settings) -> tuple[Erasure, str | None]:
        at = HouseClock().now()
        await privacy.ask(member, reason=reason, actor=by, at=at)
        waits_for = None
        if not later:
            try:
                await privacy.erase(member, people.keepers(settings), at=at)
            except Refused as refusal:
                waits_for = refusal.detail
        return await privacy.show(member), waits_for

    erasure, waits_for = do(place_of(context), work)
    answer(erasure, as_json=as_json, table=lambda: table_of([_row(erasure)], _SHOWN))
    if erasure.finished_at is not None:
        say("The member is forgotten.")
    else:
        say(f"The worker goes on with it. {waits_for or ''}".rstrip())


@click.command()
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition member erasures --json")
def erasures(context: click.Context, *, limit: int, as_json: bool) -> None:
    """List the erasures asked for last; after a restore, ask again for those since."""

    async def work(_: Settings) -> list[Erasure]:
        return await privacy.list_latest(limit)

    found = do(place_of(context), work)
    rows = [_row(erasure) for erasure in found]
    answer({"items": found}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


def _row(erasure: Erasure) -> dict[str, object]:
    return msgspec.structs.asdict(erasure) | {"steps": " ".join(erasure.steps)}


@contextmanager
def _opened(target: Path | None) -> Iterator[BinaryIO]:
    """Yield where a copy is written: a file that only its owner reads, or standard output."""
    if target is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _there_already(target) from None
    except PermissionError:
        raise click.UsageError(f"{target} cannot be written; name another file") from None
    with os.fdopen(descriptor, "wb") as file:
        yield file


def _there_already(target: Path) -> click.UsageError:
    return click.UsageError(f"{target} is there already; name a new file")
