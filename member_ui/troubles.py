"""Pages for what no page foresaw: an address that leads nowhere, and a failure of our own.

Programs get problem documents (`coalition.kernel.web.problem`); these are for people, whose
browsers ask for HTML. They ask nothing of the database, which may be what failed.
"""

from zoneinfo import ZoneInfo

from litestar import Response

from coalition.kernel.errors import NotAllowed, Refused
from coalition.kernel.web.problem import REQUEST_ID, PageOf
from member_ui.visit import AnyRequest, House, in_languages, wording_of
from pages.rendering import LOOKS, lead_to, page

_OF_PROGRAMS = (
    "/v1/",
    "/oauth/",
    "/webhooks/",
    "/sandbox/",
    "/schema",
    "/static/",
    "/health",
    "/metrics",
    "/.well-known/",
)
_FAILED, _UNAVAILABLE, _NOT_FOUND = 500, 503, 404


def page_of(house: House) -> PageOf:
    """Return what tells a person of a refusal or a failure; of others' requests it makes none."""

    def show(request: AnyRequest, refused: Refused | None) -> Response[bytes] | None:
        if not _is_of_a_person(request):
            return None
        if isinstance(refused, NotAllowed) and request.method in LOOKS:
            # The address of a form, opened anew: the page that the form was on is above it.
            above = request.url.path.rstrip("/").rpartition("/")[0] or "/"
            query = request.url.query
            return lead_to(f"{above}?{query}" if query else above)
        status = _FAILED if refused is None else refused.status
        shown = {
            "w": wording_of(request, ZoneInfo("UTC"), house.language),
            "name": "",
            "languages": in_languages(request),
            "trouble": _named(status),
            "request_id": request.scope.get(REQUEST_ID, ""),
        }
        return page(house.templates, "member_ui/trouble.html", shown, status=status)

    return show


def _is_of_a_person(request: AnyRequest) -> bool:
    asks = request.headers.get("accept", "")
    return "text/html" in asks and not request.url.path.startswith(_OF_PROGRAMS)


def _named(status: int) -> str:
    """Return the word by which the templates know a trouble."""
    if status == _NOT_FOUND:
        return "not_found"
    if status == _UNAVAILABLE:
        return "unavailable"
    return "failed" if status >= _FAILED else "refused"
