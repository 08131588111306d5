"""The inbox: what a member was told, in which language it wants to hear it, and marketing."""

from uuid import UUID

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from coalition.kernel.database import transaction
from coalition.members import consents
from coalition.members.consents import Channel, Given
from coalition.messages import inbox, saying, tongues, unsubscribing
from coalition.messages.refusals import UnknownMessage
from coalition.messages.wording import LANGUAGES
from member_ui.visit import House, Visit, done, sent, shown

TEXT_VERSION = "pages-2026-11"
"""Of the words beside the box that a member ticks for marketing; changed with them."""

_PAGE = 20
_UNSUBSCRIBE = unsubscribing.PATH + "/{token:str}"


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of messages."""
    return [
        shown(house, "/messages", _list),
        shown(house, "/messages/{message_id:str}", _one),
        shown(house, "/messages/settings", _settings),
        sent(house, "/messages/settings", _choose),
        shown(house, _UNSUBSCRIBE, _ask_to_unsubscribe, to_members=False),
        sent(house, _UNSUBSCRIBE, _unsubscribe, to_members=False, from_anywhere=True),
    ]


async def _list(visit: Visit) -> Response[bytes]:
    asked = visit.query("before")
    before = _id(asked) if asked else None
    async with transaction() as connection:
        found = await inbox.page(connection, visit.member, before=before, limit=_PAGE + 1)
    page = found[:_PAGE]
    earlier = page[-1].message_id if len(found) > _PAGE else None
    return visit.page("messages.html", messages=page, earlier=earlier)


async def _one(visit: Visit) -> Response[bytes]:
    message_id = _id(visit.request.path_params["message_id"])
    async with transaction() as connection:
        message = await inbox.read(connection, visit.member, message_id, visit.at)
        visit.unread = await inbox.unread(connection, visit.member)
    return visit.page("message.html", message=message)


def _id(text: str) -> UUID:
    """Return a message's id. Raises `UnknownMessage` for what is none."""
    try:
        return UUID(text)
    except ValueError as error:
        raise UnknownMessage from error


async def _settings(visit: Visit) -> Response[bytes]:
    async with transaction() as connection:
        chosen = await tongues.chosen(connection, visit.member)
        wants = await saying.wants_marketing(connection, visit.member)
    return visit.page(
        "message_settings.html",
        chosen=chosen or visit.wording.language,
        wants_marketing=wants,
        sends_emails=visit.house.settings.smtp_url is not None,
    )


async def _choose(visit: Visit) -> Response[bytes]:
    language = visit.asked("language")
    async with transaction() as connection:
        if language in LANGUAGES:
            await tongues.choose(connection, visit.member, language, visit.at)
    word = Given(
        purpose=saying.MARKETING,
        granted=visit.form.get("marketing") == "yes",
        text_version=f"{TEXT_VERSION}.{visit.wording.language}",
        channel=Channel.EMAIL,
    )
    if word.granted or await _wants_marketing(visit):
        await consents.give_by_member(visit.member, word, source="member:pages", at=visit.at)
    return done("/messages/settings", "settings_kept")


async def _wants_marketing(visit: Visit) -> bool:
    async with transaction() as connection:
        return await saying.wants_marketing(connection, visit.member)


async def _ask_to_unsubscribe(visit: Visit) -> Response[bytes]:
    token = visit.request.path_params["token"]
    unsubscribing.member_of(token, visit.house.keys)
    return visit.page("unsubscribe.html", path=visit.request.url.path, is_done=False)


async def _unsubscribe(visit: Visit) -> Response[bytes]:
    """Take a member's no, also from its mail program (RFC 8058): the address is the proof."""
    token = visit.request.path_params["token"]
    await unsubscribing.unsubscribe(token, visit.house.keys, visit.at)
    return visit.page("unsubscribe.html", status=200, path="", is_done=True)
