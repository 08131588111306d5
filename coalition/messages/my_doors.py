"""Where a member's app reads what the member was told, and says that it was read."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.access import standing
from coalition.access.refusals import MembershipEnded
from coalition.kernel.database import transaction
from coalition.kernel.errors import Forbidden
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.ids import MemberId
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import HolderMerged
from coalition.messages import inbox
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


def routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of a member's messages."""
    return [
        hot_route(door, "/v1/me/messages", _list()),
        hot_route(door, "/v1/me/messages/{message_id:uuid}/read", _read()),
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
