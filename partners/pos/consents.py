"""What members agreed to: taken down at the till, read by partners that know the member."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.federation.refusals import PartnerSuspended
from coalition.kernel import idempotency
from coalition.kernel.database import Connection
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.web.decoding import encode
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import (
    REPLAY_HEADER,
    REPLAYED,
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
)
from coalition.ledger.refusals import HolderMerged
from coalition.members import consents
from coalition.members.consents import MOST_AT_ONCE, Given, Word
from coalition.members.refusals import (
    InvalidConsent,
    MemberIsClosed,
    RelationNeeded,
    UnknownMember,
)
from coalition.points.till import Tills

_KNOWN = (UnknownMember, RelationNeeded)


class ConsentsBody(Body, frozen=True):
    """What a member said, in the order in which it was said; the last word on a purpose holds."""

    consents: Annotated[tuple[Given, ...], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class ConsentsAnswer(msgspec.Struct, frozen=True):
    """What holds of a member: the last word on each purpose and channel."""

    member_id: UUID
    items: list[Word]


def consent_routes(door: Door, tills: Tills) -> list[ASGIRouteHandler]:
    """Return the handlers of consents."""
    path = "/v1/members/{member_id:uuid}/consents"
    return [hot_route(door, path, _give(tills), _show())]


def _give(tills: Tills) -> HotEndpoint:
    async def give(call: Call) -> Answer:
        caller, member = call.caller, call.path["member_id"]

        async def work(connection: Connection) -> idempotency.Answer:
            terms = await tills.refresh_terms(connection)
            terms.catalogue.active_partner(caller.partner_no)
            await consents.give_through_partner(
                member, call.body.consents, partner_no=caller.partner_no, at=call.at
            )
            held = await consents.current(connection, member, partner_no=caller.partner_no)
            content = encode(ConsentsAnswer(member, held), call.media)
            return idempotency.Answer(201, call.media.value, content)

        where = f"consents?{member}"
        claim = Claim.of(caller.client_no, call.idempotency_key, where, call.body_digest)
        answer = await idempotency.once(claim, call.at, work)
        headers = (REPLAYED,) if answer.replayed else ()
        return Answer(answer.status, answer.body, headers, answer.media_type)

    return HotEndpoint(
        method="POST",
        summary="Write down what a member agreed to, or withdrew",
        description=(
            "A word on a purpose and channel follows the ones before it; none is changed. "
            "`sharing` is with the partner that asks. Only for members that the partner knows."
        ),
        handle=give,
        body=ConsentsBody,
        answers={201: ConsentsAnswer},
        scope="members:write",
        idempotent=True,
        refusals=(
            *(*_KNOWN, PartnerSuspended, KeyReused, RequestInProgress),
            *(HolderMerged, MemberIsClosed, InvalidConsent),
        ),
        tags=("members",),
        answer_headers=REPLAY_HEADER,
    )


def _show() -> HotEndpoint:
    async def show(call: Call) -> Answer:
        member = call.path["member_id"]
        found = await consents.show(member, partner_no=call.caller.partner_no)
        return Answer(200, ConsentsAnswer(member, found))

    return HotEndpoint(
        method="GET",
        summary="What a member has agreed to",
        description="Without a word on a purpose and channel, nothing is agreed to.",
        handle=show,
        answers={200: ConsentsAnswer},
        scope="members:read",
        refusals=(*_KNOWN, HolderMerged),
        tags=("members",),
    )
