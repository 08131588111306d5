"""Puts the HTTP side together: Litestar with our error shape, strict bodies, pages and health."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import cast

from litestar import Litestar, MediaType, Response, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.types import ControllerRouterHandler

from coalition.kernel.web.health import Readiness, health_routes
from coalition.kernel.web.hot import let_paths_have_parameters
from coalition.kernel.web.metrics import CONTENT_TYPE, Metrics
from coalition.kernel.web.observation import Application, observed
from coalition.kernel.web.problem import PageOf, exception_handlers
from coalition.kernel.web.short_way import short_way
from coalition.kernel.web.typed import StrictBodies

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def build_application(
    route_handlers: Sequence[ControllerRouterHandler],
    *,
    readiness: Readiness,
    metrics: Metrics,
    pages: OpenAPIConfig | None = None,
    state: Mapping[str, object] | None = None,
    lifespan: Sequence[Lifespan] = (),
    max_body_bytes: int = 1_000_000,
    log_all: bool = False,
    page_of: PageOf | None = None,
) -> Application:
    """Return the ASGI application that serves `route_handlers`, health, metrics and API pages.

    `state` is what typed handlers and guards find in `app.state`. `max_body_bytes` bounds the
    bodies of typed handlers; hot endpoints have each their own bound. `page_of` says of which
    requests a person is told by a page that something was refused or failed.
    """
    own: list[ControllerRouterHandler] = [*health_routes(readiness), metrics_route(metrics)]
    app = Litestar(
        [*route_handlers, *own],
        exception_handlers=exception_handlers(page_of),
        plugins=[StrictBodies()],
        openapi_config=pages,
        state=State(dict(state or {})),
        lifespan=list(lifespan),
        logging_config=None,
        request_max_body_size=max_body_bytes,
    )
    let_paths_have_parameters(app)
    served = short_way(cast("Application", app), route_handlers)
    return observed(served, metrics, log_all=log_all)


def metrics_route(metrics: Metrics) -> HTTPRouteHandler:
    """Return the handler of /metrics."""

    @get("/metrics", media_type=MediaType.TEXT, include_in_schema=False)
    async def exposition() -> Response[bytes]:
        return Response(await metrics.exposition(), media_type=CONTENT_TYPE)

    return exposition
