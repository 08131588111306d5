"""Three advisory locks (flock) that say who starts, who owns and whether the server is alive.

A lock belongs to an open file, shared with every process that inherited it, and the system drops it
when the last of them ends. So a killed process never leaves a lock behind, whatever its pid was.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from coalition.kernel.embedded_postgres.failures import failure

POLL_INTERVAL_S: Final = 0.005


def open_lock(path: Path) -> int:
    """Open (make) a lock file; it holds no lock yet. The caller closes the descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def locks_alone(descriptor: int) -> bool:
    """Take the lock for us alone if nobody else holds it; whether we have it now."""
    return _locks(descriptor, fcntl.LOCK_EX)


def locks_together(descriptor: int) -> bool:
    """Take the lock beside others who share it; whether we have it now."""
    return _locks(descriptor, fcntl.LOCK_SH)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock alone."""
    if not path.exists():
        return False
    descriptor = open_lock(path)
    with closing(descriptor):
        is_free = locks_together(descriptor)
        unlock(descriptor)
    return not is_free


@contextmanager
def closing(descriptor: int) -> Iterator[None]:
    """Close our copy of a lock at the end; processes that inherited it go on holding it."""
    try:
        yield
    finally:
        os.close(descriptor)


def unlock(descriptor: int) -> None:
    """Drop the lock at once, also for processes that were forked from ours in the meantime."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def alone(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock for us alone, waiting for others up to `timeout_s`."""
    descriptor = open_lock(path)
    with closing(descriptor):
        if not locks_alone_within(descriptor, timeout_s=timeout_s):
            meaning = (
                f"another process has been starting or stopping it for {timeout_s:.0f} s; "
                "see what that one waits for, or end it and start again"
            )
            raise failure(path.parent, meaning)
        try:
            yield
        finally:
            unlock(descriptor)


def locks_alone_within(descriptor: int, *, timeout_s: float) -> bool:
    """Take the lock for us alone, waiting for others; whether we have it now."""
    deadline = time.monotonic() + timeout_s
    while not locks_alone(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True


def _locks(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
