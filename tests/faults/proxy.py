"""A wire between service and database that can be cut, go dead, or come back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class Wire:
    """A TCP proxy of one address; what becomes of its connections can be chosen.

    Cut: they are reset and new ones are refused at once. Dead: nothing passes and nobody is told;
    new ones are taken but lead nowhere, as behind a firewall that drops packets. Stranded: those
    that stand are dead for good and new ones are well, as after a failover.
    """

    def __init__(self, *, host: str, port: int) -> None:
        """Lead to `host`:`port` once it is `laid`."""
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._is_cut = False
        self.port = 0
        """The port on which the wire begins."""

    def cut(self) -> None:
        """Reset every connection and every new one."""
        self._is_cut = True
        for connection in self._connections:
            connection.reset()

    def go_dead(self) -> None:
        """Let nothing pass and tell nobody."""
        self._passes.clear()

    def strand(self) -> None:
        """Let nothing pass on the connections that stand, ever; new ones are well."""
        for connection in self._connections:
            connection.is_stranded.set()

    def mend(self) -> None:
        """Let everything pass again that is not stranded."""
        self._is_cut = False
        self._passes.set()

    @property
    def connections(self) -> int:
        """How many connections stand."""
        return len(self._connections)

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
        # The server looks at what becomes of this task and does not like it cancelled.
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._passes.wait()
                if not self._is_cut:
                    there, back = await asyncio.open_connection(*self._target)
                    await self._join(_Connection((reader, writer), (there, back)))
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _join(self, connection: "_Connection") -> None:
        self._connections.add(connection)
        (reader, writer), (there, back) = connection.near, connection.far
        ways = [
            asyncio.create_task(self._pass_on(connection, reader, back)),
            asyncio.create_task(self._pass_on(connection, there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._connections.discard(connection)
            connection.reset()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_on(
        self, connection: "_Connection", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            await self._passes.wait()
            if connection.is_stranded.is_set():
                await asyncio.Event().wait()
            writer.write(data)
            await writer.drain()


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """Two ends of one connection."""

    def __init__(self, near: _End, far: _End) -> None:
        self.near = near
        self.far = far
        self.is_stranded = asyncio.Event()

    def reset(self) -> None:
        for _, writer in (self.near, self.far):
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
