"""Reads rule files: YAML or JSON, with every problem at its line."""

from pathlib import Path

import msgspec
import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.points.bonuses.checking import Known, complaints, settled
from coalition.points.bonuses.documents import RuleDocument
from server import documents
from server.documents import BadDocumentError, Problem
from server.exits import WRONG_INPUT, Stopped

Problems = list[tuple[Path, tuple[Problem, ...]]]

files_argument = click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
file_argument = click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)


def judged(path: Path, catalogue: Catalogue) -> tuple[RuleDocument | None, tuple[Problem, ...]]:
    """Return the settled document in the file, or everything that is wrong with it."""
    try:
        node = documents.read_file(path)
        document = documents.convert(node, RuleDocument)
    except BadDocumentError as bad:
        return None, bad.problems
    known = Known.of(catalogue)
    found = complaints(document, known)
    if found:
        problems = sorted(node.problem(where, text) for where, text in found)
        return None, tuple(problems)
    return settled(document, known), ()


def right(path: Path, catalogue: Catalogue) -> RuleDocument:
    """Return the settled document in the file; ends the command when it is not right."""
    document, problems = judged(path, catalogue)
    if document is None:
        said = "\n".join(str(problem) for problem in problems)
        raise Stopped(f"{path} is no rule, so nothing was done:\n{said}", exit_code=WRONG_INPUT)
    return document


def problem_rows(found: Problems) -> list[dict[str, object]]:
    """Return the problems of several files as rows."""
    return [
        {"file": str(path), **msgspec.structs.asdict(problem)}
        for path, problems in found
        for problem in problems
    ]
