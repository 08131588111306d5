"""Where an object that the sandbox shows is not as Stripe's own definitions say."""

from collections.abc import Callable, Iterator
from typing import Any

from billing.sandbox.asked import is_number
from billing.sandbox.definitions import (
    Atom,
    Either,
    Fields,
    Many,
    Page,
    Type,
    Words,
    object_type,
)


def complaints_of(document: Any, where: str) -> Iterator[str]:
    """Yield what is wrong with an object that says itself what it is."""
    kind = document.get("object") if isinstance(document, dict) else None
    if kind in {"list", "search_result"}:
        for place, element in enumerate(document["data"]):
            yield from complaints_of(element, f"{where}.data[{place}]")
        return
    if isinstance(kind, str) and kind.startswith("v2."):
        return  # each type of a thin event has fields of its own, which the package spreads out
    expected = object_type(kind) if isinstance(kind, str) else None
    if expected is None:
        yield f"{where} is no object of Stripe's: {kind}"
    else:
        yield from _amiss(expected, document, where)


def _amiss(expected: Type, value: Any, where: str) -> Iterator[str]:
    match expected:
        case Atom() | Words():
            yield from _amiss_plain(expected, value, where)
        case Either(options):
            yield from _amiss_either(options, value, where)
        case Fields():
            yield from _amiss_fields(expected, value, where)
        case Many():
            yield from _amiss_many(expected, value, where)
        case Page(inner):
            yield from _amiss_page(inner, value, where)
        case _:
            yield from complaints_of(value, where)


def _amiss_plain(expected: Atom | Words, value: Any, where: str) -> Iterator[str]:
    if isinstance(expected, Atom):
        if not _ANSWERED.get(expected.name, _is_anything)(value):
            yield f"{where} is {value!r}, not {expected.name}"
    elif not isinstance(value, str | bool) or str(value) not in expected.words:
        yield f"{where} is {value!r}, none of {sorted(expected.words)}"


def _amiss_either(options: tuple[Type, ...], value: Any, where: str) -> Iterator[str]:
    tried = [list(_amiss(option, value, where)) for option in options]
    if all(tried):
        # Of a nested value the option that was meant is the one with fields of its own.
        yield from tried[-1] if isinstance(value, dict | list) else tried[0]


def _amiss_many(expected: Many, value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict if expected.is_map else list):
        yield f"{where} is {value!r}, no {'map' if expected.is_map else 'list'}"
        return
    named = value.items() if isinstance(value, dict) else enumerate(value)
    for name, element in named:
        yield from _amiss(expected.inner, element, f"{where}[{name}]")


def _amiss_page(inner: Type, value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("object") != "list":
        yield f"{where} is no list object"
        return
    yield from (f"{where}.{name} is not there" for name in ("has_more", "url") if name not in value)
    for place, element in enumerate(value["data"]):
        yield from _amiss(inner, element, f"{where}.data[{place}]")


def _amiss_fields(expected: Fields, value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is {value!r}, no object {expected.name}"
        return
    for name, inner in value.items():
        if name in expected.fields:
            yield from _amiss(expected.fields[name], inner, f"{where}.{name}")
        elif name != "object":
            yield f"{where}.{name} is no field of {expected.name}"
    if not value.get("deleted"):
        missing = sorted(expected.required - value.keys())
        yield from (f"{where}.{name} is not there" for name in missing)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def _is_float(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_decimal(value: Any) -> bool:
    return isinstance(value, str) and is_number(value)


def _is_nothing(value: Any) -> bool:
    return value is None


def _is_anything(_value: Any) -> bool:
    return True


_ANSWERED: dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "int": _is_whole,
    "bool": _is_truth,
    "float": _is_float,
    "Decimal": _is_decimal,
    "None": _is_nothing,
}
