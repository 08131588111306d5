"""Data directories for real servers; whatever a test leaves running is ended by its pid."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coalition.kernel.embedded_postgres import running
from coalition.kernel.embedded_postgres.accounts import Account
from coalition.kernel.embedded_postgres.binaries import find_binaries, programs_for
from tests.kernel.embedded_postgres.service import ORDINARY_UID, PRESENT_UID


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Yield a data directory that does not exist yet."""
    data_directory = tmp_path / "data"
    yield data_directory
    _end_server(data_directory)


@pytest.fixture
def ordinary_directory() -> Iterator[Path]:
    """Yield an empty folder of the ordinary user, under parents that everybody may pass."""
    folder = Path(tempfile.mkdtemp(prefix="coalition-test-"))
    os.chown(folder, ORDINARY_UID, -1)
    yield folder
    _end_server(folder / "data")
    shutil.rmtree(folder)


@pytest.fixture
def ordinary_environ(ordinary_directory: Path) -> dict[str, str]:
    """Return an environment in which the ordinary user finds programs that it may run."""
    account = Account(uid=ORDINARY_UID, gid=os.getegid(), dropped=PRESENT_UID == 0)
    caches = [ordinary_directory / "programs"]
    programs = programs_for(find_binaries(), account, caches=caches)
    return {"COALITION_POSTGRES_BIN": str(programs.binaries.folder)}


def _end_server(data_directory: Path) -> None:
    left = running(data_directory)
    if left is not None:
        os.kill(left.pid, signal.SIGQUIT)
