"""Where a member's app reads what the member was told, and says how it wants to be told."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import UNSET, Meta, UnsetType

from coalition.access import standing
from coalition.access.refusals import MembershipEnded
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Forbidden
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.ids import MemberId
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import HolderMerged
from coalition.members import consents
from coalition.members.consents import Channel, Given, VersionText
from coalition.messages import inbox, saying, tongues
from coalition.messages.inbox import Message
from coalition.messages.refusals import UnknownMessage

TAGS = ("me",)
_REFUSALS = (MembershipEnded, HolderMerged)


class MessagesQuery(Body, frozen=True):
    """Which messages are wanted."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most")] = 20
    cursor: Annotated[UUID | None, Meta(description="The `next_cursor` of the page before")] = None


class MyMessages(msgspec.Struct, frozen=True):
    """Messages, the latest first; ask again with `cursor` for those before."""

    items: list[Message]
    unread: int
    next_cursor: UUID | None


Language = Literal["en", "sv", "nb"]


class OffersWord(Body, frozen=True):
    """A yes or no to offers and news by e-mail, and the version of the text shown with it."""

    granted: bool
    text_version: VersionText


class PreferencesBody(Body, frozen=True):
    """How the member wants to be written to; what is left out stays as it is."""

    language: Annotated[Language | UnsetType, Meta(description="Of every message from now on")] = (
        UNSET
    )
    offers_by_email: OffersWord | UnsetType = UNSET


class MyPreferences(msgspec.Struct, frozen=True):
    """How the member is written to.

    Without a language of its own it is that of its last order, or the coalition's. What the
    contract needs, such as prices, payments and points that end, always comes.
    """

    language: Language | None
    offers_by_email: bool


def routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of a member's messages."""
    return [
        hot_route(door, "/v1/me/messages", _list()),
        hot_route(door, "/v1/me/messages/{message_id:uuid}/read", _read()),
        hot_route(door, "/v1/me/preferences", _preferences(), _prefer()),
    ]


def _member_of(call: Call) -> MemberId:
    if call.caller.member_id is None:
        raise Forbidden("Only a member who has signed in may do this")
    return MemberId(call.caller.member_id)


def _list() -> HotEndpoint:
    async def messages(call: Call) -> Answer:
        asked: MessagesQuery = call.query
        member = _member_of(call)
        async with transaction() as connection:
            await standing.check(connection, member, writes=False)
            found = await inbox.page(connection, member, before=asked.cursor, limit=asked.limit + 1)
            unread = await inbox.unread(connection, member)
        shown = found[: asked.limit]
        last = shown[-1].message_id if len(found) > asked.limit else None
        return Answer(200, MyMessages(shown, unread, last))

    return HotEndpoint(
        method="GET",
        summary="What you were told, the latest first",
        description="A message is said once, in your language. `path` is a page of the service.",
        handle=messages,
        query=MessagesQuery,
        answers={200: MyMessages},
        scope=MEMBER_SCOPE,
        refusals=_REFUSALS,
        tags=TAGS,
    )


def _read() -> HotEndpoint:
    async def read(call: Call) -> Answer:
        member = _member_of(call)
        async with transaction() as connection:
            await standing.check(connection, member, writes=False)
            message = await inbox.read(connection, member, call.path["message_id"], call.at)
        return Answer(200, message)

    return HotEndpoint(
        method="PUT",
        summary="Say that you have read a message",
        description="The first time counts; again it changes nothing, so it needs no key.",
        handle=read,
        answers={200: Message},
        scope=MEMBER_SCOPE,
        refusals=(*_REFUSALS, UnknownMessage),
        tags=TAGS,
    )


def _preferences() -> HotEndpoint:
    async def preferences(call: Call) -> Answer:
        member = _member_of(call)
        async with transaction() as connection:
            await standing.check(connection, member, writes=False)
            return Answer(200, await _preferred(connection, member))

    return HotEndpoint(
        method="GET",
        summary="How you want to be written to",
        handle=preferences,
        answers={200: MyPreferences},
        scope=MEMBER_SCOPE,
        refusals=_REFUSALS,
        tags=TAGS,
    )


def _prefer() -> HotEndpoint:
    async def prefer(call: Call) -> Answer:
        body: PreferencesBody = call.body
        member = _member_of(call)
        async with transaction() as connection:
            # Also who is frozen may say no.
            await standing.check(connection, member, writes=False)
            if body.language is not UNSET:
                await tongues.choose(connection, member, body.language, call.at)
            if body.offers_by_email is not UNSET:
                word = Given(
                    purpose=saying.MARKETING,
                    granted=body.offers_by_email.granted,
                    text_version=body.offers_by_email.text_version,
                    channel=Channel.EMAIL,
                )
                await consents.give_by_member(member, word, source="member:app", at=call.at)
            return Answer(200, await _preferred(connection, member))

    return HotEndpoint(
        method="PUT",
        summary="Say how you want to be written to",
        description=(
            "The language of messages, and yes or no to offers and news by e-mail, which nobody "
            "gets without a yes. What is left out stays. The same again changes nothing, so it "
            "needs no key."
        ),
        handle=prefer,
        body=PreferencesBody,
        answers={200: MyPreferences},
        scope=MEMBER_SCOPE,
        refusals=_REFUSALS,
        tags=TAGS,
    )


async def _preferred(connection: Connection, member: MemberId) -> MyPreferences:
    language = await tongues.chosen(connection, member)
    wants = await saying.wants_marketing(connection, member)
    return MyPreferences(msgspec.convert(language, Language | None), wants)
