"""Reads the terms of countries that an operator lays over the shipped ones: a file for each."""

from pathlib import Path

from billing.plans.countries.terms import (
    CountryDocument,
    CountryLike,
    Written,
    complaints,
    complaints_of_like,
    shipped_files,
)
from server import documents
from server.documents import BadDocumentError
from server.documents.nodes import Node
from server.exits import WRONG_INPUT, Stopped


def read(directory: Path) -> list[Written]:
    """Return the terms in the `.yaml` files of a directory.

    Raises `Stopped` with every problem of every file, each with its line and remedy.
    """
    found: list[tuple[Path, Node, Written]] = []
    wrong: list[str] = []
    for path in sorted(directory.glob("*.yaml")):
        try:
            node = documents.read_file(path)
            is_like = isinstance(node.value, dict) and "like" in node.value
            written: Written = (
                documents.convert(node, CountryLike)
                if is_like
                else documents.convert(node, CountryDocument)
            )
        except BadDocumentError as bad:
            wrong += [f"{path.name}: {problem}" for problem in bad.problems]
            continue
        found.append((path, node, written))
    every = {one.country: one for one in (*shipped_files(), *(one for _, _, one in found))}
    for path, node, written in found:
        if isinstance(written, CountryLike):
            said_of = complaints_of_like(written, every.values())
        else:
            said_of = complaints(written)
        problems = [node.problem(where, text) for where, text in said_of]
        wrong += [f"{path.name}: {problem}" for problem in problems]
    if wrong:
        said = "\n".join(wrong)
        raise Stopped(f"{directory} has terms that are not right:\n{said}", exit_code=WRONG_INPUT)
    return [written for _, _, written in found]
