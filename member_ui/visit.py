"""One visit of a page: who comes, in which language, with what form; and how it is answered."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.handlers import HTTPRouteHandler

from billing.subscriptions.service import Memberships
from coalition.access.sessions import Session, Sessions
from coalition.access.sign_in import SignIns
from coalition.federation.catalogue import Catalogue
from coalition.kernel.clock import Clock
from coalition.kernel.errors import Invalid, Refused, Unauthenticated
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from coalition.points.till import Tills
from member_ui.words import WORDS
from pages import forms
from pages.languages import NAMES, Wording, asked_for
from pages.rendering import environment, lead_to, page

AnyRequest = Request[Any, Any, State]  # Any: there is neither user nor Litestar's session here
Shown = Any  # Any: a template takes whatever it names

LANGUAGE_COOKIE = "language"
_LONGEST_WORD = 100


class NotFromHere(Invalid):
    """The form lacks what its page put in; open the page again and send it from there."""

    code, title = "form_outdated", "Form outdated"


@dataclass(frozen=True)
class House:
    """What the pages need of the service."""

    settings: Settings
    clock: Clock
    sign_ins: SignIns
    sessions: Sessions
    memberships: Memberships
    tills: Tills
    keys: MemberKeys
    templates: Environment = field(default_factory=lambda: environment("member_ui"))

    @property
    def is_secure(self) -> bool:
        """Tell whether browsers come over TLS."""
        return self.settings.issuer.startswith("https://")

    @property
    def cookie(self) -> str:
        """Return the name of the session's cookie; over TLS it is bound to this host alone."""
        return "__Host-session" if self.is_secure else "session"


class Visit:
    """A request with everything that is known of it."""

    def __init__(
        self,
        house: House,
        request: AnyRequest,
        known: Catalogue,
        session: Session | None,
        form: Mapping[str, str],
    ) -> None:
        """Gather what is known; the clock is read here, once."""
        self.house, self.request, self.known = house, request, known
        self.session, self.form = session, form
        self.at = house.clock.now()
        language = asked_for(
            request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE),
            request.headers.get("accept-language", ""),
        )
        zone = known.zone if known.is_set_up else ZoneInfo("UTC")
        self.wording = Wording(language, WORDS[language], zone)

    @property
    def member(self) -> MemberId:
        """Return who has signed in; pages for members are opened to nobody else."""
        assert self.session is not None, "the route lets members in alone"
        return self.session.member_id

    @property
    def key(self) -> str:
        """Return the idempotency key of the form: the same form sent twice is one act."""
        act = self.asked("act")
        assert self.session is not None, "the route lets members in alone"
        return f"page-{self.session.form_key[:16]}-{act[:64]}"

    def asked(self, name: str) -> str:
        """Return a field of the form. Raises `NotFromHere` where the page's own field is gone."""
        if not self.form.get(name):
            raise NotFromHere
        return self.form[name]

    def number(self, name: str) -> int:
        """Return a field of the form that is a whole number. Raises as `asked` does."""
        text = self.asked(name)
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise NotFromHere
        return int(text)

    def instant(self, name: str) -> datetime:
        """Return a field of the form that is an instant of ours. Raises as `asked` does."""
        try:
            at = datetime.fromisoformat(self.asked(name))
        except ValueError as error:
            raise NotFromHere from error
        if at.tzinfo is None:
            raise NotFromHere
        return at

    def page(self, name: str, *, status: int = 200, **shown: Shown) -> Response[bytes]:
        """Return a page of ours with what every page shows around it."""
        around = {
            "w": self.wording,
            "name": self.known.coalition.name if self.known.is_set_up else "Coalition",
            "session": self.session,
            "here": self.request.url.path,
            "languages": NAMES,
            "act": secrets.token_urlsafe(12),
            "now": self.at,
        }
        answer = page(self.house.templates, f"member_ui/{name}", around | shown, status=status)
        chosen = self.request.query_params.get("lang")
        if chosen in NAMES:
            answer.set_cookie(self.cookie(LANGUAGE_COOKIE, chosen, max_age=31_536_000))
        return answer

    def cookie(self, name: str, value: str, *, max_age: int | None = None) -> Cookie:
        """Return a cookie that scripts cannot read and other sites' forms do not send."""
        return Cookie(
            key=name,
            value=value,
            max_age=max_age,
            path="/",
            secure=self.house.is_secure,
            httponly=True,
            samesite="lax",
        )

    def refused(self, refusal: Refused) -> str:
        """Return a refusal in the language of the visit, or as the service says it."""
        key = f"refusal.{refusal.code}"
        return self.wording.say(key) if self.wording.knows(key) else refusal.detail


Show = Callable[[Visit], Awaitable[Response[bytes]]]


def shown(house: House, path: str, show: Show, *, to_members: bool = True) -> HTTPRouteHandler:
    """Return the handler that shows a page at `path`."""

    @get(path, include_in_schema=False, opt={"exclude_from_document": True})
    async def handler(request: AnyRequest) -> Response[bytes]:
        return await _answer(house, request, show, {}, to_members=to_members)

    return handler


def sent(house: House, path: str, do: Show, *, to_members: bool = True) -> HTTPRouteHandler:
    """Return the handler that takes a form at `path`; what it answers leads on to a page."""

    @post(path, status_code=303, include_in_schema=False, opt={"exclude_from_document": True})
    async def handler(request: AnyRequest) -> Response[bytes]:
        forms.check_origin(request.headers, house.settings.issuer)
        form = forms.read(request.headers.get("content-type", ""), await request.body())
        return await _answer(house, request, do, form, to_members=to_members)

    return handler


async def _answer(
    house: House, request: AnyRequest, do: Show, form: Mapping[str, str], *, to_members: bool
) -> Response[bytes]:
    word = request.cookies.get(house.cookie, "")[:_LONGEST_WORD]
    session = await house.sessions.read(word, house.clock.now()) if word else None
    known = (await house.tills.terms()).catalogue
    visit = Visit(house, request, known, session, form)
    if to_members and session is None:
        return lead_to(f"/sign-in?next={request.url.path}")
    try:
        if to_members and form and form.get("form_key") != getattr(session, "form_key", None):
            raise NotFromHere
        return await do(visit)
    except Refused as refusal:
        if isinstance(refusal, Unauthenticated):
            return lead_to("/sign-in")
        said = visit.refused(refusal)
        return visit.page("refused.html", status=refusal.status, said=said, code=refusal.code)
