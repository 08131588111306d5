"""When an e-mail is tried again, and how long it may wait: pure."""

from datetime import timedelta

LEASE = timedelta(minutes=10)
"""For so long nobody else sends what somebody has begun to send."""
ATTEMPTS_MOST = 16
STALE_AFTER = timedelta(days=7)
"""What has waited so long without an attempt is not sent any more: it lies in the inbox."""

PACE = timedelta(milliseconds=20)
"""How far apart e-mails are due that are said to many at once, about as fast as one connection
sends them: whoever is told something by itself meanwhile waits for few of them."""

_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=6)


def pause_after(attempts: int) -> timedelta | None:
    """Return how long to wait after so many attempts; None where it is given up.

    One minute, then twice as long each time, up to six hours: some two days in all.
    """
    assert attempts >= 1, "an attempt was made"
    if attempts >= ATTEMPTS_MOST:
        return None
    times: int = 2 ** (attempts - 1)
    return min(_FIRST_PAUSE * times, _LONGEST_PAUSE)
