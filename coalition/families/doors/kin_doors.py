"""Where members say what another is to them, confirm what others said, and end it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.families.doors import asking, finding
from coalition.families.doors.asking import OF_WRITES, member_of
from coalition.families.doors.finding import OF_FINDING, Named
from coalition.families.groups.groups import Groups
from coalition.families.kin import relationships
from coalition.families.kin.group_refusals import (
    InvalidRelationship,
    OthersWordNeeded,
    TooManyRelationships,
    UnknownRelationship,
)
from coalition.families.kin.relationships import Declared
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.web.fields import CodeText
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.members.refusals import MemberIsClosed
from coalition.members.sealing import MemberKeys

_TAGS = ("relationships",)

Work = Callable[[Connection, UUID, UUID, datetime], Awaitable[Declared]]


class RelatedBody(Named, frozen=True, kw_only=True):
    """What somebody is to you, who is named by exactly one of id, card, e-mail and phone."""

    relationship: Annotated[
        CodeText, Meta(description="What the other is to you", examples=["spouse"])
    ]


class KinView(msgspec.Struct, frozen=True, kw_only=True):
    """What another member is to you; rules count it from `confirmed_at`."""

    member_id: UUID
    """The other."""
    relationship: str
    declared_by: UUID
    declared_at: datetime
    confirmed_at: datetime | None
    evidence_asked_at: datetime | None
    proved_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, one: Declared, member: UUID) -> "KinView":
        """Return what is told of it to `member`."""
        return cls(
            member_id=one.other_id,
            relationship=one.relationship,
            declared_by=one.other_id if one.by_other else member,
            declared_at=one.declared_at,
            confirmed_at=one.confirmed_at,
            evidence_asked_at=one.evidence_asked_at,
            proved_at=one.proved_at,
            ended_at=one.ended_at,
        )


class KinList(msgspec.Struct, frozen=True):
    """Whom you are related to, by your word or theirs, as far as it has not ended."""

    items: list[KinView]


def routes(door: Door, groups: Groups, keys: MemberKeys) -> list[ASGIRouteHandler]:
    """Return the handlers of relationships."""
    one = "/v1/relationships/{member_id:uuid}"
    confirm = _deciding(
        groups,
        "confirm",
        relationships.confirm,
        "Confirm what another member says that it is to you",
        (OthersWordNeeded,),
    )
    end = _deciding(
        groups, "end", relationships.end, "End a relationship, or decline one that was declared"
    )
    return [
        hot_route(door, "/v1/relationships", _declare(groups, keys), _list(groups)),
        hot_route(door, f"{one}/confirm", confirm),
        hot_route(door, f"{one}/end", end),
    ]


def _declare(groups: Groups, keys: MemberKeys) -> HotEndpoint:
    async def declare(call: Call) -> Answer:
        body: RelatedBody = call.body
        relationships.check_word(body.relationship)
        member, other = member_of(call.caller), await finding.find(call, body, keys)

        async def work(connection: Connection, book: Book) -> KinView:
            said = await relationships.propose(
                connection, member, other, body.relationship, book.at
            )
            return KinView.of(said, member)

        return await asking.act(groups, call, "relationships", 201, work)

    return HotEndpoint(
        method="POST",
        summary="Say what another member is to you",
        description=(
            "Rules count it when the other has confirmed it. Said by both alike it is confirmed "
            "at once; another word than before ends what held."
        ),
        handle=declare,
        body=RelatedBody,
        answers={201: KinView},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(
            *(*OF_WRITES, *OF_FINDING, MemberIsClosed),
            *(InvalidRelationship, TooManyRelationships),
        ),
        tags=_TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _list(groups: Groups) -> HotEndpoint:
    async def look(connection: Connection, _: Book, call: Call) -> KinList:
        member = member_of(call.caller)
        found = await relationships.read(connection, member)
        return KinList([KinView.of(one, member) for one in found if one.ended_at is None])

    summary = "Whom you are related to, and whose word is awaited"
    return asking.looking(groups, look, KinList, summary, tags=_TAGS)


def _deciding(
    groups: Groups,
    word: str,
    decide: Work,
    summary: str,
    refusals: tuple[type[OthersWordNeeded], ...] = (),
) -> HotEndpoint:
    async def decided(call: Call) -> Answer:
        member, other = member_of(call.caller), call.path["member_id"]

        async def work(connection: Connection, book: Book) -> KinView:
            return KinView.of(await decide(connection, member, other, book.at), member)

        return await asking.act(groups, call, f"relationships/{other}/{word}", 200, work)

    return HotEndpoint(
        method="POST",
        summary=summary,
        description="The other one is named by its id. Said again it says nothing new.",
        handle=decided,
        answers={200: KinView},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(*OF_WRITES, UnknownRelationship, MemberIsClosed, *refusals),
        tags=_TAGS,
        answer_headers=REPLAY_HEADER,
    )
