"""Fixtures of all tests: a fixed time, an event loop of one's own, a fresh database."""

import asyncio
import gc
import inspect
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from coalition.kernel.database import Engine, open_database
from server.apps import APPS
from tests.support.postgres import create_database, drop_database, test_server

LONG = (
    "tests/properties/settlement/",
    "tests/properties/",
    "tests/structure/test_finance_guide.py",
    "tests/structure/test_members_guide.py",
    "tests/structure/test_rule_sets_guide.py",
    "tests/structure/test_families_guide.py",
    "tests/server/test_demo.py",
    "tests/journeys/test_schemathesis.py",
    "tests/journeys/test_first_",
)
"""Where single tests take seconds, the longest first."""


def pytest_configure() -> None:
    """Let made-up cases be the same whatever modules were loaded before.

    Hypothesis would sprinkle them with constants that it finds in our own.
    """
    none = providers._local_constants  # noqa: SLF001 - there is no setting for it
    providers._get_local_constants = lambda: none  # noqa: SLF001 - there is no setting for it
    # Where many tests and others share the machine, making up cases takes long and is no fault.
    settings.register_profile(
        "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("unhurried")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no process waits for another at the end."""

    def place(item: pytest.Item) -> int:
        found = (number for number, name in enumerate(LONG) if item.nodeid.startswith(name))
        return next(found, len(LONG))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests, which stay to the end anyway."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in the event loop of its fixtures."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames  # noqa: SLF001 - the only place pytest keeps them
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    held = pyfuncitem.funcargs["runner"]
    assert isinstance(held, asyncio.Runner), "the fixture below"
    held.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Take back what a command of one test set for the logs of its whole process."""
    before = logging.root.handlers[:], logging.root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        logging.root.handlers[:], logging.root.level = before


@pytest.fixture(autouse=True)
def runner() -> Iterator[asyncio.Runner]:
    """Hold the event loop of one test; nothing is made before it is first used."""
    with asyncio.Runner() as held:
        yield held


@pytest.fixture
def at() -> datetime:
    """Return the instant at which most tests take place."""
    return datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of the server that all test processes of this run share."""
    shared = tmp_path_factory.getbasetemp()
    if hasattr(tmp_path_factory, "_basetemp") and shared.name.startswith("popen-"):
        shared = shared.parent
    with test_server(shared) as url:
        yield url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """Yield the address of a fresh database with all migrations."""
    url = create_database(postgres_url)
    yield url
    drop_database(postgres_url, url)


@pytest.fixture
def database(runner: asyncio.Runner, database_url: str) -> Iterator[Engine]:
    """Yield an open engine on a fresh database, bound to all tables."""
    engine = runner.run(open_database(database_url, apps=APPS, pool_size=10))
    yield engine
    runner.run(engine.close())
