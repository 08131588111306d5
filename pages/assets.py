"""The files that pages load: Bootstrap's style sheet from its package, and our own few lines.

Each is served under an address that names its content, so that it may be kept for ever.
"""

import hashlib
from importlib import resources
from typing import NamedTuple

from litestar import HttpMethod, Response, route
from litestar.handlers import HTTPRouteHandler

_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


class Asset(NamedTuple):
    """A file with the address that it is served under."""

    address: str
    content: bytes
    media_type: str


def _asset(package: str, path: str, media_type: str) -> Asset:
    content = resources.files(package).joinpath(path).read_bytes()
    name = path.rpartition("/")[2]
    return Asset(f"/static/{hashlib.sha256(content).hexdigest()[:12]}/{name}", content, media_type)


BOOTSTRAP = _asset("bootstrap", "static/bootstrap/css/bootstrap.min.css", "text/css")
OWN = _asset("pages", "static/coalition.css", "text/css")
STYLES = (BOOTSTRAP, OWN)


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of the files."""
    return [_route(asset) for asset in STYLES]


def _route(asset: Asset) -> HTTPRouteHandler:
    @route(
        asset.address,
        http_method=(HttpMethod.GET, HttpMethod.HEAD),
        media_type=asset.media_type,
        include_in_schema=False,
    )
    async def content() -> Response[bytes]:
        return Response(asset.content, media_type=asset.media_type, headers=_FOR_EVER)

    return content
