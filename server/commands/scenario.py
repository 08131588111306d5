"""`coalition scenario`: stories that run on a scratch database."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import rich_click as click
import uvloop
from rich.console import Console

from coalition.kernel.web.logs import configure_logging
from server.commands.options import answer, as_json_option, example, say, table_of
from server.documents import BadDocumentError, Problem
from server.exits import WRONG_INPUT
from server.place import Place
from server.scenario import loading, playing, schemas, scratch
from server.scenario.outcome import Outcome
from server.scenario.printing import Reader
from server.scenario.story import Story

_SCHEMAS: Final[dict[str, Callable[[], dict[str, Any]]]] = {  # Any: a JSON Schema
    "story": schemas.of_story,
    "outcome": schemas.of_outcome,
}

_PIPE_WIDTH: Final = 160

_file_argument = click.argument("file", metavar="FILE", type=click.File("rb"))


class _Checked(msgspec.Struct, frozen=True):
    """Whether a file is a valid story, and what is wrong with it."""

    ok: bool
    problems: tuple[Problem, ...] = ()


@click.group()
def scenario() -> None:
    """Play dated stories with a virtual clock, through the services that serve the tills."""


@scenario.command()
@_file_argument
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=True),
    help="Make the scratch database on the server of this data directory.",
)
@click.option(
    "--database-url", metavar="URL", help="Make the scratch database on this PostgreSQL server."
)
@as_json_option
@example(
    "coalition scenario run docs/scenarios/first-story.yaml",
    "coalition scenario run story.yaml --json | jq .members",
)
def run(file: BinaryIO, *, data: Path | None, database_url: str | None, as_json: bool) -> None:
    """Play the story in FILE (- is standard input) and tell what came of it.

    It happens on a database that is made for it, on a server of its own unless told otherwise, and
    is removed afterwards. An invalid file is refused before anything runs, with line and key, and
    ends with 2; an act that is refused within the story is an answer and ends with 0.
    """
    story = _loaded(file)
    reader = Reader(story)
    configure_logging("warning")

    async def tell(server_url: str | None) -> Outcome:
        task = asyncio.current_task()
        assert task is not None, "a coroutine that runs is a task's"
        # Told to end, it removes its database as after Ctrl-C.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await playing.play(story, server_url=server_url, told=reader.told)

    place = Place(environ=os.environ, data=data, database_url=database_url)
    try:
        with scratch.server_for(place) as server_url:
            outcome = uvloop.run(tell(server_url))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    if as_json:
        answer(outcome, as_json=True, table=lambda: "")
    else:
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        Console(markup=False, highlight=False, width=width).print(reader.page(outcome))


@scenario.command()
@_file_argument
@as_json_option
@click.pass_context
@example("coalition scenario check story.yaml")
def check(context: click.Context, file: BinaryIO, *, as_json: bool) -> None:
    """Say whether FILE is a valid story, and if not, everything that is wrong with it."""
    try:
        loading.load(file.read())
    except BadDocumentError as bad:
        checked = _Checked(ok=False, problems=bad.problems)
    else:
        checked = _Checked(ok=True)
    rows = [msgspec.structs.asdict(problem) for problem in checked.problems]
    answer(
        checked,
        as_json=as_json,
        table=lambda: (
            "The story is valid." if checked.ok else table_of(rows, ("line", "key", "text"))
        ),
    )
    if not checked.ok:
        context.exit(WRONG_INPUT)


@scenario.command()
@click.argument("of", type=click.Choice(list(_SCHEMAS)), default="story")
@example("coalition scenario schema", "coalition scenario schema outcome")
def schema(of: str) -> None:
    """Print the JSON Schema of a story, or of its outcome as `run --json` prints it."""
    answer(_SCHEMAS[of](), as_json=True, table=lambda: "")


def _loaded(file: BinaryIO) -> Story:
    try:
        return loading.load(file.read())
    except BadDocumentError as bad:
        say(f"{file.name} is no valid story, so nothing was run:\n{bad}")
        sys.exit(WRONG_INPUT)
