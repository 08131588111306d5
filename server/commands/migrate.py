"""`coalition migrate`: brings a database up to date."""

import rich_click as click
import uvloop

from coalition.kernel.settings import Settings
from server import databases
from server.commands.options import answer, as_json_option, example, place_of, place_options


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition migrate --database-url postgresql://coalition@db.example/coalition")
def migrate(context: click.Context, *, as_json: bool) -> None:
    """Run the migrations that the database lacks.

    Only forwards, each in a transaction, under a lock: several at once do the work once. A new
    database on a server with the Citus extension is distributed.
    """

    async def work(settings: Settings) -> list[str]:
        async with databases.opened(settings) as engine:
            return await databases.bring_up_to_date(engine)

    with place_of(context).opened(makes=True) as settings:
        done = uvloop.run(work(settings))
    answer(
        {"migrations": done},
        as_json=as_json,
        table=lambda: f"Ran {len(done)} migrations." if done else "The database is up to date.",
    )
