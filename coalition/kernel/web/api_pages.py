"""The API's pages: /schema/openapi.json and Swagger's page at /schema, from this process alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import litestar_offline_docs
import msgspec
from litestar import Request, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import (
    Components,
    OAuthFlow,
    OAuthFlows,
    Reference,
    SecurityScheme,
)
from litestar.types import ControllerRouterHandler

from coalition.kernel.web.api_description import MEMBER_SECURITY, SECURITY_SCHEME, complete

_MEMBERS = SecurityScheme(
    type="http",
    scheme="bearer",
    bearer_format="JWT",
    description="The access token of a member who has signed in at /v1/sign-in",
)

_PATH = "/schema"
_SWAGGER_FILES = Path(litestar_offline_docs.__file__).parent / "static"

# Swagger's scripts and styles come from this origin; it draws its icons from data: addresses and
# asks this origin only. Nothing inline is needed, so no nonce is either.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Coalition API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{_PATH}/swagger-ui.css">
<script src="{_PATH}/swagger-ui-bundle.js" defer></script>
<script src="{_PATH}/page.js" defer></script>
</head>
<body><div id="api"></div></body>
</html>
""".encode()
_SCRIPT = b"""SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""


class _Document(JsonRenderPlugin):
    """The document, completed and written once."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json")
        self._written = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if not self._written:
            plain = msgspec.json.decode(self.render_json(request, openapi_schema))
            self._written = msgspec.json.encode(complete(plain, request.app))
        return self._written


class _Fixed(OpenAPIRenderPlugin):
    """A file of the page."""

    def __init__(self, path: str, content: bytes, media_type: str) -> None:
        super().__init__(path=path, media_type=media_type)  # type: ignore[arg-type]  # any text will do
        self._content = content

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        del request, openapi_schema
        return self._content


class _Pages(Router):
    """Litestar's router for these pages, without its HTML page for what is not found."""

    def register(self, value: ControllerRouterHandler) -> Any:  # Any: Litestar's list of routes
        if "/{path:str}" in getattr(value, "paths", ()):
            return []
        return super().register(value)


def api_pages(
    *, title: str, version: str, description: str, token_url: str, scopes: Mapping[str, str]
) -> OpenAPIConfig:
    """Return Litestar's configuration of the document and its page.

    `scopes` maps each scope to its meaning; tokens come from `token_url` by client credentials, and
    those of members from /v1/sign-in.
    """
    flow = OAuthFlow(token_url=token_url, scopes=dict(scopes))
    scheme = SecurityScheme(type="oauth2", flows=OAuthFlows(client_credentials=flow))
    schemes: dict[str, SecurityScheme | Reference] = {
        SECURITY_SCHEME: scheme,
        MEMBER_SECURITY: _MEMBERS,
    }
    return OpenAPIConfig(
        title=title,
        version=version,
        description=description,
        components=Components(security_schemes=schemes),
        use_handler_docstrings=True,
        render_plugins=[
            _Fixed("/", _PAGE, "text/html"),
            _Fixed("/page.js", _SCRIPT, "text/javascript"),
            _Fixed("/swagger-ui.css", _swagger_file("swagger-ui.css"), "text/css"),
            _Fixed(
                "/swagger-ui-bundle.js", _swagger_file("swagger-ui-bundle.js"), "text/javascript"
            ),
            _Document(),
        ],
        openapi_router=_Pages(
            _PATH,
            route_handlers=[],
            include_in_schema=False,
            response_headers={"content-security-policy": _POLICY},
        ),
    )


def _swagger_file(name: str) -> bytes:
    # These files and no others: whoever serves a directory must mind what a path may say.
    return (_SWAGGER_FILES / name).read_bytes()
