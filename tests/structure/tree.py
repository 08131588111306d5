"""Finds the project's files, so that a convention can be held against all of them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Everything at the top that is a Python package and part of the product.
PRODUCT = ("coalition", "partners", "billing", "pages", "admin_ui", "member_ui", "server")

_NOT_OURS = {"data", "dist", "build", "node_modules", "__pycache__"}
_TEXT = {".py", ".sql", ".md", ".toml", ".lock", ".yml", ".yaml", ".html", ".css", ".json", ".txt"}
_NAMED_TEXT = {"Dockerfile", ".dockerignore", ".gitignore", "run"}


def text_files() -> list[Path]:
    """Return every text file of the project, sorted."""
    return sorted(path for path in _walk(ROOT) if path.suffix in _TEXT or path.name in _NAMED_TEXT)


def python_files() -> list[Path]:
    """Return every Python file of the project, sorted."""
    return [path for path in text_files() if path.suffix == ".py"]


def product_files() -> list[Path]:
    """Return the Python files that the product is made of, without tests, benchmarks and tools."""
    return [path for path in python_files() if path.relative_to(ROOT).parts[0] in PRODUCT]


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """Return a file's name as a reader knows it: from the project's root."""
    return path.relative_to(ROOT).as_posix()


def _walk(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        hidden = path.name.startswith(".") and path.name not in {".ci", *_NAMED_TEXT}
        if hidden or path.is_symlink():
            continue
        if not path.is_dir():
            yield path
        elif path.name not in _NOT_OURS:
            yield from _walk(path)
