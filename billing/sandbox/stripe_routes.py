"""The routes that Stripe has, as the installed package names them; read when first asked for.

The package is not imported for this: its service files are read as text, since what the sandbox
lacks is asked for rarely, and importing the whole package takes longer.
"""

import re
from functools import cache

from billing.sandbox.nullable import package

_CALL = re.compile(r"self\._request\(\s*\"(get|post|delete)\",\s*\"(/v[12]/[^\"]*)\"")
_NAME = re.compile(r"\{\w+\}")


@cache
def stripe_routes() -> dict[tuple[str, str], str]:
    """Return every route by method and nameless path (`/v1/customers/{}`), with its named path."""
    routes: dict[tuple[str, str], str] = {}
    for file in sorted(package().rglob("_*_service.py")):
        for method, path in _CALL.findall(file.read_text("utf-8")):
            routes[method.upper(), _NAME.sub("{}", path)] = path
    return routes


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [
        (method, re.compile(re.escape(shape).replace(r"\{\}", "[^/]+")))
        for method, shape in stripe_routes()
    ]


def is_stripes(method: str, path: str) -> bool:
    """Tell whether Stripe answers such a request."""
    return any(known == method and pattern.fullmatch(path) for known, pattern in _patterns())
