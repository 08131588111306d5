"""A whole house: database, service and worker, brought up in order and down in the reverse."""

import asyncio
import dataclasses
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import structlog
import uvloop

from coalition.kernel.settings import PREFIX, Settings
from coalition.kernel.web.logs import configure_logging
from server import databases, serving, worker_beside
from server.app import create_service
from server.place import Place

_LEFT_OUT = (
    "Paid membership is off: others reach this address, so the sandbox of Stripe with its time "
    "machine is left out. Set COALITION_STRIPE_KEY, or COALITION_STRIPE_SANDBOX=1 to have it."
)

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Address:
    """Where a service listens, and how it is reached from this machine."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The base address, as seen from here."""
        return serving.url_of(self.host, self.port)


def run(
    place: Place,
    *,
    host: str,
    port: int,
    notice_s: float = 0.0,
    with_worker: bool = True,
    say: Callable[[str], None],
    on_ready: Callable[[Settings, Address], Awaitable[None]] | None = None,
) -> None:
    """Serve the coalition of `place` until SIGTERM or SIGINT; return when all is down.

    `on_ready` is called once, when requests are taken. Raises `Stopped`, and what opening a place
    and a database raises.
    """
    address = Address(*serving.listening_address(host, port))
    with place.opened(makes=True, issuer=address.url) as opened:
        settings = sheltered(opened, address.host, os.environ)
        if settings.stripe_sandbox is not opened.stripe_sandbox:
            say(_LEFT_OUT)
        configure_logging(settings.log_level)
        uvloop.run(
            _serve(
                settings,
                address,
                notice_s=notice_s,
                with_worker=with_worker,
                say=say,
                on_ready=on_ready,
            )
        )


def sheltered(settings: Settings, host: str, environ: Mapping[str, str]) -> Settings:
    """Return the settings without the sandbox where others reach us and nobody asked for it.

    Whoever reaches its time machine moves the time of the whole house on.
    """
    is_asked_for = f"{PREFIX}STRIPE_SANDBOX" in environ
    if not settings.stripe_sandbox or is_asked_for or ip_address(host).is_loopback:
        return settings
    return dataclasses.replace(settings, stripe_sandbox=False)


def run_worker(place: Place, *, while_stdin_open: bool = False, pulse: Path | None = None) -> None:
    """Do the jobs of `place` until SIGTERM, SIGINT or, if asked to, the end of standard input.

    The file `pulse` is touched as long as the worker does not hang.
    """
    # What works is heavy, and a service has its worker in another process.
    from server import worker  # noqa: PLC0415 - see above

    async def run(settings: Settings) -> None:
        with serving.told_to_stop() as stop:
            async with (
                AsyncExitStack() as beside,
                databases.opened(settings, pool_size=8) as engine,
            ):
                await databases.require_migrations(engine, settings)
                if while_stdin_open:
                    beside.enter_context(_cancelled(worker.set_at_end_of_input(stop)))
                _logger.info("working", data=str(settings.data_directory or ""))
                await worker.work(settings, stop, pulse)

    with place.opened(issuer="http://worker.invalid") as settings:
        configure_logging(settings.log_level)
        # Only now: an embedded server that this process has started serves the tills too.
        os.nice(worker.GIVES_WAY)
        uvloop.run(run(settings))


async def _serve(
    settings: Settings,
    address: Address,
    *,
    notice_s: float,
    with_worker: bool,
    say: Callable[[str], None],
    on_ready: Callable[[Settings, Address], Awaitable[None]] | None,
) -> None:
    with serving.told_to_stop() as stop:
        async with databases.opened(settings, pool_size=1) as engine:
            await databases.require_migrations(engine, settings)
        service = create_service(settings)

        async def listening() -> None:
            _logger.info("listening", url=address.url, data=str(settings.data_directory or ""))
            say(f"Serving on {address.url}; the API's page is {address.url}/schema. Ctrl-C stops.")
            # The worker comes last: it would take the processor from what is starting.
            if with_worker:
                await beside.enter_async_context(worker_beside.beside(settings))
            if on_ready is not None:
                await on_ready(settings, address)

        async with service.running(), AsyncExitStack() as beside:
            await serving.serve(
                service,
                host=address.host,
                port=address.port,
                stop=stop,
                notice_s=notice_s,
                on_listening=listening,
            )


@contextmanager
def _cancelled(work: Coroutine[object, object, None]) -> Iterator[None]:
    """Run `work` as a task while the block runs, and cancel it at the end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
