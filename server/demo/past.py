"""A service that lives in the past: a process of its own whose clock stands where the story does.

    python -m server.demo.past --data DIR

It says `ready URL`, then reads instants from standard input, sets its clock to each and says so. It
ends when its input does. Time is an argument everywhere, so nothing else has to be told.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import rich_click as click
import uvloop

from coalition.kernel.clock import FixedClock
from coalition.kernel.settings import Settings
from coalition.kernel.web.logs import configure_logging
from server import serving
from server.app import create_service
from server.place import Place

_LOOPBACK = "127.0.0.1"


class PastEndedError(Exception):
    """The service of the story ended by itself; its log says why."""


class Past:
    """The service as the storyteller holds it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        """Hold a process that listens at `url`."""
        self._process = process
        self.url = url

    async def move_to(self, instant: datetime) -> None:
        """Set the clock of the service; it does not go back."""
        assert self._process.stdin is not None, "the process was started with pipes"
        self._process.stdin.write(f"{instant.isoformat()}\n".encode())
        await self._process.stdin.drain()
        assert await _line(self._process) == f"at {instant.isoformat()}", "one answer to one wish"


@asynccontextmanager
async def living_in_the_past(settings: Settings, begins: datetime) -> AsyncIterator[Past]:
    """Run a service for the database of `settings` whose clock stands at `begins`."""
    arguments = ["--begins", begins.isoformat()]
    if settings.data_directory is not None:
        arguments += ["--data", str(settings.data_directory)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", __name__),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=_environment(settings),
        start_new_session=True,
    )
    assert process.stdin is not None, "the process was started with pipes"
    try:
        word, _, url = (await _line(process)).partition(" ")
        assert word == "ready", "the first line says where it listens"
        yield Past(process, url)
    finally:
        process.stdin.close()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None, "the process was started with pipes"
    line = await process.stdout.readline()
    if not line:
        raise PastEndedError(f"the service of the story ended with {await process.wait()}")
    return line.decode().strip()


def _environment(settings: Settings) -> dict[str, str]:
    warnings_only = {"COALITION_LOG_LEVEL": "warning"}
    if settings.data_directory is not None:
        return os.environ | warnings_only
    return os.environ | warnings_only | {"COALITION_DATABASE_URL": settings.database_url}


@click.command()
@click.option("--data", type=click.Path(path_type=Path))
@click.option("--begins", required=True)
def main(data: Path | None, begins: str) -> None:
    """Serve with a clock that is set by lines of standard input."""
    address, port = serving.listening_address(_LOOPBACK, 0)
    url = serving.url_of(address, port)
    with Place(os.environ, data=data).opened(issuer=url) as settings:
        configure_logging(settings.log_level)
        uvloop.run(_live(settings, address, port, FixedClock(datetime.fromisoformat(begins))))


async def _live(settings: Settings, address: str, port: int, clock: FixedClock) -> None:
    service = create_service(settings, clock=clock)
    stop = asyncio.Event()

    async def follow() -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := (await reader.readline()).decode().strip():
            clock.advance(datetime.fromisoformat(line) - clock.now())
            _say(f"at {line}")
        stop.set()

    following: list[asyncio.Task[None]] = []

    async def listening() -> None:
        _say(f"ready {serving.url_of(address, port)}")
        following.append(asyncio.create_task(follow()))

    async with service.running():
        await serving.serve(service, host=address, port=port, stop=stop, on_listening=listening)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
