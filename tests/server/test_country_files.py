"""An operator's own terms of countries, read from files: whole ones, and some like another's."""

from pathlib import Path

import pytest

from billing.plans.countries import shipped
from server import country_files
from server.exits import Stopped


def test_a_country_may_be_like_another_by_its_own_clock(tmp_path: Path) -> None:
    (tmp_path / "AL.yaml").write_text("country: AL\nlike: EU\ntimezone: Europe/Tirane\n")
    terms = shipped().over(country_files.read(tmp_path)).of("AL")
    assert (terms.zone.key, terms.withdrawal_days) == ("Europe/Tirane", 14)


def test_what_is_wrong_is_told_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "AL.yaml").write_text("country: AL\nlike: FI\ntimezone: Europe/Nowhere\n")
    (tmp_path / "XK.yaml").write_text("country: XK\nlike: EU\nzone: Europe/Tirane\n")
    with pytest.raises(Stopped) as stopped:
        country_files.read(tmp_path)
    said = str(stopped.value)
    assert "AL.yaml: line 2" in said
    assert "FI has no terms of its own; write EU" in said
    assert "AL.yaml: line 3" in said
    assert "XK.yaml: line 3" in said
