"""A house of one's own for each test of faults."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.houses import House, copy_of, found
from tests.faults.processes import kill_all, postgres_processes


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a coalition that was founded and stopped, to be copied."""
    directory = tmp_path_factory.mktemp("founded")
    found(directory)
    return directory


@pytest.fixture
def house(founded: Path, tmp_path: Path) -> Iterator[House]:
    """Yield a house whose service is not started; whatever runs at the end is killed."""
    copied = copy_of(founded, tmp_path)
    yield copied
    copied.service.close()
    if copied.service.log.exists():
        print(copied.service.log.read_text()[-20_000:])  # noqa: T201 - shown when the test failed
    kill_all(postgres_processes(copied.data))
    shutil.rmtree(tmp_path, ignore_errors=True)
