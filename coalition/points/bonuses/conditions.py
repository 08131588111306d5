"""Conditions in CEL: type-checked when a rule is saved, bounded when it runs, closed when it fails.

What an expression may cost is limited by what it may say: its length, how deep it nests (32, by the
library), at most four macros, none inside another, and no function whose cost grows faster than the
basket (`map` and `filter` copy lists, `matches` compiles its pattern at every call). The library's
own budget of 10,000 iterations stands behind that.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from cel_expr_python import cel

from coalition.points.bonuses.baskets import Basket, Line
from coalition.points.bonuses.comparisons import Fact, comparisons_of, least_of
from coalition.points.bonuses.documents import CONDITION_LENGTH_MOST, Weekday

_T = cel.Type
_TEXTS = _T.List(_T.STRING)
_COUNTS = _T.Map(_T.STRING, _T.INT)

LINE_FIELDS = ("no", "amount_minor", "category", "sku", "quantity")


WEEKDAYS: tuple[str, ...] = tuple(day.value for day in Weekday)


class _Variable(NamedTuple):
    kind: cel.Type
    of: Callable[[Basket], object]


_VARIABLES: dict[str, _Variable] = {
    "basket.partner": _Variable(_T.INT, lambda basket: basket.partner_no),
    "basket.store": _Variable(_T.STRING, lambda basket: basket.store or ""),
    "basket.currency": _Variable(_T.STRING, lambda basket: basket.currency),
    "basket.amount_minor": _Variable(_T.INT, lambda basket: basket.amount_minor),
    "basket.categories": _Variable(_TEXTS, lambda basket: list(_sums(basket, "quantity"))),
    "basket.amount_of": _Variable(_COUNTS, lambda basket: _sums(basket, "amount_minor")),
    "basket.items_of": _Variable(_COUNTS, lambda basket: _sums(basket, "quantity")),
    "basket.lines": _Variable(
        _T.List(_T.Map(_T.STRING, _T.DYN)), lambda basket: [_fields(line) for line in basket.lines]
    ),
    "basket.measures": _Variable(_COUNTS, lambda basket: dict(basket.measures)),
    "member.tier": _Variable(_T.STRING, lambda basket: basket.tier or ""),
    "member.plan": _Variable(_T.STRING, lambda basket: basket.plan or ""),
    "member.segments": _Variable(_TEXTS, lambda basket: sorted(basket.segments)),
    "member.flags": _Variable(_TEXTS, lambda basket: sorted(basket.flags)),
    "time.date": _Variable(_T.STRING, lambda basket: basket.local.date().isoformat()),
    "time.year": _Variable(_T.INT, lambda basket: basket.local.year),
    "time.month": _Variable(_T.INT, lambda basket: basket.local.month),
    "time.day": _Variable(_T.INT, lambda basket: basket.local.day),
    "time.weekday": _Variable(_T.STRING, lambda basket: WEEKDAYS[basket.local.weekday()]),
    "time.hour": _Variable(_T.INT, lambda basket: basket.local.hour),
    "time.minute": _Variable(_T.INT, lambda basket: basket.local.minute),
}
"""What a condition may look at. What is not known is the empty text; a map lacks its key then."""

_COMPARED: dict[str, Fact] = {
    name: ("number" if variable.kind == _T.INT else "text", variable.of)
    for name, variable in _VARIABLES.items()
    if variable.kind in (_T.INT, _T.STRING)
}

VARIABLES = tuple(_VARIABLES)
"""The names of what a condition may look at."""

_OF_PLACE_AND_MEMBER = (
    "basket.partner",
    "basket.store",
    "basket.currency",
    "member.tier",
    "member.plan",
    "member.segments",
    "member.flags",
)
_OF_LINES = ("basket.categories", "basket.amount_of", "basket.items_of", "basket.lines")
_OF_MEASURES = ("basket.measures",)

MACROS_MOST = 4
_MACROS = frozenset({"all", "exists", "exists_one"})
_REFUSED = {
    "map": "ask the lines themselves with exists or all",
    "filter": "ask with exists or all, or use basket.items_of and basket.amount_of",
    "matches": "compare with ==, startsWith, endsWith or contains",
}

_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"|(?P<comment>//[^\n]*)|(?P<word>[A-Za-z_]\w*)|(?P<other>\S)",
    re.DOTALL,
)
_TEXT = "''"
_RAW = re.compile(r"[rRbB]{1,2}")
_UNCHARTED = re.compile(
    r"^\w+: (?:ERROR: )?(?:<input>:-?\d+:-?\d+: )?|\s*\(in container ''\)|\s*\[\w+\]$"
)

_environment = cel.NewEnv(variables={name: variable.kind for name, variable in _VARIABLES.items()})


class BadConditionError(ValueError):
    """A condition that is refused when it is saved; the text says what would be right."""


class Condition:
    """A compiled condition; `names` are the variables that it looks at."""

    def __init__(self, source: str, expression: cel.Expression, names: frozenset[str]) -> None:
        """Hold what `compiled` has checked."""
        self.source = source
        self.names = names
        self.uses_member = any(name.startswith("member.") for name in names)
        self.comparisons = comparisons_of(source, _COMPARED)
        """What has to hold, where that can be told without CEL; else None."""
        self.least_minor = least_of(self.comparisons or (), "basket.amount_minor")
        """From which amount it may hold, as far as that can be told without CEL."""
        self._expression = expression

    def judge(self, known: cel.Activation) -> bool | str:
        """Return whether it holds, or why that cannot be told; nothing is raised."""
        try:
            value = self._expression.eval(known).value()
        except (RuntimeError, TypeError, ValueError) as failure:
            return _plain(str(failure))
        if isinstance(value, bool):
            return value
        return _plain(str(value))


def known_of(basket: Basket, names: Iterable[str] = VARIABLES) -> cel.Activation:
    """Return what conditions that look at `names` are told of a basket."""
    return _environment.Activation({name: _VARIABLES[name].of(basket) for name in names})


def common_to(basket: Basket) -> cel.Activation:
    """Return what is the same for many baskets: place, member, and lines and measures if none."""
    names = [*_OF_PLACE_AND_MEMBER]
    names += [] if basket.lines else _OF_LINES
    names += [] if basket.measures else _OF_MEASURES
    return known_of(basket, names)


@lru_cache(maxsize=4096)
def compiled(source: str) -> Condition:
    """Return the checked and compiled condition.

    Raises `BadConditionError` for text that is too long, uses what is refused, does not parse,
    names what is not declared, mixes types or yields something else than a bool.
    """
    if len(source) > CONDITION_LENGTH_MOST:
        raise BadConditionError(
            f"it is {len(source)} characters long; at most {CONDITION_LENGTH_MOST} are taken"
        )
    words = _words(source)
    try:
        expression = _environment.compile(source)
    except RuntimeError as failure:
        raise BadConditionError(_plain(str(failure))) from None
    if expression.return_type() != _T.BOOL:
        raise BadConditionError(
            f"it yields {expression.return_type().name().lower()}; a condition yields a bool"
        )
    _check_macros(words)
    return Condition(source, expression, _names(words))


def _words(source: str) -> list[str]:
    """Return words and marks; every text literal as a pair of quotes, so that no word is in it.

    Refuses literals whose end only the library's own lexer can tell: raw ones and those in three
    quotes, which look like two texts in a row.
    """
    words: list[str] = []
    for found in _TOKEN.finditer(source):
        if found.lastgroup == "text":
            if words and (words[-1] == _TEXT or _RAW.fullmatch(words[-1])):
                raise BadConditionError("write texts in plain quotes, such as 'fruit'")
            words.append(_TEXT)
        elif found.lastgroup != "comment":
            words.append(found.group())
    return words


def _check_macros(words: list[str]) -> None:
    """Refuse functions that cost too much, too many macros or nested ones, and unknown fields."""
    depth = 0
    ends: list[int] = []
    variables: set[str] = set()
    macros = 0
    for at, word in enumerate(words):
        called = words[at + 1 : at + 2] == ["("]
        if called and word in _REFUSED:
            raise BadConditionError(f"{word}() may cost too much; {_REFUSED[word]}")
        if called and word in _MACROS:
            if ends:
                raise BadConditionError(
                    f"{word}() stands inside another one; ask one after the other"
                )
            macros += 1
            ends.append(depth)
            variables.update(words[at + 2 : at + 3])
        depth += (word == "(") - (word == ")")
        if word == ")" and ends and ends[-1] == depth:
            ends.pop()
    if macros > MACROS_MOST:
        raise BadConditionError(f"it asks through {macros} lists; at most {MACROS_MOST} are taken")
    _check_fields(words, variables)


def _check_fields(words: list[str], variables: set[str]) -> None:
    """Refuse a field that no line has: the lines are maps, whose keys CEL does not check."""
    for owner, dot, field, after in zip(
        words, words[1:], words[2:], [*words[3:], ""], strict=False
    ):
        is_field = dot == "." and (owner in variables or (owner == "]" and after != "("))
        if is_field and field not in LINE_FIELDS:
            raise BadConditionError(f"a line has no {field!r}; it has {', '.join(LINE_FIELDS)}")


def _names(words: list[str]) -> frozenset[str]:
    pairs = (f"{group}.{name}" for group, name in zip(words, words[2:], strict=False))
    return frozenset(pairs) & _VARIABLES.keys()


def _sums(basket: Basket, field: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for line in basket.lines:
        if line.category is not None:
            sums[line.category] = sums.get(line.category, 0) + getattr(line, field)
    return sums


def _fields(line: Line) -> dict[str, object]:
    return {
        "no": line.no,
        "amount_minor": line.amount_minor,
        "category": line.category or "",
        "sku": line.sku or "",
        "quantity": line.quantity,
    }


def _plain(text: str) -> str:
    """Return the library's message without its codes and without the drawing below it."""
    return _UNCHARTED.sub("", text.partition("\n")[0]).strip()
