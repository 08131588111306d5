"""Reads the terms of countries that an operator lays over the shipped ones: a file for each."""

from pathlib import Path

from billing.plans.countries import CountryDocument
from billing.plans.countries.terms import complaints
from server import documents
from server.documents import BadDocumentError
from server.exits import WRONG_INPUT, Stopped


def read(directory: Path) -> list[CountryDocument]:
    """Return the terms in the `.yaml` files of a directory.

    Raises `Stopped` with every problem of every file, each with its line and remedy.
    """
    found, wrong = [], []
    for path in sorted(directory.glob("*.yaml")):
        try:
            node = documents.read_file(path)
            written = documents.convert(node, CountryDocument)
        except BadDocumentError as bad:
            wrong += [f"{path.name}: {problem}" for problem in bad.problems]
            continue
        problems = [node.problem(where, text) for where, text in complaints(written)]
        wrong += [f"{path.name}: {problem}" for problem in problems]
        found.append(written)
    if wrong:
        said = "\n".join(wrong)
        raise Stopped(f"{directory} has terms that are not right:\n{said}", exit_code=WRONG_INPUT)
    return found
