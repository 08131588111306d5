"""The rule sets that are shipped: published schemes, each a file named by its key.

They are read once and kept. Naming one binds nothing: it is proposed and approved as any other.
"""

import functools
import re
from importlib import resources
from typing import Any, Final

import msgspec
import yaml

from coalition.families.rule_sets.countries import resolved
from coalition.families.rule_sets.notation import RuleSet

_SHIPPED = resources.files("coalition.families.rule_sets") / "presets"


class _Core(yaml.SafeLoader):
    """Reads YAML as version 1.2 has it: `on` is a key, and days are text."""


_Core.yaml_implicit_resolvers = {}
_TAGS: Final = (
    ("bool", r"^(true|false)$", "tf"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("null", r"^(null|~)$", "n~"),
)
for _name, _pattern, _first in _TAGS:
    _Core.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), list(_first))


@functools.cache
def names() -> tuple[str, ...]:
    """Return the names of all presets, in order."""
    files = [file.name for file in _SHIPPED.iterdir() if file.name.endswith(".yaml")]
    return tuple(sorted(name.removesuffix(".yaml") for name in files))


@functools.cache
def document(name: str) -> RuleSet:
    """Return a preset as it is written, to be shown and proposed. Raises KeyError."""
    if name not in names():
        raise KeyError(name)
    read: Any = yaml.load(text(name), Loader=_Core)  # noqa: S506 - a SafeLoader with fewer tags
    return msgspec.convert(read, RuleSet)


@functools.cache
def rule_set(name: str) -> RuleSet:
    """Return a preset as acts are judged by it: countries by code alone. Raises KeyError."""
    return resolved(document(name))


def text(name: str) -> str:
    """Return the file of a preset."""
    return (_SHIPPED / f"{name}.yaml").read_text("utf-8")
