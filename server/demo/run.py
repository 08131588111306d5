"""Runs the demo: tells a history where there is none yet, proves the books, says how to get in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter
from typing import Final
from uuid import UUID

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from coalition.kernel import embedded_postgres
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.kernel.web.logs import configure_logging
from server import databases, proof
from server.demo import credit, family, journey, keepsake, made_up, plans, telling
from server.demo.club import DemoClub
from server.demo.history import History
from server.demo.keepsake import Audited, Credential, Keepsake, Loaded
from server.demo.settling import Settling
from server.demo.telling import Tell, Told
from server.exits import UNAVAILABLE, WRONG_INPUT, Stopped
from server.place import Place

ALL_HOUSEHOLDS: Final = journey.ALL_HOUSEHOLDS
SLICE_HOUSEHOLDS: Final = 500
"""How many households the demo takes unless told otherwise: about a fifth of all."""

_COUNTS: Final = """
SELECT (SELECT count(*) FROM member) AS members, (SELECT count(*) FROM partner) AS partners,
       (SELECT count(*) FROM posting) AS postings
"""


def ensure_told(
    place: Place,
    *,
    households: int | None,
    is_made_up: bool,
    afresh: bool,
    leave_last_month: bool = False,
    say: Callable[[str], None],
) -> Keepsake:
    """Return the demo of the data directory of `place`, telling it first where there is none.

    `households` None takes what is there, or a slice; `leave_last_month` leaves the last month that
    is over for somebody to settle. Raises `Stopped` when another number of them
    is there than is wanted, and what opening a place raises.
    """
    directory = place.directory
    assert directory is not None, "the demo lives in a data directory"
    kept = None if afresh else keepsake.read(directory)
    if kept is not None:
        if households not in {None, kept.households}:
            message = (
                f"the demo in {directory} has {kept.households} households; begin again with "
                "--afresh, or name another directory with --data"
            )
            raise Stopped(message, exit_code=WRONG_INPUT)
        if leave_last_month:
            say(f"The demo in {directory} stays as it was left; --afresh begins again.")
        return kept
    if embedded_postgres.running(directory) is not None:
        message = f"a demo is running in {directory}; stop it first, or name another --data"
        raise Stopped(message, exit_code=UNAVAILABLE)
    keepsake.begin(directory, afresh=afresh)
    now = SystemClock().now()
    history = read_history(households or SLICE_HOUSEHOLDS, now, is_made_up=is_made_up, say=say)
    say(
        f"Telling {history.source}: {len(history.baskets)} baskets of {history.households} "
        f"households ({history.note})."
    )
    configure_logging("warning")
    with place.opened(makes=True) as settings:
        told = uvloop.run(
            _tell(history, settings, Settling(now, leave_last_month=leave_last_month))
        )
    keepsake.finish(directory, told)
    return told


def read_history(
    households: int, now: datetime, *, is_made_up: bool, say: Callable[[str], None]
) -> History:
    """Return the real history, or a made-up one where that is wanted or the data set is missing."""
    if not is_made_up and not journey.is_installed():
        say("The data set of real purchases is not installed; `python3 dev.py setup` installs it.")
    if is_made_up or not journey.is_installed():
        return made_up.make(households, now)
    return journey.read(households, now)


async def _tell(history: History, settings: Settings, settling: Settling) -> Keepsake:
    async with databases.opened(settings) as engine:
        await databases.bring_up_to_date(engine)
        began_s = perf_counter()
        with _progress(len(history.baskets)) as tell:
            told = await _history(history, settings, tell, settling)
        logins = await family.settle_in(settings, SystemClock().now())
        head = MemberId(UUID(next(one for one in logins if one.role == "guardian").member_id))
        await plans.put_on_sale(settings, SystemClock().now())
        await plans.order(settings, head)
        settled = await settling.finished()
        if not settling.leaves_last_month:
            await credit.limit(SystemClock().now())
        seconds = perf_counter() - began_s - settled.seconds
        report = await proof.prove()
        async with transaction() as connection:
            counted = await connection.fetchrow(_COUNTS)
    return Keepsake(
        source=history.source,
        note=history.note,
        households=history.households,
        card=_card_to_try(told),
        client=_credential(told),
        loaded=Loaded(**counted, seconds=round(seconds, 1)),
        settled=settled,
        audit=Audited.of(report),
        refused=dict(told.refused),
        logins=logins,
    )


async def _history(history: History, settings: Settings, tell: Tell, settling: Settling) -> Told:
    """Tell purchases and paid memberships month by month, each settled when it is over."""
    now = SystemClock().now()
    club = DemoClub(settings, history, now) if settings.stripe_sandbox else None

    async def month_over(ends: datetime) -> None:
        if club is not None:
            await club.month_over(ends)
        await settling.month_over(ends)

    try:
        return await telling.tell(history, settings, told=tell, after_month=month_over)
    finally:
        if club is not None:
            await club.close()


def _card_to_try(told: Told) -> str:
    """Return the card of the household that has the most points."""
    richest = max(told.wallets, key=lambda household: told.wallets[household].balance)
    return telling.card_of(richest)


def _credential(told: Told) -> Credential:
    first = told.founded[0]
    return Credential(first.client_id, first.client_secret, first.name)


@contextmanager
def _progress(baskets: int) -> Iterator[Tell]:
    """Show on standard error how many baskets have been loaded."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Baskets", total=baskets)
        yield lambda count: progress.advance(task, count)
