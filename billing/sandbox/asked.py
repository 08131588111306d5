"""What Stripe would refuse in the parameters of a request, by its own definitions of them."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.sandbox.definitions import Atom, Either, Fields, Many, Type, Words
from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid

_WHOLE = re.compile(r"-?\d+")


def refusals(expected: Fields, values: Document, within: str = "") -> Iterator[Invalid]:
    """Yield why Stripe would refuse the parameters; `within` is the name of a nested part."""
    for name, value in values.items():
        full = f"{within}[{name}]" if within else name
        if name not in expected.fields:
            yield Invalid(
                f"Received unknown parameter: {full}", param=full, code="parameter_unknown"
            )
        else:
            yield from _wrong(expected.fields[name], value, full)
    for name in sorted(expected.required - values.keys()):
        full = f"{within}[{name}]" if within else name
        yield Invalid(f"Missing required param: {full}.", param=full, code="parameter_missing")


def _wrong(expected: Type, value: Any, full: str) -> Iterator[Invalid]:
    match expected:
        case Atom(name):
            yield from _wrong_atom(name, value, full)
        case Words(words):
            if not isinstance(value, str) or value not in words:
                yield _no_such_word(words, full)
        case Either(options):
            yield from _wrong_either(options, value, full)
        case Many():
            yield from _wrong_many(expected, value, full)
        case Fields():
            yield from _wrong_fields(expected, value, full)


def _wrong_atom(name: str, value: Any, full: str) -> Iterator[Invalid]:
    if not _TYPED.get(name, _is_anything)(value):
        words = {"int": "integer", "bool": "boolean", "str": "string"}
        code = "parameter_invalid_integer" if name == "int" else None
        yield Invalid(f"Invalid {words.get(name, 'value')}: {value}", param=full, code=code)


def _wrong_fields(expected: Fields, value: Any, full: str) -> Iterator[Invalid]:
    if isinstance(value, dict):
        yield from refusals(expected, value, full)
    else:
        yield Invalid("Invalid object", param=full)


def _wrong_many(expected: Many, value: Any, full: str) -> Iterator[Invalid]:
    if not isinstance(value, dict if expected.is_map else list):
        yield Invalid("Invalid object" if expected.is_map else "Invalid array", param=full)
        return
    named = value.items() if isinstance(value, dict) else enumerate(value)
    for name, element in named:
        yield from _wrong(expected.inner, element, f"{full}[{name}]")


def _wrong_either(options: tuple[Type, ...], value: Any, full: str) -> Iterator[Invalid]:
    """Judge by the option that was meant: the nested one for a nested value, else the words.

    `Literal["a", "b"] | str` means words of which there may be new ones; those that the package
    knows are those of its version, which is the version that is asked for.
    """
    words = frozenset(word for each in options if isinstance(each, Words) for word in each.words)
    if isinstance(value, dict | list):
        nested = [each for each in options if isinstance(each, Many | Fields)]
        tried = [list(_wrong(each, value, full)) for each in nested]
        if all(tried):
            yield from tried[0] if tried else iter((Invalid("Invalid value", param=full),))
        return
    if value in words:
        return
    atoms = [each for each in options if isinstance(each, Atom)]
    if len(words - {""}) >= 2:
        atoms = [each for each in atoms if each.name != "str"]
    tried = [list(_wrong(each, value, full)) for each in atoms]
    if all(tried):
        yield from tried[0] if tried and not words else iter((_no_such_word(words, full),))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, str | int) and bool(_WHOLE.fullmatch(str(value)))


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value in {"true", "false"})


def is_number(value: Any) -> bool:
    """Tell whether a value is a number, or a text that is one."""
    if isinstance(value, dict | list | bool):
        return False
    try:
        return Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def _is_anything(_value: Any) -> bool:
    return True


_TYPED: dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "int": _is_whole,
    "bool": _is_truth,
    "float": is_number,
    "Decimal": is_number,
}


def _no_such_word(words: frozenset[str], full: str) -> Invalid:
    allowed = ", ".join(sorted(words - {""}))
    return Invalid(f"Invalid {full}: must be one of {allowed}", param=full)
