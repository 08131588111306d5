"""Conventions as functions: each takes a source and returns what is wrong with it, in sentences."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

LONGEST_FILE_LINES = 400
LONGEST_FUNCTION_LINES = 60

KERNEL = {
    *("settings", "database", "embedded_postgres", "money", "ids", "clock", "errors", "identity"),
    *("idempotency", "outbox", "jobs", "web", "locale"),
}
VAGUE_NAMES = {
    *("utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "managers"),
}

_SQL = re.compile(r"\b(select|insert|update|delete|create|alter|values|where|set)\b", re.IGNORECASE)
_NOT_IN_SQL = {
    "asks the database for the time": re.compile(
        r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\("
        r"|\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b",
        re.IGNORECASE,
    ),
    "makes up a value in the database": re.compile(
        r"\b(gen_random_uuid|uuidv7|uuidv4|random)\s*\(", re.IGNORECASE
    ),
    "makes a trigger": re.compile(
        r"\bcreate\s+(or\s+replace\s+)?(constraint\s+)?trigger\b", re.IGNORECASE
    ),
    "defers a constraint": re.compile(r"\b(deferrable|initially\s+deferred)\b", re.IGNORECASE),
    "takes an advisory lock": re.compile(r"\bpg_(try_)?advisory_\w+", re.IGNORECASE),
    "merges": re.compile(r"\bmerge\s+into\b", re.IGNORECASE),
}
_EXCUSE = re.compile(
    r"#\s*(noqa|type:\s*ignore|pragma|pyright|mypy|nosec)\b(?P<rest>[^#]*)(?P<more>#.*)?"
)


def length_complaints(text: str) -> list[str]:
    """Name a file that has more lines than a reader holds."""
    lines = len(text.splitlines())
    return [f"has {lines} lines"] if lines > LONGEST_FILE_LINES else []


def function_complaints(tree: ast.Module) -> list[str]:
    """Name each function that does not fit a screen."""
    return [
        f"{node.name} (line {node.lineno}) has {lines} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION_LINES
    ]


def name_complaints(parts: tuple[str, ...]) -> list[str]:
    """Name a module or package whose name says nothing, or a kernel module outside its list."""
    names = [part.removesuffix(".py") for part in parts]
    complaints = [f"the name {name!r} says nothing" for name in names if name in VAGUE_NAMES]
    if names[:2] == ["coalition", "kernel"] and names[2] not in KERNEL | {"__init__"}:
        complaints.append(f"the kernel is a closed list without {names[2]!r}")
    return complaints


def sql_complaints(tree: ast.Module, *, may_lock: bool = False) -> list[str]:
    """Name each statement that reads a clock or leans on what does not scale out.

    `may_lock` is for the one place that runs migrations: they come once, under an advisory lock.
    """
    return [
        f"line {line}: the SQL {what}"
        for line, text in _strings(tree)
        if _SQL.search(text)
        for what, pattern in _NOT_IN_SQL.items()
        if pattern.search(text) and not (may_lock and what == "takes an advisory lock")
    ]


def sleep_complaints(tree: ast.Module) -> list[str]:
    """Name each place where a test waits for time to pass instead of for what it needs.

    `sleep(0)` only lets other tasks take their turn, and a pause in `while not CONDITION` is how to
    wait for a process that tells nobody when it is there.
    """
    polling = {
        id(inner)
        for loop in ast.walk(tree)
        if isinstance(loop, ast.While) and isinstance(loop.test, ast.UnaryOp)
        for inner in ast.walk(loop)
    }
    return [
        f"line {node.lineno}: sleeps"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] == "sleep"
        and [ast.unparse(argument) for argument in node.args] != ["0"]
        and id(node) not in polling
    ]


def skip_complaints(tree: ast.Module) -> list[str]:
    """Name each test that is left out or expected to fail."""
    left_out = {"skip", "skipif", "xfail", "importorskip"}
    return [
        f"line {node.lineno}: leaves a test out by {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in left_out
        and ast.unparse(node.value) in {"pytest", "pytest.mark"}
    ]


def excuse_complaints(text: str) -> list[str]:
    """Name each line that silences a tool without saying why."""
    return [
        f"line {token.start[0]}: silences a tool without a reason"
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
        and (excuse := _EXCUSE.match(token.string))
        and not _has_reason(excuse["rest"], excuse["more"])
    ]


def _has_reason(rest: str, more: str | None) -> bool:
    """Tell whether words follow the codes: `[code]  # why` or `: CODE - why`."""
    after_codes = re.sub(r"^\s*:?\s*(\[[\w\-, ]+\]|[A-Z]+\d+(,\s*[A-Z]+\d+)*|no cover)?", "", rest)
    return re.search(r"[A-Za-z]{3,}", f"{after_codes} {more or ''}") is not None


def _strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string but docstrings; of f-strings what is fixed."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            fixed = [part.value for part in node.values if isinstance(part, ast.Constant)]
            yield node.lineno, " ".join(str(part) for part in fixed)
        elif id(node) in documentation | inside:
            continue
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
