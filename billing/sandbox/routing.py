"""What the sandbox answers, by what plain functions: registries that modules fill when imported."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid

if TYPE_CHECKING:
    from billing.sandbox.world import World

Endpoint = Callable[..., Document]
PageEndpoint = Callable[..., "Page | File | Redirect | Travel"]
Due = Callable[["World", str], None]
Reaction = Callable[["World", Document], None]
Shown = Callable[["World", Document], Document]
Expansion = Callable[["World", Document], Any]

_F = TypeVar("_F", bound=Callable[..., Any])
_NAME = re.compile(r"\{(\w+)\}")


class Page(NamedTuple):
    """A page of the sandbox."""

    html: str
    status: int = 200
    form_targets: tuple[str, ...] = ()
    """Origins beside the sandbox's own to which a form of the page may lead."""


class File(NamedTuple):
    """A file of the pages, such as their style sheet."""

    content: bytes
    content_type: str


class Redirect(NamedTuple):
    """The address at which a person's browser goes on."""

    url: str


class Travel(NamedTuple):
    """The account's time moves on to `until`, in seconds, before the browser goes on."""

    until: int
    url: str


@dataclass(frozen=True)
class Route:
    """One method and path, such as `GET /v1/customers/{customer}`, with what answers it."""

    method: str
    path: str
    pattern: re.Pattern[str]
    endpoint: Callable[..., Any]

    @property
    def shape(self) -> tuple[str, str]:
        """Return method and path with nameless parts, by which it is compared with Stripe's."""
        return self.method, _NAME.sub("{}", self.path)


class Routes:
    """Routes with a look-up; paths without names win over those with names."""

    def __init__(self) -> None:
        self._fixed: dict[tuple[str, str], Route] = {}
        self._named: list[Route] = []

    def add(self, method: str, path: str, endpoint: Callable[..., Any]) -> None:
        """Add one, which must be new."""
        source = "".join(
            f"(?P<{part[1:-1]}>[^/]+)" if _NAME.fullmatch(part) else re.escape(part)
            for part in re.split(r"(\{\w+\})", path)
        )
        route = Route(method, path, re.compile(source), endpoint)
        assert route.shape not in {known.shape for known in self}, f"{method} {path} is there twice"
        if _NAME.search(path):
            self._named.append(route)
        else:
            self._fixed[method, path] = route

    def __iter__(self) -> Any:
        return iter((*self._fixed.values(), *self._named))

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route of a request with the values of its names, or None."""
        if (fixed := self._fixed.get((method, path))) is not None:
            return fixed, {}
        for route in self._named:
            if route.method == method and (found := route.pattern.fullmatch(path)):
                return route, found.groupdict()
        return None


ROUTES = Routes()
PAGES = Routes()
DUE: dict[str, Due] = {}
REACTIONS: dict[str, list[Reaction]] = {}
SHOWN: dict[str, Shown] = {}
EXPANSIONS: dict[tuple[str, str], Expansion] = {}


def route(method: str, path: str) -> Callable[[_F], _F]:
    """Register a function `(world, params, **names of the path) -> Document` for a route."""

    def register(endpoint: _F) -> _F:
        ROUTES.add(method, path, endpoint)
        return endpoint

    return register


def page(method: str, path: str) -> Callable[[_F], _F]:
    """Register a function `(world, params, **names of the path)` that answers a browser."""

    def register(endpoint: _F) -> _F:
        PAGES.add(method, path, endpoint)
        return endpoint

    return register


def due(kind: str) -> Callable[[Due], Due]:
    """Register what is done when something planned under that name falls due."""

    def register(function: Due) -> Due:
        assert kind not in DUE, f"{kind} is there twice"
        DUE[kind] = function
        return function

    return register


def reacts(event_type: str) -> Callable[[Reaction], Reaction]:
    """Register what the sandbox itself does when an event happens, in the same transaction."""

    def register(function: Reaction) -> Reaction:
        REACTIONS.setdefault(event_type, []).append(function)
        return function

    return register


def shows(kind: str) -> Callable[[Shown], Shown]:
    """Register how a kind of document looks in answers and events, when not as it is kept."""

    def register(function: Shown) -> Shown:
        assert kind not in SHOWN, f"{kind} is there twice"
        SHOWN[kind] = function
        return function

    return register


def expands(kind: str, field: str) -> Callable[[Expansion], Expansion]:
    """Register what a field holds that is shown only when it is asked for."""

    def register(function: Expansion) -> Expansion:
        assert (kind, field) not in EXPANSIONS, f"{kind}.{field} is there twice"
        EXPANSIONS[kind, field] = function
        return function

    return register


def cannot_expand(field: str) -> Invalid:
    """Return the refusal of a field that is no reference."""
    return Invalid(
        f"This property cannot be expanded ({field}). You may want to try expanding other "
        "properties.",
        param="expand",
    )
