"""However a name is written, the second person is not the first."""

import click
import pytest

from server.commands.second_person import PersonName


@pytest.mark.parametrize(
    "written",
    [
        "anna",
        " ANNA ",
        "staff:anna",
        "staff: anna",
        "Staff:staff:Anna",
        "\uff21\uff4e\uff4e\uff41",  # of full width
        "anna\u3000",
    ],
)
def test_a_name_is_one_person_however_it_is_written(written: str) -> None:
    assert PersonName().convert(written, None, None) == "staff:anna"


@pytest.mark.parametrize("written", ["Änna Öberg", "Анна", "Άννα", "安娜", "anna-2", "O'Neill"])
def test_names_of_any_script_are_names(written: str) -> None:
    assert PersonName().convert(written, None, None) == f"staff:{written.casefold()}"


@pytest.mark.parametrize(
    "written",
    [
        "\u0430nna",  # begins with a Cyrillic letter
        "ann\u03b1",  # ends with a Greek one
        "anna\u200b",
        "an\u00adna",
        "staff:",
        "",
        "a" * 101,
    ],
)
def test_what_only_looks_like_a_name_is_none(written: str) -> None:
    with pytest.raises(click.BadParameter):
        PersonName().convert(written, None, None)
