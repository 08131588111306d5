"""Loads a story: reads it, and finds everything that is wrong with it before anything runs."""

from collections.abc import Iterator
from typing import Final

from server import documents
from server.documents import BadDocumentError, Node, Problem
from server.documents.nodes import Path
from server.scenario import references, sense, steps, story
from server.scenario.story import Story

_VERB: Final = "do"


def load(content: bytes) -> Story:
    """Return the story in `content`. Raises `BadDocumentError` with every problem found."""
    node = documents.read(content)
    problems = [*_later(node), *references.problems(node)]
    try:
        told = documents.convert(node, Story)
    except BadDocumentError as bad:
        # What is known to come later is named as such, and not as unknown as well.
        named = {(problem.line, problem.key) for problem in problems}
        others = [found for found in bad.problems if (found.line, found.key) not in named]
        raise BadDocumentError([*problems, *others]) from None
    problems += sense.problems(told, node)
    if problems:
        raise BadDocumentError(problems)
    return told


def _later(node: Node) -> Iterator[Problem]:
    """Name the fields and verbs that belong to packages which are not there yet."""
    for pattern, fields in story.LATER.items():
        for path, found in _matching(node, pattern, ()):
            for key in found.key_lines:
                if key in fields:
                    text = f"is not there yet: it comes with {fields[key]}; leave it out"
                    yield node.problem((*path, key), text)
    for path, verb in _matching(node, ("steps", "*", _VERB), ()):
        if verb.value in steps.LATER:
            yield node.problem(path, f"{verb.value} is not there yet; leave the step out")


def _matching(node: Node, pattern: Path, path: Path) -> Iterator[tuple[Path, Node]]:
    """Find the nodes that `pattern` leads to; `*` stands for any key or position."""
    if not pattern:
        yield path, node
        return
    first, *rest = pattern
    if isinstance(node.value, dict):
        for key, found in node.value.items():
            if first in {"*", key}:
                yield from _matching(found, tuple(rest), (*path, key))
    elif isinstance(node.value, list) and first == "*":
        for position, item in enumerate(node.value):
            yield from _matching(item, tuple(rest), (*path, position))
