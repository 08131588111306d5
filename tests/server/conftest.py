"""What tests of commands begin with: a data directory with one partner, its database running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coalition.kernel import embedded_postgres
from tests.server.processes import within


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Yield a data directory with one partner."""
    directory = tmp_path / "data"
    made = within("partner", "create", "--name", "Handlarn", "--data", directory, "--json")
    assert made.status == 0, made.err
    assert set(made.document) >= {"partner_id", "client_id", "client_secret"}
    # Held here, the database need not be started for each command.
    with embedded_postgres.start(directory):
        yield directory
