"""The time of the house that a command works in: a time machine may have moved it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Final

from coalition.kernel.clock import SystemClock
from coalition.kernel.settings import Settings

FILE: Final = "stripe-sandbox.sqlite"
"""Where the sandbox keeps its state, in the data directory."""

_ahead: ContextVar[timedelta] = ContextVar("ahead", default=timedelta())


class HouseClock:
    """The clock of a command: as far ahead of the machine's as the house is that it works in.

    So what it does bears the time that the service and its worker have.
    """

    def now(self) -> datetime:
        """Return the present instant of the house; without one, the machine's."""
        return SystemClock().now() + _ahead.get()


@contextmanager
def entered(settings: Settings) -> Iterator[None]:
    """Have every `HouseClock` tell the time of the house of `settings` for the block."""
    before = _ahead.set(ahead_of(settings))
    try:
        yield
    finally:
        _ahead.reset(before)


def ahead_of(settings: Settings) -> timedelta:
    """Return how far the house is ahead of this machine: nothing where no sandbox was begun."""
    if not settings.stripe_sandbox or settings.data_directory is None:
        return timedelta()
    path = settings.data_directory / FILE
    if not path.exists():
        return timedelta()
    # Imported here: only a command in a place with a sandbox pays for knowing it.
    from billing.sandbox import Sandbox  # noqa: PLC0415 - see above

    sandbox = Sandbox(path, now=SystemClock().now)
    try:
        return sandbox.offset
    finally:
        sandbox.close()


def ahead() -> timedelta:
    """Return how far the house that was entered is ahead of this machine."""
    return _ahead.get()


def told() -> str | None:
    """Return a sentence about the time of the house where it is not the machine's."""
    if not _ahead.get():
        return None
    return (
        f"The time machine has moved this house on by {_length(_ahead.get())}: "
        f"it is {HouseClock().now():%Y-%m-%d %H:%M} there (UTC)."
    )


def _length(ahead: timedelta) -> str:
    if ahead >= timedelta(days=2):
        return f"{round(ahead / timedelta(days=1))} days"
    return f"{round(ahead / timedelta(hours=1), 1):g} hours"
