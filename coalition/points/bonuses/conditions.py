"""Conditions in CEL: type-checked when a rule is saved, bounded when it runs, closed when it fails.

What an expression may cost is limited by what it may say: its length, how deep it nests (32, by the
library), at most four macros, none inside another, and no function whose cost grows faster than the
basket (`map` and `filter` copy lists, `matches` compiles its pattern at every call). The library's
own budget of 10,000 iterations stands behind that.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from cel_expr_python import cel

from coalition.points.bonuses.baskets import Basket, Line
from coalition.points.bonuses.documents import CONDITION_LENGTH_MOST, Weekday

_T = cel.Type
_TEXTS = _T.List(_T.STRING)
_COUNTS = _T.Map(_T.STRING, _T.INT)

LINE_FIELDS = ("no", "amount_minor", "category", "sku", "quantity")

VARIABLES: dict[str, cel.Type] = {
    "basket.partner": _T.INT,
    "basket.store": _T.STRING,
    "basket.currency": _T.STRING,
    "basket.amount_minor": _T.INT,
    "basket.categories": _TEXTS,
    "basket.amount_of": _COUNTS,
    "basket.items_of": _COUNTS,
    "basket.lines": _T.List(_T.Map(_T.STRING, _T.DYN)),
    "basket.measures": _COUNTS,
    "member.tier": _T.STRING,
    "member.plan": _T.STRING,
    "member.segments": _TEXTS,
    "member.flags": _TEXTS,
    "time.date": _T.STRING,
    "time.year": _T.INT,
    "time.month": _T.INT,
    "time.day": _T.INT,
    "time.weekday": _T.STRING,
    "time.hour": _T.INT,
    "time.minute": _T.INT,
}
"""What a condition may look at. What is not known is the empty text; a map lacks its key then."""

WEEKDAYS = tuple(day.value for day in Weekday)
MACROS_MOST = 4
_MACROS = frozenset({"all", "exists", "exists_one"})
_REFUSED = {
    "map": "ask the lines themselves with exists or all",
    "filter": "ask with exists or all, or use basket.items_of and basket.amount_of",
    "matches": "compare with ==, startsWith, endsWith or contains",
}

_TOKEN = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))"""
    r"|(?P<comment>//[^\n]*)|(?P<word>[A-Za-z_]\w*)|(?P<other>\S)",
    re.DOTALL,
)
_UNCHARTED = re.compile(r"^\w+: (?:ERROR: )?(?:<input>:-?\d+:-?\d+: )?|\s*\[\w+\]$")

_environment = cel.NewEnv(variables=VARIABLES)


class BadConditionError(ValueError):
    """A condition that is refused when it is saved; the text says what would be right."""


class Condition:
    """A compiled condition; it tells whether it looks at the member's standings, and at lines."""

    def __init__(self, source: str, expression: cel.Expression, words: frozenset[str]) -> None:
        """Hold what `compiled` has checked."""
        self.source = source
        self.uses_member = "member" in words
        self.uses_lines = "lines" in words
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


def known_of(basket: Basket, *, lines: bool = True) -> cel.Activation:
    """Return what conditions may look at, for one basket and all its rules.

    Without `lines` the single lines are left out, which is right when no condition asks for them.
    """
    amounts: dict[str, int] = {}
    items: dict[str, int] = {}
    for line in basket.lines:
        if line.category is not None:
            amounts[line.category] = amounts.get(line.category, 0) + line.amount_minor
            items[line.category] = items.get(line.category, 0) + line.quantity
    local = basket.local
    return _environment.Activation(
        {
            "basket.partner": basket.partner_no,
            "basket.store": basket.store or "",
            "basket.currency": basket.currency,
            "basket.amount_minor": basket.amount_minor,
            "basket.categories": list(amounts),
            "basket.amount_of": amounts,
            "basket.items_of": items,
            "basket.lines": [_fields(line) for line in basket.lines] if lines else [],
            "basket.measures": dict(basket.measures),
            "member.tier": basket.tier or "",
            "member.plan": basket.plan or "",
            "member.segments": sorted(basket.segments),
            "member.flags": sorted(basket.flags),
            "time.date": local.date().isoformat(),
            "time.year": local.year,
            "time.month": local.month,
            "time.day": local.day,
            "time.weekday": WEEKDAYS[local.weekday()],
            "time.hour": local.hour,
            "time.minute": local.minute,
        }
    )


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
    words = list(_words(source))
    try:
        expression = _environment.compile(source)
    except RuntimeError as failure:
        raise BadConditionError(_plain(str(failure))) from None
    if expression.return_type() != _T.BOOL:
        raise BadConditionError(
            f"it yields {expression.return_type().name().lower()}; a condition yields a bool"
        )
    _check_macros(words)
    return Condition(source, expression, frozenset(words))


def _words(source: str) -> Iterator[str]:
    """Yield words and marks; every text literal as a pair of quotes, so that no word is in it."""
    for found in _TOKEN.finditer(source):
        if found.lastgroup == "text":
            yield '""'
        elif found.lastgroup != "comment":
            yield found.group()


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
