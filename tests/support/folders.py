"""Folders for databases: in memory where the system offers that, as their files are many."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there is ours alone

_NEEDED_BYTES = 2 << 30
_OURS = f"coalition-folder-{os.geteuid()}-"


def make_folder(prefix: str) -> Path:
    """Make a folder in memory, or among the temporary files when there is little of it."""
    free = shutil.disk_usage(IN_MEMORY).free if os.access(IN_MEMORY, os.W_OK) else 0
    return Path(tempfile.mkdtemp(prefix=prefix, dir=IN_MEMORY if free > _NEEDED_BYTES else None))


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a new folder, which is gone afterwards with all that is in it."""
    made = make_folder(f"{_OURS}{os.getpid()}-")
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def remove_what_killed_processes_left() -> None:
    """Remove the folders in memory whose processes are no more; on a disk others sweep them."""
    for left in IN_MEMORY.glob(f"{_OURS}*"):
        made_by = left.name.removeprefix(_OURS).partition("-")[0]
        if not Path("/proc", made_by).exists():
            shutil.rmtree(left, ignore_errors=True)
