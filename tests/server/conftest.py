"""What tests of commands begin with: a data directory with one partner, its database running."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from coalition.kernel import embedded_postgres
from tests.server.processes import within
from tests.support.folders import folder


@pytest.fixture(scope="session")
def founded() -> Iterator[Path]:
    """Yield a data directory with one partner, its database stopped, to be copied."""
    with folder() as made:
        directory = made / "data"
        done = within("partner", "create", "--name", "Handlarn", "--data", directory, "--json")
        assert done.status == 0, done.err
        assert set(done.document) >= {"partner_id", "client_id", "client_secret"}
        yield directory


@pytest.fixture
def data(founded: Path) -> Iterator[Path]:
    """Yield a data directory with one partner."""
    with folder() as made:
        directory = made / "data"
        # cp, as the database's files belong to another user when tests are run by root.
        subprocess.run(["cp", "-a", founded, directory], check=True)
        # Held here, the database need not be started for each command.
        with embedded_postgres.start(directory):
            yield directory
