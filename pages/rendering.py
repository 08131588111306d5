"""Pages from templates: everything that is put in is escaped, nothing that runs is let in."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined, select_autoescape
from litestar import HttpMethod, MediaType, Response

from pages.assets import STYLES

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self' https://checkout.stripe.com "
    "https://billing.stripe.com"
)
"""What a page may load and where its forms may lead: here, and to Stripe's hosted pages."""

HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    # With "no-referrer" a browser would name no origin with our own forms either.
    "referrer-policy": "same-origin",
}
"""What goes with every answer of a page."""

LOOKS = (HttpMethod.GET, HttpMethod.HEAD)
"""How a page is asked for; HEAD is answered as GET is, without the body (RFC 9110 §9.3.2)."""

_AS_IT_IS = "/?#[]@!$&'()*+,;=:%~"


def environment(*packages: str) -> Environment:
    """Return the templates of `pages` and of `packages`, named as `package/file.html`."""
    loaders = {name: PackageLoader(name) for name in ("pages", *packages)}
    return Environment(
        loader=PrefixLoader(loaders),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(
    templates: Environment,
    name: str,
    shown: Mapping[str, Any],  # Any: whatever the template asks for
    *,
    status: int = 200,
) -> Response[bytes]:
    """Return the page that the template `name` makes of `shown`."""
    styles = [style.address for style in STYLES]
    text = templates.get_template(name).render(styles=styles, **shown)
    return Response(text.encode(), status_code=status, media_type=MediaType.HTML, headers=HEADERS)


def lead_to(address: str) -> Response[bytes]:
    """Return the answer that leads a browser on to `address` by GET (RFC 9110 §15.4.4).

    Whatever is no character of an address, such as the end of a line, is written as `%0A` is. Two
    slashes at the beginning, as somebody may ask for a page, would name another host (RFC 3986
    §4.2): they are one.
    """
    if address.startswith("//"):
        address = "/" + address.lstrip("/")
    location = quote(address, safe=_AS_IT_IS)
    headers = {"location": location, **HEADERS}
    return Response(b"", status_code=303, media_type=MediaType.HTML, headers=headers)
