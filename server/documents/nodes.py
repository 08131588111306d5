"""What was read from a file: values that know on which line they stand, and what is wrong there."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
Path = tuple[str | int, ...]


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong: the line (from 1), the key as `steps[2].points`, and the remedy."""

    line: int
    key: str
    text: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"line {self.line}: {self.key}: {self.text}" if self.key else self.at_line()

    def at_line(self) -> str:
        """Say it without a key, for what concerns no single one."""
        return f"line {self.line}: {self.text}"


class BadDocumentError(Exception):
    """A file is not valid; nothing was done with it. `problems` are in the order of lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems, each once."""
        self.problems = tuple(sorted(set(problems)))
        assert self.problems, "a bad document has a problem"
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class Node:
    """A value with its place: a scalar, a list of nodes or nodes by key."""

    line: int
    value: "Scalar | list[Node] | dict[str, Node]"
    text: str | None = None
    """A scalar as it stands in the file."""
    key_lines: dict[str, int] = field(default_factory=dict)
    size: int = 1
    """How many nodes there are in it, each alias counted in full."""

    def plain(self) -> Plain:
        """Return the same without lines, as JSON would have it."""
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value

    def line_of(self, path: Path) -> int:
        """Return the line of what `path` leads to, or of the nearest thing on the way there."""
        node, line = self, self.line
        for step in path:
            if isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
                line, node = node.key_lines[step], node.value[step]
            elif (
                isinstance(node.value, list)
                and isinstance(step, int)
                and 0 <= step < len(node.value)
            ):
                node = node.value[step]
                line = node.line
            else:
                break
        return line

    def problem(self, path: Path, text: str) -> Problem:
        """Return a problem of what `path` leads to, for rules that types cannot say."""
        return Problem(self.line_of(path), path_text(path), text)


def path_text(path: Path) -> str:
    """Return a path as people write it: `steps[2].points`."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            written += f".{step}" if written else step
    return written
