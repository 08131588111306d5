"""What tests of the ledger have in common: an engine with one connection, whose plans are kept."""

import asyncio
from collections.abc import Iterator

import pytest

from coalition.kernel.database import Engine, open_database
from server.apps import APPS


@pytest.fixture
def one_connection(runner: asyncio.Runner, database_url: str) -> Iterator[Engine]:
    """Yield an engine whose every transaction runs on the same connection."""
    engine = runner.run(open_database(database_url, apps=APPS, pool_size=1))
    yield engine
    runner.run(engine.close())
