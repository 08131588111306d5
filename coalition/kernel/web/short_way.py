"""A short way to the hot endpoints, in front of Litestar's router and middleware.

Those cost a till's request a tenth of its time and decide nothing for an address that is known word
for word but for one id. Every other address takes the usual way, and so does an id that is none.
"""

from collections.abc import Awaitable, Iterable
from typing import Any, NamedTuple
from uuid import UUID

from litestar.handlers import ASGIRouteHandler

from coalition.kernel.web.hot import OPERATIONS
from coalition.kernel.web.observation import Application, Receive, Scope, Send

_ID = ":uuid}"
_Segments = tuple[str, ...]


class _Route(NamedTuple):
    label: str
    """The address as the metrics name it; Litestar's router would leave the same."""
    parameter: str
    handle: Application


class _Found(NamedTuple):
    label: str
    parameters: dict[str, Any]  # Any: of a path, as Litestar has them
    handle: Application


class _ShortWays:
    """The addresses of hot endpoints: known word for word, or word for word but for one id."""

    def __init__(self, route_handlers: Iterable[object]) -> None:
        self._exact: dict[str, _Found] = {}
        self._with_id: dict[_Segments, _Route] = {}
        self._places: set[int] = set()
        for handler in route_handlers:
            if isinstance(handler, ASGIRouteHandler) and OPERATIONS in handler.opt:
                for template in handler.paths:
                    self._add(template, handler.fn)

    def _add(self, template: str, handle: Application) -> None:
        segments = template.split("/")
        places = [place for place, segment in enumerate(segments) if segment.startswith("{")]
        if not places:
            self._exact[template] = _Found(template, {}, handle)
        elif len(places) == 1 and segments[places[0]].endswith(_ID):
            parameter = segments[places[0]][1 : -len(_ID)]
            route = _Route(template.replace(_ID, "}"), parameter, handle)
            self._with_id[_without(segments, places[0])] = route
            self._places.add(places[0])

    def find(self, path: str) -> _Found | None:
        """Return what serves `path`; None when the router has to say."""
        found = self._exact.get(path)
        if found is not None:
            return found
        segments = path.split("/")
        for place in self._places:
            if place < len(segments):
                route = self._with_id.get(_without(segments, place))
                if route is not None:
                    return _with(route, segments[place])
        return None


def _without(segments: list[str], place: int) -> _Segments:
    return (*segments[:place], "", *segments[place + 1 :])


def _with(route: _Route, segment: str) -> _Found | None:
    try:
        return _Found(route.label, {route.parameter: UUID(segment)}, route.handle)
    except ValueError:
        return None


def short_way(application: Application, route_handlers: Iterable[object]) -> Application:
    """Return `application` with a short way to the hot endpoints among `route_handlers`."""
    ways = _ShortWays(route_handlers)

    def serve(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        found = ways.find(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            return application(scope, receive, send)
        scope["path_template"], scope["path_params"], handle = found
        return handle(scope, receive, send)

    return serve
