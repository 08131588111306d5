"""Runs the commands of the guide on rule sets; what they print is what the guide shows."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from coalition.families.rule_sets import notation as rule_sets
from coalition.kernel import embedded_postgres
from tests.server.processes import within
from tests.server.test_member import enrolled
from tests.structure import tree
from tests.structure.plain_guide import assert_played

GUIDE = tree.ROOT / "docs" / "guides" / "rule-sets.md"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Yield a data directory with the partner and the two members of the guide."""
    directory = tmp_path / "data"
    assert within("partner", "create", "--name", "Corner Shop", "--data", directory).status == 0
    with embedded_postgres.start(directory):
        enrolled(directory, "97520001")
        enrolled(directory, "97520002")
        yield directory


def test_every_command_of_the_guide_on_rule_sets_prints_what_it_shows(
    data: Path, tmp_path: Path
) -> None:
    assert_played(GUIDE, data=data, folder=tmp_path, files=3)


def test_the_guide_tells_of_every_key() -> None:
    told = set(re.findall(r"`([a-z_]+)`", GUIDE.read_text("utf-8")))
    for name, part in vars(rule_sets).items():
        if isinstance(part, type) and issubclass(part, msgspec.Struct) and not name.startswith("_"):
            fields = {field.encode_name for field in msgspec.structs.fields(part)}
            assert fields - told == set(), name
