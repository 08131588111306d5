"""One visit of a page: who comes, in which language, with what form; and how it is answered."""

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment
from litestar import MediaType, Request, Response, post, route
from litestar.datastructures import Cookie, State
from litestar.handlers import HTTPRouteHandler

from billing.subscriptions.service import Memberships
from coalition.access.sessions import Session, Sessions
from coalition.access.sign_in import SignIns
from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import ENGLISH
from coalition.kernel.clock import Clock
from coalition.kernel.database import transaction
from coalition.kernel.errors import Invalid, Refused, Unauthenticated
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from coalition.messages import inbox
from coalition.points.till import Tills
from member_ui.words import WORDS
from pages import forms
from pages.languages import NAMES, asked_for
from pages.places import LocalWording, country_asked_from
from pages.rendering import HEADERS, LOOKS, environment, lead_to, page

AnyRequest = Request[Any, Any, State]  # Any: there is neither user nor Litestar's session here
Shown = Any  # Any: a template takes whatever it names

LANGUAGE_COOKIE, COUNTRY_COOKIE = "language", "country"
_LONGEST_WORD = 100
_LONGEST_QUERY = 300
_LONGEST_VALUE = 400
_YEAR_S = 31_536_000
_COUNTRY = re.compile("[A-Z]{2}", re.ASCII)


class NotFromHere(Invalid):
    """The form lacks what its page put in; open the page again and send it from there."""

    code, title = "form_outdated", "Form outdated"


@dataclass
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
    language: str = ENGLISH
    """What the coalition spoke when last looked at: some pages ask nothing of the database."""

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
    ) -> None:
        """Gather what is known; the clock is read here, once."""
        self.house, self.request, self.known = house, request, known
        self.session = session
        self.form: Mapping[str, str] = {}
        self.unread = 0
        """How many messages the member has not read."""
        self.at = house.clock.now()
        zone = known.zone if known.is_set_up else ZoneInfo("UTC")
        self.wording = wording_of(request, zone, known.language)

    @property
    def member(self) -> MemberId:
        """Return who has signed in; pages for members are opened to nobody else."""
        assert self.session is not None, "the route lets members in alone"
        return self.session.member_id

    @property
    def coalition(self) -> str:
        """Return the name by which the coalition goes."""
        return self.known.coalition.name if self.known.is_set_up else "Coalition"

    def query(self, name: str) -> str:
        """Return a parameter of the address; what is too long or holds a NUL is none."""
        value = self.request.query_params.get(name, "")
        return value if len(value) <= _LONGEST_VALUE and "\0" not in value else ""

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

    def identifier(self, name: str) -> UUID:
        """Return a field of the form that is an id of ours. Raises as `asked` does."""
        try:
            return UUID(self.asked(name))
        except ValueError as error:
            raise NotFromHere from error

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
        done = f"done.{self.query('done')}"
        around = {
            "w": self.wording,
            "name": self.coalition,
            "session": self.session,
            "unread": self.unread,
            "here": self.request.url.path,
            "languages": in_languages(self.request),
            "act": secrets.token_urlsafe(12),
            "now": self.at,
            "done": self.wording.say(done) if self.wording.knows(done) else "",
        }
        answer = page(self.house.templates, f"member_ui/{name}", around | shown, status=status)
        chosen = self.request.query_params.get("lang")
        if chosen in NAMES:
            answer.set_cookie(self.cookie(LANGUAGE_COOKIE, chosen, max_age=_YEAR_S))
        if (country := self.query("country")) and _COUNTRY.fullmatch(country):
            answer.set_cookie(self.cookie(COUNTRY_COOKIE, country, max_age=_YEAR_S))
        return answer

    @property
    def country(self) -> str | None:
        """Return the country that the form or the address names."""
        named = self.form.get("country") or self.query("country")
        return named if _COUNTRY.fullmatch(named) else None

    @property
    def likely_country(self) -> str | None:
        """Return the country that was chosen before in this browser, or that it is likely in."""
        chosen = self.request.cookies.get(COUNTRY_COOKIE, "")
        if _COUNTRY.fullmatch(chosen):
            return chosen
        languages = self.request.headers.get("accept-language", "")
        return country_asked_from(languages) or country_asked_from(self.wording.language)

    def text(self, name: str, text: str) -> Response[bytes]:
        """Return a file of plain text that a browser keeps under `name`."""
        headers = {"content-disposition": f'attachment; filename="{name}"', **HEADERS}
        return Response(text.encode(), media_type=MediaType.TEXT, headers=headers)

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
        """Return a refusal in the language of the visit, or as the service says it in English."""
        key = f"refusal.{refusal.code}"
        if self.wording.knows(key):
            return self.wording.say(key)
        return refusal.detail if self.wording.language == "en" else self.wording.say("refusal")


def wording_of(request: AnyRequest, zone: ZoneInfo, otherwise: str) -> LocalWording:
    """Return how a request is spoken to: as was chosen, as its browser asks, or `otherwise`."""
    language = asked_for(
        request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("accept-language", ""),
        otherwise,
    )
    return LocalWording(language, WORDS[language], zone)


def in_languages(request: AnyRequest) -> list[tuple[str, str, str]]:
    """Return each language's code and name, and the address of the page that is shown in it."""
    others = [(name, value) for name, value in request.query_params.items() if name != "lang"]
    kept = others if len(urlencode(others)) <= _LONGEST_QUERY else []
    return [(code, name, "?" + urlencode([*kept, ("lang", code)])) for code, name in NAMES.items()]


def done(path: str, what: str) -> Response[bytes]:
    """Return the answer that leads on to a page of ours, which says what was done."""
    return lead_to(f"{path}?done={what}")


Show = Callable[[Visit], Awaitable[Response[bytes]]]


def shown(house: House, path: str, show: Show, *, to_members: bool = True) -> HTTPRouteHandler:
    """Return the handler that shows a page at `path`."""

    @route(path, http_method=LOOKS, include_in_schema=False, opt={"exclude_from_document": True})
    async def handler(request: AnyRequest) -> Response[bytes]:
        return await _answer(house, request, show, to_members=to_members)

    return handler


def sent(
    house: House, path: str, do: Show, *, to_members: bool = True, from_anywhere: bool = False
) -> HTTPRouteHandler:
    """Return the handler that takes a form at `path`; what it answers leads on to a page.

    One that comes `from_anywhere` is not read: its address alone says all.
    """

    async def act(visit: Visit) -> Response[bytes]:
        if from_anywhere:
            return await do(visit)
        headers = visit.request.headers
        forms.check_origin(headers, house.settings.issuer)
        visit.form = forms.read(headers.get("content-type", ""), await visit.request.body())
        if visit.session is not None and to_members:
            given = visit.form.get("form_key", "")
            if not hmac.compare_digest(given.encode(), visit.session.form_key.encode()):
                raise NotFromHere
        return await do(visit)

    @post(path, status_code=303, include_in_schema=False, opt={"exclude_from_document": True})
    async def handler(request: AnyRequest) -> Response[bytes]:
        return await _answer(house, request, act, to_members=to_members)

    return handler


async def _answer(
    house: House, request: AnyRequest, do: Show, *, to_members: bool
) -> Response[bytes]:
    word = request.cookies.get(house.cookie, "")[:_LONGEST_WORD]
    session = await house.sessions.read(word, house.clock.now()) if word else None
    known = (await house.tills.terms()).catalogue
    house.language = known.language
    visit = Visit(house, request, known, session)
    if to_members and session is None:
        return _to_sign_in(request)
    if session is not None:
        async with transaction() as connection:
            visit.unread = await inbox.unread(connection, session.member_id)
    try:
        return await do(visit)
    except Unauthenticated:
        return _to_sign_in(request)
    except Refused as refusal:
        said = visit.refused(refusal)
        return visit.page("refused.html", status=refusal.status, said=said, code=refusal.code)


def _to_sign_in(request: AnyRequest) -> Response[bytes]:
    """Lead to where one signs in, and from there back to what was wanted."""
    wanted = request.url.path
    if request.method in LOOKS and request.url.query:
        wanted += f"?{request.url.query[:_LONGEST_QUERY]}"
    return lead_to(f"/sign-in?next={quote(wanted)}")
