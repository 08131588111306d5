"""`coalition serve`: the service, with the worker beside it."""

import importlib
from contextlib import suppress

import rich_click as click

from server.commands.options import example, place_of, place_options, say


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option("--no-worker", is_flag=True, help="Run no worker beside the service.")
@click.option(
    "--notice",
    type=click.FloatRange(0, 300),
    default=0,
    metavar="SECONDS",
    help="When told to stop, answer 'not ready' for so long before ending, for load balancers.",
)
@place_options
@click.pass_context
@example(
    "coalition serve",
    "coalition serve --data /srv/coalition --port 8080",
    "coalition serve --database-url postgresql://coalition@db.example/coalition --no-worker",
)
def serve(context: click.Context, *, host: str, port: int, no_worker: bool, notice: float) -> None:
    """Serve the coalition over HTTP until told to stop (SIGTERM or Ctrl-C).

    Ready when /health/ready answers 200. The API's page is at /schema. Logs are JSON lines on
    standard error. On a stop, requests in flight are answered first; then the worker ends, then
    the embedded PostgreSQL, if nobody else uses it.
    """
    # What serves is heavy to import; `--help` and a wrong option should not wait for it.
    house = importlib.import_module("server.house")
    with suppress(KeyboardInterrupt):
        house.run(
            place_of(context),
            host=host,
            port=port,
            notice_s=notice,
            with_worker=not no_worker,
            say=say,
        )
