"""What is wrong at one place of a rule set, and how checks say it."""

from collections.abc import Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]


class Complaint(NamedTuple):
    """What is wrong at one place of a document, and what would be right."""

    path: Path
    text: str


Said = Iterator[Complaint]


def said(*judged: tuple[bool, Path, str]) -> Said:
    """Yield a complaint for each (whether it is so, where, what would be right) that is so."""
    for is_wrong, path, text in judged:
        if is_wrong:
            yield Complaint(path, text)
