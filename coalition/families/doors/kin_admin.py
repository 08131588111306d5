"""Where staff note who is what to whom: relationships that are proved, and guardians of minors."""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler

from coalition.families.doors import asking
from coalition.families.groups.groups import Groups
from coalition.families.kin import guardians, relationships
from coalition.families.kin.group_refusals import (
    GuardianIsAMinor,
    InvalidRelationship,
    NotAMinor,
    UnknownGuardian,
    UnknownRelationship,
)
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.idempotency import KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import HolderMerged
from coalition.members.refusals import MemberIsClosed, UnknownMember

DECIDE = "families:decide"
TAGS = ("families of all",)


class RelationshipBody(Body, frozen=True, kw_only=True):
    """Of whom to whom a relationship is."""

    member_id: UUID
    other_id: UUID


class RelationshipAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A relationship as it stands: what was declared, asked, proved."""

    member_id: UUID
    other_id: UUID
    relationship: str
    confirmed_at: datetime | None
    evidence_asked_at: datetime | None
    proved_at: datetime | None


class GuardianBody(Body, frozen=True, kw_only=True):
    """Who guards whom."""

    minor: UUID
    guardian: UUID


def routes(door: Door, groups: Groups) -> list[ASGIRouteHandler]:
    """Return the handlers by which staff note relationships and guardians."""
    return [
        hot_route(door, "/v1/admin/relationships/ask", _evidence(groups, "ask")),
        hot_route(door, "/v1/admin/relationships/prove", _evidence(groups, "prove")),
        hot_route(door, "/v1/admin/guardians/appoint", _guardians(groups, "appoint")),
        hot_route(door, "/v1/admin/guardians/dismiss", _guardians(groups, "dismiss")),
    ]


def _evidence(groups: Groups, word: str) -> HotEndpoint:
    note = relationships.prove if word == "prove" else relationships.ask_for_evidence

    async def noted(call: Call) -> Answer:
        body: RelationshipBody = call.body
        member, other = body.member_id, body.other_id

        async def work(connection: Connection, book: Book) -> RelationshipAnswer:
            await note(member, other, actor=call.caller.actor, at=book.at)
            (found,) = await relationships.read(connection, member, other)
            return RelationshipAnswer(
                member_id=member,
                other_id=other,
                relationship=found.relationship,
                confirmed_at=found.confirmed_at,
                evidence_asked_at=found.evidence_asked_at,
                proved_at=found.proved_at,
            )

        return await asking.act(groups, call, f"relationships/{word}", 200, work)

    return HotEndpoint(
        method="POST",
        summary="Note that a relationship was proved"
        if word == "prove"
        else "Have a relationship proved before it counts again",
        handle=noted,
        body=RelationshipBody,
        answers={200: RelationshipAnswer},
        scope=DECIDE,
        idempotent=True,
        refusals=(KeyReused, RequestInProgress, UnknownRelationship, InvalidRelationship),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _guardians(groups: Groups, word: str) -> HotEndpoint:
    async def noted(call: Call) -> Answer:
        body: GuardianBody = call.body
        pair = body.minor, body.guardian

        async def work(connection: Connection, book: Book) -> GuardianBody:
            del connection
            actor = call.caller.actor
            if word == "appoint":
                await guardians.appoint(
                    *pair, source="staff", actor=actor, keys=book.keys, at=book.at
                )
            else:
                await guardians.dismiss(*pair, actor=actor, at=book.at)
            return body

        return await asking.act(groups, call, f"guardians/{word}", 200, work)

    return HotEndpoint(
        method="POST",
        summary="Let a member guard a minor"
        if word == "appoint"
        else "End a guardianship, and what the guardian has stopped",
        handle=noted,
        body=GuardianBody,
        answers={200: GuardianBody},
        scope=DECIDE,
        idempotent=True,
        refusals=(
            KeyReused,
            RequestInProgress,
            UnknownGuardian,
            NotAMinor,
            GuardianIsAMinor,
            InvalidRelationship,
            UnknownMember,
            HolderMerged,
            MemberIsClosed,
        ),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )
