"""The only place that reads the clock; everything else is told the time as `at`."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Something that knows the present instant."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """Return the machine's present instant."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is advanced; for stories and tests."""

    def __init__(self, at: datetime) -> None:
        """Set the clock to `at`, which must be aware."""
        assert at.tzinfo is not None, "a clock needs an aware time"
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant the clock stands at."""
        return self._at

    def advance(self, step: timedelta) -> datetime:
        """Move the clock by `step` and return where it stands now."""
        self._at += step
        return self._at
