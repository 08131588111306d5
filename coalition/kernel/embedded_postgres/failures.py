"""Turn what the system or PostgreSQL reports into one exception: what is wrong, what is right."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot do what was asked; the message says why and how to mend it."""


_FULL: Final = (
    "the disk is full; free some space (a new database needs about 100 MB) and start again"
)
_LIMITED: Final = (
    "the file size limit of this process was reached; raise it (ulimit -f) and start again"
)
_SHUT: Final = (
    "this user may not write there; give it the directory or choose another one with --data"
)
_DAMAGED: Final = (
    "its database files are damaged; restore the directory from a backup or choose another one "
    "with --data (nothing was changed)"
)
_INCOMPATIBLE: Final = (
    "its database files are damaged, or were made by a PostgreSQL that was built otherwise; "
    "restore the directory from a backup, or start with the programs that made it"
)
_TOO_MANY_FILES: Final = "the limit of open files was reached; raise it and start again"
_REFUSED: Final = "the system refuses this path; choose another directory with --data"
_MEMORY: Final = "the system gave PostgreSQL too little shared memory; free memory and start again"

_MEANINGS_BY_ERRNO: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _LIMITED,
    errno.EMFILE: _TOO_MANY_FILES,
    errno.ENFILE: _TOO_MANY_FILES,
    errno.EACCES: _SHUT,
    errno.EPERM: _SHUT,
    errno.EROFS: _SHUT,
    errno.ENOTDIR: "a part of that path is a file; choose a directory with --data",
    errno.EEXIST: "that path is a file; choose a directory with --data",
}

# Texts of PostgreSQL's own messages, the same from 15 to 18. The first one that occurs wins, so
# causes stand before their consequences.
_MEANINGS_BY_TEXT: Final = (
    ("No space left on device", _FULL),
    ("Disk quota exceeded", _FULL),
    ("File too large", _LIMITED),
    ("File size limit exceeded", _LIMITED),
    ("Too many open files", _TOO_MANY_FILES),
    ("Cannot allocate memory", _MEMORY),
    ("could not create shared memory segment", _MEMORY),
    ("Read-only file system", _SHUT),
    ("Permission denied", _SHUT),
    ("database files are incompatible with server", _INCOMPATIBLE),
    ("could not locate a valid checkpoint record", _DAMAGED),
    ("incorrect checksum in control file", _DAMAGED),
    ("could not find the database system", _DAMAGED),
    ("pg_control", _DAMAGED),
    ("is not a valid data directory", _DAMAGED),
    ("invalid data in file", _DAMAGED),
    ("could not open file", _DAMAGED),
    ("could not open directory", _DAMAGED),
)


def failure(directory: Path, meaning: str, *, reported: str = "") -> EmbeddedPostgresError:
    """Build the exception about `directory`, with the last lines that were reported, if any."""
    message = f"embedded PostgreSQL in {directory}: {meaning}"
    lines = [line for line in reported.strip().splitlines() if line.strip()]
    if lines:
        message += "\nReported:\n" + "\n".join(f"  {line}" for line in lines[-8:])
    return EmbeddedPostgresError(message)


def failure_from_log(directory: Path, reported: str) -> EmbeddedPostgresError:
    """Explain the text that PostgreSQL or initdb left behind when it gave up."""
    for text, meaning in _MEANINGS_BY_TEXT:
        if text in reported:
            return failure(directory, meaning, reported=reported)
    return failure(directory, "PostgreSQL did not start", reported=reported)


@contextmanager
def explained(directory: Path) -> Iterator[None]:
    """Let the system's errors about `directory` come out as `EmbeddedPostgresError`."""
    try:
        yield
    except OSError as error:
        meaning = _MEANINGS_BY_ERRNO.get(error.errno or 0, _REFUSED)
        raise failure(directory, meaning, reported=str(error)) from error
