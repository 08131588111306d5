"""Holds the conventions against every file, and shows of each that it can fail."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.structure import conventions, tree

MIGRATION_LOCK = Path("coalition/kernel/database/migrations.py")
REAL_STRIPE = Path("tests/billing/journeys/test_real_stripe.py")

FROM_TEXT: dict[str, Callable[[str], list[str]]] = {
    "length": conventions.length_complaints,
    "excuse": conventions.excuse_complaints,
}
FROM_TREE: dict[str, Callable[[ast.Module], list[str]]] = {
    "function": conventions.function_complaints,
    "sql": conventions.sql_complaints,
    "sleep": conventions.sleep_complaints,
    "skip": conventions.skip_complaints,
}


def test_no_file_is_longer_than_a_reader_holds() -> None:
    assert complaints_of(tree.python_files(), FROM_TEXT["length"]) == []


def test_no_tool_is_silenced_without_a_reason() -> None:
    assert complaints_of(tree.python_files(), FROM_TEXT["excuse"]) == []


def test_every_function_fits_a_screen() -> None:
    assert tree_complaints_of(tree.python_files(), FROM_TREE["function"]) == []


def test_no_module_has_a_name_that_says_nothing_and_the_kernel_is_a_closed_list() -> None:
    complaints = [
        f"{tree.shown(path)}: {complaint}"
        for path in tree.python_files()
        for complaint in conventions.name_complaints(path.relative_to(tree.ROOT).parts)
    ]
    assert complaints == []


def test_sql_reads_no_clock_and_leans_on_nothing_that_does_not_scale_out() -> None:
    elsewhere = [path for path in tree.product_files() if path != tree.ROOT / MIGRATION_LOCK]
    assert tree_complaints_of(elsewhere, FROM_TREE["sql"]) == []


def test_the_migration_lock_is_the_only_exception() -> None:
    source = tree.parsed(tree.ROOT / MIGRATION_LOCK)
    assert conventions.sql_complaints(source, may_lock=True) == []


def test_no_test_is_left_out_but_those_that_need_a_key_of_the_real_stripe() -> None:
    elsewhere = [path for path in files_of_tests() if path != tree.ROOT / REAL_STRIPE]
    assert tree_complaints_of(elsewhere, FROM_TREE["skip"]) == []
    assert len(conventions.skip_complaints(tree.parsed(tree.ROOT / REAL_STRIPE))) == 1


def test_no_test_sleeps_but_where_processes_are_killed_in_real_time() -> None:
    faults = tree.ROOT / "tests/faults"
    elsewhere = [path for path in files_of_tests() if not path.is_relative_to(faults)]
    assert tree_complaints_of(elsewhere, FROM_TREE["sleep"]) == []


BAD_TEXT = {
    "length": "x = 1\n" * 401,
    "excuse": "import os  # noqa: F401\n",
}
GOOD_TEXT = {
    "length": "x = 1\n" * 400,
    "excuse": "import os  # noqa: F401 - for a plug-in\nx = 1  # type: ignore[arg]  # no stubs\n",
}
BAD_SOURCE = {
    "function": "def long():\n" + "    x = 1\n" * 60,
    "sql": "query = 'SELECT * FROM lot WHERE expires_at < now()'\n",
    "sleep": "while True:\n    time.sleep(1)\n",
    "skip": "@pytest.mark.skip\ndef test_nothing(): ...\n",
}
GOOD_SOURCE = {
    "function": "def short():\n" + "    x = 1\n" * 59,
    "sql": '"""Select what expires now()."""\nquery = "SELECT * FROM lot WHERE expires_at < $1"\n',
    "sleep": "await asyncio.sleep(0)\nwhile not server.is_there():\n    time.sleep(0.1)\n",
    "skip": "@pytest.mark.parametrize('a', [1])\ndef test_something(a): ...\n",
}


@pytest.mark.parametrize("convention", FROM_TEXT)
def test_each_convention_on_text_can_fail_and_can_hold(convention: str) -> None:
    assert FROM_TEXT[convention](BAD_TEXT[convention])
    assert FROM_TEXT[convention](GOOD_TEXT[convention]) == []


@pytest.mark.parametrize("convention", FROM_TREE)
def test_each_convention_on_syntax_can_fail_and_can_hold(convention: str) -> None:
    assert FROM_TREE[convention](ast.parse(BAD_SOURCE[convention]))
    assert FROM_TREE[convention](ast.parse(GOOD_SOURCE[convention])) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lot SET at = current_timestamp",
        "INSERT INTO posting (id) VALUES (gen_random_uuid())",
        "CREATE TRIGGER each_row AFTER INSERT ON posting",
        "ALTER TABLE lot ADD CONSTRAINT x UNIQUE (id) DEFERRABLE INITIALLY DEFERRED",
        "SELECT pg_advisory_xact_lock($1)",
        "MERGE INTO lot USING new ON true WHEN MATCHED THEN UPDATE SET a = 1",
    ],
)
def test_each_thing_refused_in_sql_is_seen_also_in_an_f_string(statement: str) -> None:
    assert conventions.sql_complaints(ast.parse(f"query = {statement!r}"))
    assert conventions.sql_complaints(ast.parse(f"query = f{statement + ' {table}'!r}"))


@pytest.mark.parametrize(
    ("name", "is_refused"),
    [
        ("partners/utils.py", True),
        ("coalition/common/prices.py", True),
        ("coalition/kernel/cache.py", True),
        ("coalition/kernel/web/metrics.py", False),
        ("coalition/kernel/__init__.py", False),
        ("coalition/ledger/rules.py", False),
    ],
)
def test_names_are_judged_by_every_part(name: str, *, is_refused: bool) -> None:
    assert bool(conventions.name_complaints(Path(name).parts)) is is_refused


def files_of_tests() -> list[Path]:
    """Return every Python file of the tests."""
    return [path for path in tree.python_files() if path.is_relative_to(tree.ROOT / "tests")]


def complaints_of(files: list[Path], convention: Callable[[str], list[str]]) -> list[str]:
    """Return what a convention says of the text of some files."""
    return [
        f"{tree.shown(path)}: {complaint}"
        for path in files
        for complaint in convention(path.read_text("utf-8"))
    ]


def tree_complaints_of(
    files: list[Path], convention: Callable[[ast.Module], list[str]]
) -> list[str]:
    """Return what a convention says of the syntax of some files."""
    return [
        f"{tree.shown(path)}: {complaint}"
        for path in files
        for complaint in convention(tree.parsed(path))
    ]
