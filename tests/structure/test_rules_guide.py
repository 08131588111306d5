"""Runs the commands of the guide on earning rules; what they print is what the guide shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coalition.kernel import embedded_postgres
from tests.server.processes import within
from tests.structure import tree
from tests.structure.plain_guide import assert_played

GUIDE = tree.ROOT / "docs" / "guides" / "earning-rules.md"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Yield a data directory with the partner of the guide."""
    directory = tmp_path / "data"
    assert within("partner", "create", "--name", "Corner Shop", "--data", directory).status == 0
    with embedded_postgres.start(directory):
        yield directory


def test_every_command_of_the_guide_on_rules_prints_what_it_shows(
    data: Path, tmp_path: Path
) -> None:
    assert_played(GUIDE, data=data, folder=tmp_path, files=2)
