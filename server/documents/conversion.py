"""Makes typed values of nodes: every unknown, missing or wrong field is named, all in one go.

The types are msgspec's, so that the same Structs give the JSON Schema of the file. Stricter than
JSON in one respect: a decimal is text in quotes, since a number without them is a binary fraction.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import inspect

from server.documents.nodes import BadDocumentError, Node, Path, Problem, path_text

Value = TypeVar("Value")

PROBLEMS_MOST: Final = 100
_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def convert(node: Node, wanted: type[Value]) -> Value:
    """Return `node` as a value of the Struct `wanted`. Raises `BadDocumentError`."""
    conversion = _Conversion()
    value = conversion.of(node, inspect.type_info(wanted), ())
    if conversion.problems:
        raise BadDocumentError(conversion.problems[:PROBLEMS_MOST])
    assert isinstance(value, wanted), "without a problem there is a value"
    return value


class _WrongError(Exception):
    """A scalar is not what is wanted; the message says what would be right."""

    def __init__(self, right: str, *, says_all: bool = False) -> None:
        super().__init__(right)
        self.says_all = says_all


class _Conversion:
    """One pass over the nodes of a file; gathers what is wrong and goes on."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def of(self, node: Node, wanted: inspect.Type, path: Path) -> Any:  # Any: of the wanted type
        """Return the value; anything at all when a problem has been noted."""
        told = ""
        if isinstance(wanted, inspect.Metadata):
            told = str((wanted.extra_json_schema or {}).get("description", ""))
            wanted = wanted.type
        if isinstance(wanted, inspect.UnionType):
            return self._of_union(node, wanted, path, told)
        if isinstance(wanted, inspect.StructType):
            return self._of_struct(node, wanted, path)
        if isinstance(wanted, inspect.ListType | inspect.VarTupleType):
            return self._of_list(node, wanted, path)
        if isinstance(wanted, inspect.DictType):
            return self._of_dict(node, wanted, path)
        try:
            return _SCALARS[type(wanted)](node, wanted)
        except _WrongError as wrong:
            tells_more = told and isinstance(wanted, inspect.StrType) and not wrong.says_all
            right = f"{wrong} ({told})" if tells_more else str(wrong)
            seen = "" if wrong.says_all else _but(node)
            return self._note(node.line, path, f"expected {right}{seen}")

    def _note(self, line: int, path: Path, text: str) -> None:
        self.problems.append(Problem(line, path_text(path), text))

    def _of_union(
        self, node: Node, wanted: inspect.UnionType, path: Path, told: str
    ) -> Any:  # Any: of the wanted type
        kinds = [kind for kind in wanted.types if not isinstance(kind, inspect.NoneType)]
        if node.value is None and len(kinds) < len(wanted.types):
            return None
        structs = [kind for kind in kinds if isinstance(kind, inspect.StructType)]
        if len(structs) > 1:
            return self._of_tagged(node, structs, path)
        fitting = [kind for kind in kinds if _fits(node, kind)] or kinds
        chosen = fitting[0]
        if told and not isinstance(chosen, inspect.Metadata):
            chosen = inspect.Metadata(chosen, extra_json_schema={"description": told})
        return self.of(node, chosen, path)

    def _of_tagged(
        self, node: Node, structs: Sequence[inspect.StructType], path: Path
    ) -> Any:  # Any: of the wanted type
        field = structs[0].tag_field
        assert field is not None, "a union of Structs is told apart by a field"
        by_tag = {str(kind.tag): kind for kind in structs}
        if not isinstance(node.value, dict):
            return self._note(
                node.line, path, f"expected keys and values, with {field}{_but(node)}"
            )
        if field not in node.value:
            text = f"is missing; it is one of {', '.join(by_tag)}"
            return self._note(node.line, (*path, field), text)
        tag = node.value[field]
        if isinstance(tag.value, list | dict):
            return self._note(tag.line, (*path, field), f"expected one of {', '.join(by_tag)}")
        if tag.value not in by_tag:
            text = f"{tag.text!r} is not known; {_nearest(str(tag.text), list(by_tag))}"
            return self._note(tag.line, (*path, field), text)
        return self._of_struct(node, by_tag[str(tag.value)], path)

    def _of_struct(
        self, node: Node, wanted: inspect.StructType, path: Path
    ) -> Any:  # Any: of the wanted type
        if not isinstance(node.value, dict):
            return self._note(node.line, path, f"expected keys and values{_but(node)}")
        before = len(self.problems)
        self._refuse_unknown(node, node.value, wanted, path)
        values: dict[str, Any] = {}  # Any: the fields of the Struct
        for field in wanted.fields:
            key = field.encode_name
            if key in node.value:
                values[field.name] = self.of(node.value[key], field.type, (*path, key))
            elif field.required:
                self._note(node.line, (*path, key), "is missing")
        if len(self.problems) > before:
            return None
        try:
            return wanted.cls(**values)
        except ValueError as error:
            return self._note(node.line, path, str(error))

    def _refuse_unknown(
        self, node: Node, entries: Iterable[str], wanted: inspect.StructType, path: Path
    ) -> None:
        known = [field.encode_name for field in wanted.fields]
        if wanted.tag_field is not None:
            known.append(wanted.tag_field)
        for key in entries:
            if key not in known:
                text = f"there is no such field; {_nearest(key, known)}"
                self._note(node.key_lines[key], (*path, key), text)

    def _of_list(
        self, node: Node, wanted: inspect.ListType | inspect.VarTupleType, path: Path
    ) -> Any:  # Any: of the wanted type
        if not isinstance(node.value, list):
            return self._note(node.line, path, f"expected a list{_but(node)}")
        if wanted.min_length is not None and len(node.value) < wanted.min_length:
            self._note(node.line, path, f"has at least {wanted.min_length} items")
        if wanted.max_length is not None and len(node.value) > wanted.max_length:
            self._note(node.line, path, f"has at most {wanted.max_length} items")
        items = [
            self.of(item, wanted.item_type, (*path, position))
            for position, item in enumerate(node.value)
        ]
        return tuple(items) if isinstance(wanted, inspect.VarTupleType) else items

    def _of_dict(
        self, node: Node, wanted: inspect.DictType, path: Path
    ) -> Any:  # Any: of the wanted type
        if not isinstance(node.value, dict):
            return self._note(node.line, path, f"expected keys and values{_but(node)}")
        if wanted.min_length is not None and len(node.value) < wanted.min_length:
            self._note(node.line, path, f"has at least {wanted.min_length} entries")
        if wanted.max_length is not None and len(node.value) > wanted.max_length:
            self._note(node.line, path, f"has at most {wanted.max_length} entries")
        values = {}
        for key, item in node.value.items():
            name = Node(node.key_lines[key], key, text=key)
            at = (*path, key)
            values[self.of(name, wanted.key_type, at)] = self.of(item, wanted.value_type, at)
        return values


def _nearest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _but(node: Node) -> str:
    if isinstance(node.value, list):
        return ", and this is a list"
    if isinstance(node.value, dict):
        return ", and these are keys and values"
    if node.value is None:
        return ", and there is nothing"
    return f", and this is {node.text[:60]!r}" if node.text is not None else ""


def _fits(node: Node, kind: inspect.Type) -> bool:
    """Tell whether a node looks like what one member of a union wants."""
    if isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.StructType | inspect.DictType):
        return isinstance(node.value, dict)
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return isinstance(node.value, list)
    try:
        _SCALARS[type(kind)](node, kind)
    except _WrongError:
        return False
    return True


def _text(node: Node, wanted: inspect.StrType) -> str:
    if not isinstance(node.value, str):
        if isinstance(node.value, list | dict) or node.value is None:
            raise _WrongError("text")
        raise _WrongError(f'text; write it in quotes: "{node.text}"', says_all=True)
    length = len(node.value)
    least, most = wanted.min_length or 0, wanted.max_length
    if length < least or (most is not None and length > most):
        raise _WrongError(
            f"{least} to {most} characters" if most else f"at least {least} character"
        )
    if wanted.pattern is not None and not re.search(wanted.pattern, node.value):
        raise _WrongError(f"text of the form {wanted.pattern}")
    if wanted.pattern is None and not _is_plain(node.value):
        raise _WrongError("text without control characters")
    return node.value


def _is_plain(text: str) -> bool:
    """Tell whether a text shows all that it has in it; it may have several lines."""
    return all(character.isprintable() or character in "\n\t" for character in text)


def _whole(node: Node, wanted: inspect.IntType) -> int:
    least, most = wanted.ge, wanted.le
    number = node.value
    if (
        not isinstance(number, int)
        or isinstance(number, bool)
        or (least is not None and number < least)
        or (most is not None and number > most)
    ):
        if least is None and most is None:
            raise _WrongError("a whole number")
        span = f" from {least}" if least is not None else ""
        span += f" to {most}" if most is not None else ""
        raise _WrongError(f"a whole number{span}")
    return number


def _number(node: Node, _: inspect.FloatType) -> float:
    if not isinstance(node.value, int | float) or isinstance(node.value, bool):
        raise _WrongError("a number")
    return float(node.value)


def _flag(node: Node, _: inspect.BoolType) -> bool:
    if not isinstance(node.value, bool):
        raise _WrongError("true or false")
    return node.value


def _decimal(node: Node, _: inspect.DecimalType) -> Decimal:
    if isinstance(node.value, str) and _DECIMAL.fullmatch(node.value):
        return Decimal(node.value)
    if isinstance(node.value, int | float):
        raise _WrongError(f'a decimal in quotes: "{node.text}"', says_all=True)
    raise _WrongError('a decimal in quotes such as "0.0100"')


def _day(node: Node, _: inspect.DateType) -> date:
    try:
        return msgspec.convert(node.value, date)
    except msgspec.ValidationError:
        raise _WrongError("a date such as 2026-10-31") from None


def _instant(node: Node, wanted: inspect.DateTimeType) -> datetime:
    try:
        instant = msgspec.convert(node.value, datetime)
    except msgspec.ValidationError:
        instant = None
    if instant is None or (wanted.tz and instant.tzinfo is None):
        raise _WrongError("a time with its zone such as 2026-10-02T09:00:00+02:00")
    return instant


def _choice(node: Node, wanted: inspect.EnumType) -> Any:  # Any: a member of the enum
    values = {member.value: member for member in wanted.cls}
    if isinstance(node.value, list | dict) or node.value not in values:
        raise _WrongError(f"one of {', '.join(str(value) for value in values)}")
    return values[node.value]


def _literal(node: Node, wanted: inspect.LiteralType) -> Any:  # Any: one of the literals
    if isinstance(node.value, list | dict) or node.value not in wanted.values:
        raise _WrongError(f"one of {', '.join(str(value) for value in wanted.values)}")
    return node.value


def _uuid(node: Node, _: inspect.UUIDType) -> UUID:
    try:
        return msgspec.convert(node.value, UUID)
    except msgspec.ValidationError:
        raise _WrongError("a UUID") from None


def _anything(node: Node, _: inspect.AnyType) -> Any:  # Any: as the file has it
    return node.plain()


_SCALARS: Final[dict[type[inspect.Type], Callable[[Node, Any], Any]]] = {  # Any: by kind
    inspect.StrType: _text,
    inspect.IntType: _whole,
    inspect.FloatType: _number,
    inspect.BoolType: _flag,
    inspect.DecimalType: _decimal,
    inspect.DateType: _day,
    inspect.DateTimeType: _instant,
    inspect.EnumType: _choice,
    inspect.LiteralType: _literal,
    inspect.UUIDType: _uuid,
    inspect.AnyType: _anything,
}
