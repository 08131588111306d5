"""Joining, signing in and signing out."""

import re

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from coalition.access import passwords
from coalition.access.refusals import SignInFailed
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused, TooMany
from coalition.members import service as members
from coalition.members.personal import Enrolment
from coalition.members.refusals import InvalidField
from coalition.messages import tongues
from member_ui.shop import currencies_of, offers_of
from member_ui.visit import House, Visit, sent, shown
from pages.rendering import lead_to

OPERATOR = 0
_START = "/wallet"
_OURS = re.compile(
    r"/(?:wallet|plans|membership|messages|gifts|order|fees)(?:/[a-z0-9-]{1,40}){0,3}(?:\?[\w=&.%-]{0,300})?",
    re.ASCII,
)
"""Where somebody who signs in may be led on to."""
_FIELDS = {
    "email_taken": "email",
    "login_taken": "email",
    "invalid_email": "email",
    "contact_needed": "email",
    "invalid_name": "name",
    "payment_card_refused": "name",
    "weak_password": "password",
}
"""The field that a refusal is about."""


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of getting in and out."""
    return [
        shown(house, "/", _welcome, to_members=False),
        shown(house, "/join", _ask_to_join, to_members=False),
        sent(house, "/join", _join, to_members=False),
        shown(house, "/sign-in", _ask_to_sign_in, to_members=False),
        sent(house, "/sign-in", _sign_in, to_members=False),
        sent(house, "/sign-out", _sign_out),
    ]


async def _welcome(visit: Visit) -> Response[bytes]:
    if visit.session is not None:
        return lead_to("/wallet")
    offers = await offers_of(visit)
    return visit.page("welcome.html", offers=offers, **currencies_of(visit, offers))


async def _ask_to_join(visit: Visit) -> Response[bytes]:
    return visit.page("join.html", said=None, filled={}, wrong="", next=_next(visit))


async def _join(visit: Visit) -> Response[bytes]:
    form = visit.form
    email, password = form.get("email", ""), form.get("password", "")
    try:
        await _enrol(visit, email, password)
        return await _open(visit, email, password)
    except Refused as refusal:
        if refusal.status >= 500:
            raise
        said, filled = visit.refused(refusal), {**form, "password": ""}
        return visit.page(
            "join.html",
            status=refusal.status,
            said=said,
            filled=filled,
            wrong=_FIELDS.get(refusal.code, ""),
            next=_next(visit),
        )


async def _enrol(visit: Visit, email: str, password: str) -> None:
    """Make the member and its login, both or neither; what will not do is refused before."""
    passwords.checked(password)
    sign_ins = visit.house.sign_ins
    wanted = Enrolment(
        email=email,
        first_name=visit.form.get("first_name") or None,
        last_name=visit.form.get("last_name") or None,
    )
    keys, at = visit.house.keys, visit.at
    async with transaction() as connection:
        made = await members.enrol(wanted, partner_no=OPERATOR, keys=keys, at=at)
        code = await sign_ins.give_code(made.member_id, email, actor="member:joined", at=at)
        await sign_ins.set_password(code.code, password, at)
        await tongues.choose(connection, made.member_id, visit.wording.language, at)


async def _ask_to_sign_in(visit: Visit) -> Response[bytes]:
    if visit.session is not None:
        return lead_to(_next(visit))
    return visit.page("sign_in.html", said=None, email="", next=_next(visit))


async def _sign_in(visit: Visit) -> Response[bytes]:
    email = visit.form.get("email", "")
    try:
        return await _open(visit, email, visit.form.get("password", ""))
    except (SignInFailed, InvalidField, TooMany) as refusal:
        said = visit.refused(refusal)
        return visit.page(
            "sign_in.html", status=refusal.status, said=said, email=email, next=_next(visit)
        )


async def _sign_out(visit: Visit) -> Response[bytes]:
    await visit.house.sessions.end(visit.request.cookies.get(visit.house.cookie, ""))
    answer = lead_to("/")
    answer.set_cookie(visit.cookie(visit.house.cookie, "", max_age=0))
    return answer


async def _open(visit: Visit, email: str, password: str) -> Response[bytes]:
    house = visit.house
    word = await house.sessions.open(email, password, visit.at)
    before = visit.request.cookies.get(house.cookie)
    if before:
        await house.sessions.end(before)
    answer = lead_to(_next(visit))
    answer.set_cookie(visit.cookie(house.cookie, word))
    return answer


def _next(visit: Visit) -> str:
    """Return where to go on to: a page of ours that was wanted, else the wallet."""
    wanted = visit.form.get("next") or visit.query("next")
    return wanted if _OURS.fullmatch(wanted) else _START
