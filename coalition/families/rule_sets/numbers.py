"""The numbers of a rule set by their paths (`transfer.max`), and rule sets with others there.

A path is that of the keys in the document. Limits are found by their names
(`limits.sender.amount.calendar_year` is the most of that one), members of other lists by their
position from 0 (`fees.0.money.amount_minor`).
"""

import functools
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from coalition.families.rule_sets.notation import Limit, RuleSet


class NoSuchNumberError(Exception):
    """A path leads to no number of the rule set; the message says what there is."""


def replaced(rule_set: RuleSet, numbers: Mapping[str, int | None]) -> RuleSet:
    """Return the rule set with these numbers; None asks for nothing there, and drops a limit.

    Bounds are not looked at, see `validated`. Raises `NoSuchNumberError`.
    """
    for path, number in numbers.items():
        keys = path.split(".")
        if keys[0] == "limits":
            limits = _limits(rule_set.limits, ".".join(keys[1:]), number)
            rule_set = msgspec.structs.replace(rule_set, limits=limits)
        else:
            rule_set = _put(rule_set, keys, path, number)
    return rule_set


def validated(rule_set: RuleSet) -> RuleSet:
    """Return the rule set, its numbers in their bounds. Raises `msgspec.ValidationError`."""
    return msgspec.convert(msgspec.to_builtins(rule_set), RuleSet)


def _limits(limits: tuple[Limit, ...], name: str, number: int | None) -> tuple[Limit, ...]:
    if all(one.name != name for one in limits):
        known = ", ".join(f"limits.{one.name}" for one in limits) or "none"
        raise NoSuchNumberError(f"there is no limit limits.{name}; there are: {known}")
    return tuple(
        one if one.name != name or number is None else msgspec.structs.replace(one, max=number)
        for one in limits
        if one.name != name or number is not None
    )


# Any: parts of a rule set are Structs and tuples of many types, told apart by what they have.
def _put(part: Any, keys: Sequence[str], path: str, number: int | None) -> Any:
    key, *rest = keys
    if isinstance(part, tuple):
        position = int(key) if key.isdecimal() and int(key) < len(part) else None
        if position is None:
            text = f"{path} leads to no number; there are {len(part)} there, counted from 0"
            raise NoSuchNumberError(text)
        changed = _put(part[position], rest, path, number) if rest else _set(int, path, number)
        return (*part[:position], changed, *part[position + 1 :])
    if isinstance(part, dict):
        if key not in part or not rest:
            raise NoSuchNumberError(_none(path, part))
        return part | {key: _put(part[key], rest, path, number)}
    fields = _fields(part.__class__)
    if key not in fields:
        raise NoSuchNumberError(_none(path, fields))
    if not rest:
        return msgspec.structs.replace(part, **{key: _set(fields[key], path, number)})
    below = getattr(part, key)
    below = _made(fields[key], path) if below is None else below
    if not isinstance(below, msgspec.Struct | tuple | dict):
        raise NoSuchNumberError(f"{path} leads to no number; {key} has nothing in it")
    return msgspec.structs.replace(part, **{key: _put(below, rest, path, number)})


def _set(wanted: Any, path: str, number: int | None) -> int | str | None:
    """Return what stands for `number` in a field of that type."""
    types = _of_union(wanted)
    if int in types:
        return 0 if number is None and type(None) not in types else number
    if path.endswith(".percent") and path.startswith("fees."):
        return "0" if number is None else str(number)
    raise NoSuchNumberError(f"{path} is no number")


def _made(wanted: Any, path: str) -> msgspec.Struct:
    """Return a part that asks for nothing yet, where the rule set has none."""
    for kind in _of_union(wanted):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            needed = [field.name for field in msgspec.structs.fields(kind) if field.required]
            if not needed:
                return kind()
            raise NoSuchNumberError(f"{path}: write {', '.join(needed)} there in the rule set")
    raise NoSuchNumberError(f"{path} leads to no number")


@functools.cache
def _fields(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _of_union(wanted: Any) -> tuple[Any, ...]:
    plain = typing.get_args(wanted)
    return plain if plain and type(None) in plain else (wanted,)


def _none(path: str, known: Mapping[str, object]) -> str:
    return f"{path} leads to no number; there are: {', '.join(sorted(known)) or 'none'}"
