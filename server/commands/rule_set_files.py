"""Reads rule sets that people name: files with every problem at its line, or presets."""

from pathlib import Path

import msgspec
import rich_click as click

from coalition.families.rule_sets import presets
from coalition.families.rule_sets.documents import PresetUse
from coalition.families.rule_sets.documents import judged as judged_document
from coalition.families.rule_sets.notation import RuleSet
from coalition.federation.catalogue import Catalogue
from coalition.points.bonuses.checking import Known
from server import documents
from server.documents import BadDocumentError, Node, Problem
from server.exits import WRONG_INPUT, Stopped

Problems = list[tuple[str, tuple[Problem, ...]]]

files_argument = click.argument("files", metavar="FILE...", nargs=-1, required=True)
source_argument = click.argument("source", metavar="FILE|PRESET")


def judged(source: str, catalogue: Catalogue | None) -> tuple[RuleSet | None, tuple[Problem, ...]]:
    """Return the rule set in the file or of the preset, or everything that is wrong with it.

    Without a catalogue nothing is said of the partners that it names.
    """
    path = Path(source)
    known = None if catalogue is None else Known.of(catalogue)
    if not path.is_file():
        return _of_preset(source, known), ()
    try:
        node = documents.read_file(path)
        written = written_in(node)
    except BadDocumentError as bad:
        return None, bad.problems
    rule_set, found = judged_document(written, known)
    return rule_set, tuple(sorted(node.problem(where, text) for where, text in found))


def written_in(node: Node) -> RuleSet | PresetUse:
    """Return the rules that a document has, or the preset that it names.

    Raises `BadDocumentError`.
    """
    names_preset = isinstance(node.value, dict) and "preset" in node.value
    if names_preset:
        return documents.convert(node, PresetUse)
    return documents.convert(node, RuleSet)


def right(source: str, catalogue: Catalogue) -> RuleSet:
    """Return the rule set in the file or of the preset; ends the command when it is not right."""
    rule_set, problems = judged(source, catalogue)
    if rule_set is None:
        said = "\n".join(str(problem) for problem in problems)
        text = f"{source} is no rule set, so nothing was done:\n{said}"
        raise Stopped(text, exit_code=WRONG_INPUT)
    return rule_set


def name_of(source: str, name: str | None) -> str:
    """Return the name to keep a rule set under: the given one, else the preset's or the file's."""
    return name or Path(source).stem


def problem_rows(found: Problems) -> list[dict[str, object]]:
    """Return the problems of several files as rows."""
    return [
        {"file": source, **msgspec.structs.asdict(problem)}
        for source, problems in found
        for problem in problems
    ]


def _of_preset(name: str, known: Known | None) -> RuleSet:
    if name not in presets.names():
        text = f"{name} is no file and no preset; presets are: {', '.join(presets.names())}"
        raise Stopped(text, exit_code=WRONG_INPUT)
    rule_set, found = judged_document(PresetUse(preset=name), known)
    assert rule_set is not None, f"a preset is right: {found}"
    return rule_set
