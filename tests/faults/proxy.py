"""A wire between service and database that can be cut, go dead, or come back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class Wire:
    """A TCP proxy of one address; connections made through it share its fate.

    Cut: connections are reset and new ones are refused at once. Dead: nothing passes, nobody is
    told, and new connections are taken but lead nowhere (a half-open connection, a firewall that
    drops packets).
    """

    def __init__(self, *, host: str, port: int) -> None:
        """Lead to `host`:`port`; `laid` lays the wire."""
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._is_cut = False
        self.port = 0
        """The port on which the wire begins."""

    def cut(self) -> None:
        """Reset every connection and every new one."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def go_dead(self) -> None:
        """Let nothing pass and tell nobody."""
        self._passes.clear()

    def reset_dead(self) -> None:
        """Reset the connections that stand, without healing the wire: dead ones are found out."""
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let everything pass again."""
        self._is_cut = False
        self._passes.set()

    @property
    def connections(self) -> int:
        """How many connections stand."""
        return len(self._writers) // 2

    def url_through(self, url: str) -> str:
        """Return `url` with this wire between."""
        parts = urlsplit(url)
        netloc = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.port}"
        return urlunsplit(parts._replace(netloc=netloc))

    async def lay(self) -> None:
        """Take connections from now on."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def remove(self) -> None:
        """End all connections and take none."""
        assert self._server is not None, "the wire was laid"
        self._server.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "the server runs it as a task"
        self._tasks.add(task)
        try:
            if self._is_cut:
                writer.transport.abort()
                return
            await self._passes.wait()
            with contextlib.suppress(OSError):
                there, back = await asyncio.open_connection(*self._target)
                self._writers |= {writer, back}
                try:
                    async with asyncio.TaskGroup() as both:
                        both.create_task(self._pass_on(reader, back))
                        both.create_task(self._pass_on(there, writer))
                finally:
                    self._writers -= {writer, back}
                    back.transport.abort()
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def laid(url: str) -> AsyncIterator[Wire]:
    """Lay a wire to the database at `url` for as long as the block."""
    parts = urlsplit(url)
    assert parts.hostname, "the address names a host"
    assert parts.port, "and a port"
    wire = Wire(host=parts.hostname, port=parts.port)
    await wire.lay()
    try:
        yield wire
    finally:
        await wire.remove()
