"""Names and times of a story: what a step speaks of is declared, and time does not go back.

Looked at before types are, so that a file with a wrong number hears of its wrong names as well.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from server.documents import Node, Problem
from server.documents.nodes import Path
from server.scenario.family_steps import STAFF
from server.scenario.names import OPERATOR, OWN_POINTS
from server.scenario.steps import LATER

POSTINGS: Final = frozenset({"issue", "redeem", "convert", "capture", "reverse", "adjust"})
"""The verbs that make a posting which later steps can speak of."""
HOLDS: Final = frozenset({"hold"})
TRANSFERS: Final = frozenset({"transfer"})
GIFTS: Final = frozenset({"gift"})


class _Named(NamedTuple):
    """An earlier step that has a name."""

    line: int
    verb: object
    repeats: bool


class _Seen:
    """What has been declared before the step that is looked at."""

    def __init__(self, root: Node) -> None:
        self.partners = _keys(root, "partners")
        self.members = _keys(root, "members")
        self.currencies = _keys(root, "currencies")
        self.families = _keys(root, "families")
        self.steps: dict[str, _Named] = {}
        self.instant: datetime | None = None


def problems(root: Node) -> Iterator[Problem]:
    """Find names that nobody has declared, names given twice, and steps out of their order."""
    for path in [("partners",), ("members",)]:
        if OPERATOR in _keys(root, path[0]):
            text = f"{OPERATOR} is whoever runs the coalition; take another name"
            yield root.problem((*path, OPERATOR), text)
    seen = _Seen(root)
    steps = root.value.get("steps") if isinstance(root.value, dict) else None
    if steps is None or not isinstance(steps.value, list):
        return
    for position, step in enumerate(steps.value):
        if isinstance(step.value, dict):
            yield from _of_step(root, ("steps", position), step.value, seen)


def _of_step(root: Node, path: Path, fields: Mapping[str, Node], seen: _Seen) -> Iterator[Problem]:
    verb = fields.get("do")
    is_later = verb is not None and verb.value in LATER
    complaints = _COMPLAINTS | _COMPLAINTS_OF.get(str(verb.value) if verb else "", {})
    for field, complaint in complaints.items():
        node = fields.get(field)
        if node is not None and isinstance(node.value, str):
            if is_later and field not in _OF_EVERY_STEP:
                continue  # what it would stand for there is not known yet
            text = complaint(node.value, seen)
            if text is not None:
                yield root.problem((*path, field), text)
    yield from _of_funding(root, path, fields, seen)
    name = fields.get("id")
    speaks_of_another = verb is not None and verb.value in _ABOUT_TRANSFERS
    if name is not None and isinstance(name.value, str) and not speaks_of_another:
        repeat = fields.get("repeat")
        repeats = repeat is not None and repeat.value != 1
        seen.steps.setdefault(name.value, _Named(name.line, verb and verb.value, repeats))


def _of_funding(
    root: Node, path: Path, fields: Mapping[str, Node], seen: _Seen
) -> Iterator[Problem]:
    funding = fields.get("funding")
    for name in funding.key_lines if funding is not None else ():
        if name != OPERATOR and name not in seen.partners:
            text = f"{name!r} is no partner of this story, nor {OPERATOR}"
            yield root.problem((*path, "funding", name), text)


def _time(text: str, seen: _Seen) -> str | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None  # the type says so
    if instant.tzinfo is None:
        return None
    before, seen.instant = seen.instant, max(instant, seen.instant or instant)
    if before is not None and instant < before:
        return f"time goes back here: the step before is at {before.isoformat()}"
    return None


def _partner(name: str, seen: _Seen) -> str | None:
    return _undeclared(name, "partners", seen.partners)


def _member(name: str, seen: _Seen) -> str | None:
    return _undeclared(name, "members", seen.members)


def _member_or_staff(name: str, seen: _Seen) -> str | None:
    return None if name == STAFF else _member(name, seen)


def _family(name: str, seen: _Seen) -> str | None:
    return _undeclared(name, "families", seen.families)


def _transfer(name: str, seen: _Seen) -> str | None:
    return _earlier(name, "transfer", TRANSFERS, seen)


def _hold(name: str, seen: _Seen) -> str | None:
    return _earlier(name, "hold", HOLDS, seen)


def _posting(name: str, seen: _Seen) -> str | None:
    return _earlier(name, "posting", POSTINGS, seen)


def _gift(name: str, seen: _Seen) -> str | None:
    return _earlier(name, "gift", GIFTS, seen)


def _fresh(name: str, seen: _Seen) -> str | None:
    if name in seen.steps:
        return f"the step on line {seen.steps[name].line} is called so already; take another id"
    return None


def _point_currency(code: str, seen: _Seen) -> str | None:
    return None if code == OWN_POINTS else _undeclared(code, "currencies", seen.currencies)


def _undeclared(name: str, where: str, declared: Mapping[str, object]) -> str | None:
    if name in declared:
        return None
    return f"{name!r} is not among the {where} of this story; declare it there"


def _earlier(name: str, what: str, verbs: frozenset[str], seen: _Seen) -> str | None:
    found = seen.steps.get(name)
    if found is None:
        return f"no step before this has the id {name!r}; give one to the step that is meant"
    if found.verb not in verbs:
        return f"the step {name!r} makes no {what}; name one that does: {', '.join(sorted(verbs))}"
    if found.repeats:
        return f"the step {name!r} makes many postings; name one that makes a single one"
    return None


def _any(text: str, seen: _Seen) -> str | None:
    del text, seen
    return None  # it is no name of the story


_Complaint = Callable[[str, _Seen], str | None]

_COMPLAINTS: Final[dict[str, _Complaint]] = {
    "at": _time,
    "id": _fresh,
    "partner": _partner,
    "member": _member,
    "into": _member,
    "family": _family,
    "successor": _member,
    "by": _member,
    "currency": _point_currency,
    "from": _point_currency,
    "to": _point_currency,
    "hold": _hold,
    "posting": _posting,
}
"""By field of a step: what is wrong with the name it has, if anything is."""

_COMPLAINTS_OF: Final[dict[str, dict[str, _Complaint]]] = {
    "position": {"from": _partner, "to": _partner},
    "money_rate": {"from": _any, "to": _any},
    "transfer": {"from": _member, "to": _member},
    "approve": {"id": _transfer, "by": _member_or_staff},
    "reject": {"id": _transfer, "by": _member_or_staff},
    "undo": {"id": _transfer},
    "relate": {"to": _member},
    "settle": {"by": _member_or_staff},
    "death": {"heir": _member},
    "redeem_gift": {"gift": _gift},
    "share": {"with": _member},
    "unshare": {"with": _member},
}
"""By verb: the fields that say something else there."""

_ABOUT_TRANSFERS: Final = frozenset({"approve", "reject", "undo"})
"""Whose `id` is that of an earlier step."""
_OF_EVERY_STEP: Final = frozenset({"at", "id"})


def _keys(root: Node, section: str) -> dict[str, int]:
    found = root.value.get(section) if isinstance(root.value, dict) else None
    return found.key_lines if found is not None else {}
