"""What a browser gets: pages under a strict policy, files, and the way on."""

from typing import NamedTuple

from billing.sandbox.routing import File, Page, Redirect, Travel

PageAnswer = Page | File | Redirect | Travel

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{targets}; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}


class Sent(NamedTuple):
    """An answer ready to be sent."""

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str]


def sent(answer: PageAnswer) -> Sent:
    """Return an answer with its headers; a page may not be framed, and runs no script."""
    if isinstance(answer, Redirect | Travel):
        return Sent(303, "text/html", b"", _ALWAYS | {"Location": answer.url})
    if isinstance(answer, File):
        headers = _ALWAYS | {"Cache-Control": "max-age=3600"}
        return Sent(200, answer.content_type, answer.content, headers)
    # Chromium holds a redirect after a form to the policy too.
    targets = "".join(f" {target}" for target in answer.form_targets)
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": _POLICY.format(targets=targets),
    }
    content = answer.html.encode()
    return Sent(answer.status, "text/html; charset=utf-8", content, _ALWAYS | headers)


def comes_from_elsewhere(headers: dict[str, str]) -> bool:
    """Tell whether another site made a browser send this form; programs say neither of both."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in {"same-origin", "none"}
    return origin is not None and origin.partition("://")[2] != headers.get("host")
