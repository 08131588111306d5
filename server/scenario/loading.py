"""Loads a story: reads it, and finds everything that is wrong with it before anything runs."""

from collections.abc import Iterator
from typing import Final

from coalition.families.rule_sets.documents import PresetUse
from coalition.families.rule_sets.notation import RuleSet
from server import documents
from server.documents import BadDocumentError, Node, Problem
from server.documents.nodes import Path, path_text
from server.scenario import references, sense, steps
from server.scenario.family_steps import RuleSetStep
from server.scenario.staff_steps import Rules
from server.scenario.story import Story

_VERB: Final = "do"


def load(content: bytes) -> Story:
    """Return the story in `content`. Raises `BadDocumentError` with every problem found."""
    node = documents.read(content)
    _name_versions_of_rule_sets(node)
    misshapen = [*_rule_sets(node)]
    problems = [*_later(node), *references.problems(node), *misshapen]
    try:
        told = documents.convert(node, Story)
    except BadDocumentError as bad:
        # What is known to come later is named as such, and not as unknown as well.
        named = {(problem.line, problem.key) for problem in problems}
        others = [found for found in bad.problems if (found.line, found.key) not in named]
        raise BadDocumentError([*problems, *others]) from None
    if not misshapen:  # what rules say can be judged once they are rules
        problems += sense.problems(told, node)
    if problems:
        raise BadDocumentError(problems)
    return told


def _later(node: Node) -> Iterator[Problem]:
    """Name the verbs that belong to packages which are not there yet."""
    for path, verb in _matching(node, ("steps", "*", _VERB), ()):
        if verb.value in steps.LATER:
            yield node.problem(path, f"{verb.value} is not there yet; leave the step out")


def _name_versions_of_rule_sets(node: Node) -> None:
    """Tell apart what the verb `rules` changes: with a name it is a rule set, else earning."""
    for _, step in _matching(node, ("steps", "*"), ()):
        if isinstance(step.value, dict) and "name" in step.value:
            verb = step.value.get(_VERB)
            if verb is not None and verb.value == Rules.__struct_config__.tag:
                verb.value = verb.text = str(RuleSetStep.__struct_config__.tag)


def _rule_sets(node: Node) -> Iterator[Problem]:
    """Find what is wrong with each rule set by itself, at its own lines."""
    written = [*_matching(node, ("rule_sets", "*"), ())]
    for path, step in _matching(node, ("steps", "*"), ()):
        if isinstance(step.value, dict) and step.value.get(_VERB, step).value == "rule_set":
            rules = step.value.get("rules")
            written += [((*path, "rules"), rules)] if rules is not None else []
    for path, found in written:
        kind = PresetUse if isinstance(found.value, dict) and "preset" in found.value else RuleSet
        try:
            documents.convert(found, kind)
        except BadDocumentError as bad:
            where = path_text(path)
            for problem in bad.problems:
                key = f"{where}.{problem.key}" if problem.key else where
                yield Problem(problem.line, key, problem.text)


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
