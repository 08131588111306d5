"""What tests of commands begin with: a data directory with one partner, its database running."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from coalition.kernel import embedded_postgres
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import open_database
from coalition.ledger.partitions import ensure_partition
from server.apps import APPS
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
        with embedded_postgres.start(directory) as server:
            asyncio.run(_make_partition(server.url))
        yield directory


async def _make_partition(url: str) -> None:
    """Make the month's partition, which every copy has then.

    A process remembers by a server's address what it made, and addresses come again.
    """
    engine = await open_database(url, apps=APPS)
    try:
        await ensure_partition(SystemClock().now())
    finally:
        await engine.close()


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
