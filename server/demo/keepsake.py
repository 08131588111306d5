"""What a demo keeps of itself in its data directory: that it is one, and how to get in."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from coalition.ledger.audit import Report
from server import house_clock
from server.exits import WRONG_INPUT, Stopped

_NAME: Final = "demo.json"
_SANDBOX: Final = tuple(f"{house_clock.FILE}{end}" for end in ("", "-wal", "-shm"))
_OURS: Final = ("postgres", "blind_index_key", "master_key", *_SANDBOX, _NAME)
"""All that a coalition keeps in a data directory; removed when a demo is begun afresh."""


class Credential(msgspec.Struct, frozen=True):
    """How a partner's system gets a token."""

    client_id: str
    client_secret: str
    partner: str


class Login(msgspec.Struct, frozen=True):
    """How a person signs in, as what, and where there is something to see."""

    role: str
    email: str
    password: str
    url: str
    member_id: str | None = None


class Loaded(msgspec.Struct, frozen=True):
    """What is in the database after the telling, and how long that took."""

    members: int
    partners: int
    postings: int
    seconds: float


class Settled(msgspec.Struct, frozen=True):
    """The statements that were closed and the cycles that netted them, and how long that took."""

    statements: int = 0
    cycles: int = 0
    seconds: float = 0.0
    period: str | None = None
    """The last month of the first company that was closed, to look at."""


class Audited(msgspec.Struct, frozen=True):
    """What the proof of the ledger came to."""

    ok: bool
    checks: int

    @classmethod
    def of(cls, report: Report) -> "Audited":
        """Return the short form of `report`."""
        return cls(report.ok, report.checks)


class Keepsake(msgspec.Struct, frozen=True, kw_only=True):
    """A demo that was told to its end."""

    source: str
    note: str
    households: int
    card: str
    """The card of a member with points, to try."""
    client: Credential
    loaded: Loaded
    audit: Audited
    refused: dict[str, int]
    """Lines of the history that were refused, by code; none is expected."""
    settled: Settled = Settled()
    """Nothing in a demo that was told before there was settlement."""
    logins: list[Login] = []
    """Nobody in a demo that was told before members could sign in."""


class Unfinished(msgspec.Struct, frozen=True):
    """A demo that is being told, or was interrupted."""

    unfinished: bool = True


def read(directory: Path) -> Keepsake | None:
    """Return what the demo in `directory` kept; None when none was told there to its end."""
    try:
        return msgspec.json.decode((directory / _NAME).read_bytes(), type=Keepsake)
    except (FileNotFoundError, msgspec.ValidationError):
        return None


def begin(directory: Path, *, afresh: bool) -> None:
    """Make room for a demo in `directory`, and mark it as one.

    What an interrupted demo left, or with `afresh` a whole one, is removed. A coalition that is no
    demo is never touched: that raises `Stopped`.
    """
    mark = directory / _NAME
    if mark.exists():
        assert afresh or read(directory) is None, "a whole demo is served, not told again"
        _remove(directory)
    elif any((directory / name).exists() for name in _OURS):
        message = (
            f"there is a coalition in {directory} that is no demo; name another directory with "
            "--data for the demo"
        )
        raise Stopped(message, exit_code=WRONG_INPUT)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(mark, Unfinished())


def finish(directory: Path, keepsake: Keepsake) -> None:
    """Keep what the demo is, readable by its owner only: there is a secret in it."""
    _write(directory / _NAME, keepsake)


def _remove(directory: Path) -> None:
    for name in _OURS:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _write(path: Path, document: Any) -> None:  # Any: a Struct of this module
    # Written aside and moved into place: whoever reads sees the whole of it.
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, delete=False) as file:
        file.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    Path(file.name).replace(path)
