"""Requests as Stripe's clients send them: nested names in forms, and `""` that unsets."""

import json
import re
from collections.abc import Collection, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid

_STEP = re.compile(r"\[([^\]]*)\]")
_MOST_METADATA = 50


def decode_form(text: str) -> Document:
    """Return the nested object that a form or query string means; `a[b][0][c]=1` and `a[]=1`."""
    root: Document = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=10_000):
        head, _, _ = name.partition("[")
        steps = [head, *_STEP.findall(name)]
        _place(root, steps, value)
    return {name: _with_lists(value) for name, value in root.items()}


def decode_body(content_type: str, body: bytes) -> Document:
    """Return the parameters of a body, which is a form, or JSON for `/v2`."""
    if not body:
        return {}
    if content_type.startswith("application/json"):
        decoded = json.loads(body)
        if not isinstance(decoded, dict):
            raise Invalid("The body has to be a JSON object.")
        return decoded
    return decode_form(body.decode("utf-8"))


def _place(root: Document, steps: list[str], value: str) -> None:
    inner = root
    for step in steps[:-1]:
        name = str(len(inner)) if step == "" else step
        held = inner.setdefault(name, {})
        if not isinstance(held, dict):
            raise Invalid(f"Invalid object: {steps[0]}.", param=steps[0])
        inner = held
    last = steps[-1]
    inner[str(len(inner)) if last == "" and len(steps) > 1 else last] = value


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(held) for name, held in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


class Params:
    """The parameters of a request, or a part of them; what is absent reads as None.

    A value of the wrong type is refused with the whole name of the parameter, such as
    `items[0][price]`.
    """

    def __init__(self, values: Document, within: str = "", *, is_required: bool = False) -> None:
        """Read from nested values; `within` is the name of the part."""
        self.values = values
        self.within = within
        self._is_required = is_required

    @property
    def required(self) -> "Params":
        """Return the same parameters, which refuse what is absent."""
        return Params(self.values, self.within, is_required=True)

    def name_of(self, name: str) -> str:
        """Return the whole name of a parameter."""
        return f"{self.within}[{name}]" if self.within else name

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def unsets(self, name: str) -> bool:
        """Tell whether a parameter was given as empty, which unsets it."""
        return self.values.get(name, None) == "" and name in self.values

    def _given(self, name: str) -> Any:
        value = self.values.get(name)
        if value is None or value == "":
            if self._is_required:
                full = self.name_of(name)
                raise Invalid(
                    f"Missing required param: {full}.", param=full, code="parameter_missing"
                )
            return None
        return value

    def text(self, name: str) -> str | None:
        """Return a text."""
        value = self._given(name)
        if isinstance(value, dict | list):
            raise Invalid(f"Invalid string: {value}", param=self.name_of(name))
        return None if value is None else str(value)

    def integer(self, name: str) -> int | None:
        """Return a whole number."""
        value = self._given(name)
        if value is None:
            return None
        try:
            return int(value)
        except (TypeError, ValueError):
            raise Invalid(
                f"Invalid integer: {value}",
                param=self.name_of(name),
                code="parameter_invalid_integer",
            ) from None

    def number(self, name: str) -> Decimal | None:
        """Return a decimal number."""
        value = self._given(name)
        if value is None:
            return None
        try:
            return Decimal(str(value))
        except InvalidOperation:
            raise Invalid(f"Invalid decimal: {value}", param=self.name_of(name)) from None

    def instant(self, name: str) -> int | None:
        """Return an instant, in seconds."""
        return self.integer(name)

    def flag(self, name: str) -> bool | None:
        """Return a truth value."""
        value = self._given(name)
        if value is None or isinstance(value, bool):
            return value
        if value not in {"true", "false"}:
            raise Invalid(f"Invalid boolean: {value}", param=self.name_of(name))
        return bool(value == "true")

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """Return one of the words that are allowed."""
        value = self.text(name)
        if value is not None and value not in allowed:
            words = ", ".join(sorted(allowed))
            raise Invalid(
                f"Invalid {self.name_of(name)}: must be one of {words}", param=self.name_of(name)
            )
        return value

    def nested(self, name: str) -> "Params":
        """Return the parameters inside of one; none inside when it is absent or unset."""
        value = self._given(name)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise Invalid(f"Invalid object: {value}", param=self.name_of(name))
        return Params(value, self.name_of(name))

    def each(self, name: str) -> list["Params"]:
        """Return the parameters of each element of a list of objects."""
        value = self._given(name)
        elements = [] if value is None else value
        if not isinstance(elements, list) or not all(isinstance(e, dict) for e in elements):
            raise Invalid("Invalid array", param=self.name_of(name))
        full = self.name_of(name)
        return [Params(element, f"{full}[{place}]") for place, element in enumerate(elements)]

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        value = self._given(name)
        elements = [] if value is None else value
        if not isinstance(elements, list):
            raise Invalid("Invalid array", param=self.name_of(name))
        return [str(element) for element in elements]

    def filters(self, *names: str, flags: Collection[str] = ()) -> Document:
        """Return the conditions of a list: the texts and truth values that were given."""
        texts = {name: self.text(name) for name in names}
        truths = {name: self.flag(name) for name in flags}
        given = {**texts, **truths}
        return {name: value for name, value in given.items() if value is not None}

    def change_texts(self, document: Document, *names: str) -> None:
        """Set the texts of a document that were given; an empty one unsets."""
        for name in names:
            if name in self.values:
                document[name] = self.text(name)

    def merged_metadata(
        self, before: dict[str, str] | None = None, name: str = "metadata"
    ) -> dict[str, str]:
        """Return metadata after the request: keys given as empty go, `metadata=""` clears all."""
        if self.unsets(name):
            return {}
        kept = dict(before or {})
        for key, value in self.nested(name).values.items():
            if value == "":
                kept.pop(key, None)
            else:
                kept[key] = str(value)
        if len(kept) > _MOST_METADATA:
            raise Invalid("Metadata can have up to 50 keys.", param=self.name_of(name))
        return kept

    def bounds(self, name: str = "created") -> dict[str, int]:
        """Return the bounds of an instant: `created[gte]=…`, or `created=…` for exactly."""
        value = self.values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            exactly = self.integer(name) or 0
            return {"gte": exactly, "lte": exactly}
        inner = self.nested(name)
        names = ("gt", "gte", "lt", "lte")
        return {bound: at for bound in names if (at := inner.integer(bound)) is not None}
