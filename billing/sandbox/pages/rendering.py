"""Templates to HTML: all that is shown is escaped, times are UTC, amounts have their currency."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from billing.sandbox.engine import wording
from billing.sandbox.requests import Params
from billing.sandbox.routing import File, Page, page
from billing.sandbox.world import World

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


def rendered(
    world: World,
    template: str,
    *,
    typed: dict[str, str] | None = None,
    deep: bool = True,
    leads_to: tuple[str | None, ...] = (),
    status: int = 200,
    **values: Any,
) -> Page:
    """Return a page; `typed` is what its form held, `leads_to` where its forms may lead.

    `deep` pages lie in a folder, as `/checkout/…`: their links go up by one.
    """
    html = (
        _templates()
        .get_template(template)
        .render(
            now=world.now(),
            base=".." if deep else ".",
            typed={"number": "", "expiry": "", "cvc": "", "name": "", "email": ""} | (typed or {}),
            **values,
        )
    )
    origins = {_origin(address) for address in leads_to if address}
    return Page(html, status, tuple(sorted(origins - {""})))


def as_typed(params: Params, *names: str) -> dict[str, str]:
    """Return what a form held, to show it again; never the security code."""
    return {name: params.text(name) or "" for name in ("number", "expiry", *names)}


@page("GET", "/static/{file}")
def static(_world: World, _params: Params, file: str) -> File | Page:
    """Return a file of the pages."""
    content = _files().get(file)
    return Page("There is no such file.", 404) if content is None else content


@cache
def _files() -> dict[str, File]:
    """Return all files that there are, by name: none is looked for at a request's word."""
    return {
        path.name: File(path.read_bytes(), _TYPES[path.suffix])
        for path in sorted((_HERE / "static").iterdir())
        if path.suffix in _TYPES
    }


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "day": wording.day,
        "hour": wording.hour,
        "moment": lambda instant: f"{wording.day(instant)} {wording.hour(instant)}",
        "iso": lambda instant: datetime.fromtimestamp(instant, UTC).isoformat(),
        "date": lambda instant: f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d}",
    }
    return templates


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else ""
