"""Serves the HTTP side in this process until it is told to stop: listen, drain, close."""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from server import collector
from server.app import Service
from server.exits import UNAVAILABLE, Stopped

PATIENCE_S = 20.0
"""How long a stop waits for requests in flight."""

_START_TIMEOUT_S = 10.0
_PROBE_PAUSE_S = 0.01

_logger = structlog.get_logger(__name__)


def listening_address(host: str, port: int) -> tuple[str, int]:
    """Return the IP address of `host` and `port`, or a free port for 0; nobody else listens there.

    The HTTP server shares its port with whoever is willing to share too, so it would not notice
    that the port is taken. Raises `Stopped`.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen(1)
            return str(place[0]), int(probe.getsockname()[1])
    except OSError as error:
        raise Stopped(_why_not(host, port, error), exit_code=UNAVAILABLE) from error


async def serve(
    service: Service,
    *,
    host: str,
    port: int,
    stop: asyncio.Event,
    notice_s: float = 0.0,
    on_listening: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Answer requests on `host`:`port` until `stop` is set, then drain; `service` is running.

    `on_listening` is called once connections are taken. After `stop` the service says for
    `notice_s` that it is not ready, so that routers look elsewhere, and then ends what is in
    flight. Raises `Stopped` when the
    server ends by itself.
    """
    server = Server(
        service.application,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        log_enabled=False,
    )
    collector.calm()
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        with threads_wait_their_turn():
            await _listening(host, port, serving)  # the server starts its threads meanwhile
        if on_listening is not None:
            await on_listening()
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            await service.readiness.drain(service.metrics, notice_s=notice_s, patience_s=PATIENCE_S)
    finally:
        stopping.cancel()
        server.stop()  # type: ignore[no-untyped-call]  # granian has no types there
        await asyncio.wait({serving})
    if not stop.is_set():
        raise Stopped("the HTTP server ended by itself", exit_code=UNAVAILABLE)
    serving.result()


@contextmanager
def threads_wait_their_turn() -> Iterator[None]:
    """Let threads that this one starts meanwhile run when others stop, not when they are woken.

    The thread that writes to sockets is woken for every answer. Where it takes the processor from
    the one that makes the answers, each costs two switches; waiting its turn, it writes what has
    gathered. Does nothing where the system has no such policy or does not permit it.
    """
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getscheduler(0)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, before, os.sched_param(0))


@contextmanager
def told_to_stop() -> Iterator[asyncio.Event]:
    """Yield an event that SIGTERM or SIGINT sets; a second signal ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        if stop.is_set():
            raise SystemExit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _listening(host: str, port: int, serving: asyncio.Task[None]) -> None:
    """Return when a connection is taken; raise `Stopped` if none ever is."""
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not serving.done():
                try:
                    _, writer = await asyncio.open_connection(_reachable(host), port)
                except ConnectionError:
                    await asyncio.sleep(_PROBE_PAUSE_S)
                else:
                    writer.close()
                    return
    except TimeoutError:
        pass
    raise Stopped(f"the HTTP server does not listen on {host}:{port}", exit_code=UNAVAILABLE)


def _reachable(host: str) -> str:
    """Return an address by which this machine reaches what listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - named, not bound


def url_of(host: str, port: int) -> str:
    """Return the base address of a service that listens on `host`:`port`, as seen from here."""
    reachable = _reachable(host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; stop who listens there or choose another --port"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by this user; choose one above 1023 with --port"
    return f"{host} is not an address of this machine; choose another --host"
