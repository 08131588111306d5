"""Shows that the layers in pyproject.toml let the right imports through and stop the wrong ones."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure.tree import ROOT

# One small file for each place that the arrows speak of.
PLACES = (
    "server/app",
    "partners/pos/service",
    "partners/batches/service",
    "partners/keys/service",
    *(
        f"coalition/{name}/service"
        for name in ("points", "messages", "members", "access", "federation")
    ),
    *(f"coalition/families/{name}/service" for name in ("groups", "transfers")),
    "coalition/families/evaluator/limits",
    *(f"billing/{name}/service" for name in ("subscriptions", "benefits", "gateway", "plans")),
    "billing/gateway/client",
    "billing/sandbox/contract",
    "member_ui/wallet",
    "pages/forms",
    "coalition/ledger/api",
    "coalition/ledger/service",
    "coalition/ledger/queries",
    "coalition/ledger/rules",
    "coalition/ledger/tables",
    "coalition/oversight/service",
    "coalition/kernel/clock",
    "coalition/kernel/database",
    "coalition/kernel/money",
)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return an empty house with our arrows and every room in it."""
    for place in PLACES:
        write(tmp_path, place, "")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_what_points_down_is_let_through(house: Path) -> None:
    write(house, "server/app", "import partners.pos.service, coalition.points.service")
    write(house, "partners/pos/service", "import coalition.ledger.service")
    write(house, "coalition/points/service", "import coalition.members.service")
    write(house, "coalition/ledger/api", "import coalition.ledger.service, litestar")
    write(house, "coalition/ledger/rules", "import coalition.kernel.money")
    write(house, "coalition/families/groups/service", "import coalition.families.transfers.service")
    write(house, "billing/subscriptions/service", "import billing.benefits.service")
    write(house, "billing/gateway/client", "import stripe")
    write(house, "billing/sandbox/contract", "import stripe")
    write(house, "member_ui/wallet", "import billing.subscriptions.service, pages.forms")
    done = lint(house)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("place", "imported"),
    [
        ("coalition/points/service", "partners.pos.service"),
        ("partners/pos/service", "server.app"),
        ("partners/pos/service", "partners.keys.service"),
        ("coalition/ledger/service", "coalition.federation.service"),
        ("coalition/kernel/clock", "coalition.oversight.service"),
        ("coalition/ledger/service", "coalition.ledger.api"),
        ("coalition/ledger/rules", "coalition.ledger.queries"),
        ("coalition/ledger/rules", "coalition.kernel.database"),
        ("coalition/ledger/rules", "asyncpg"),
        ("partners/pos/service", "stripe"),
        ("coalition/families/transfers/service", "coalition.families.groups.service"),
        ("coalition/families/evaluator/limits", "coalition.kernel.database"),
        ("billing/benefits/service", "billing.subscriptions.service"),
        ("billing/gateway/client", "billing.sandbox.contract"),
        ("billing/sandbox/contract", "coalition.kernel.money"),
        ("billing/subscriptions/service", "partners.pos.service"),
        ("billing/subscriptions/service", "stripe"),
        ("pages/forms", "member_ui.wallet"),
        ("coalition/members/service", "tests.support"),
        ("coalition/ledger/service", "duckdb"),
    ],
)
def test_what_points_up_or_sideways_or_outside_is_stopped(
    house: Path, place: str, imported: str
) -> None:
    write(house, place, f"import {imported}")
    done = lint(house)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout


def test_a_package_that_nobody_placed_is_stopped(house: Path) -> None:
    write(house, "coalition/extras/service", "")
    assert lint(house).returncode == 1


def write(house: Path, place: str, text: str) -> None:
    """Write a module and make packages of the folders above it."""
    path = house / f"{place}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    for folder in path.relative_to(house).parents[:-1]:
        (house / folder / "__init__.py").touch()


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter as the check command does."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"], cwd=house, capture_output=True, text=True, check=False
    )
