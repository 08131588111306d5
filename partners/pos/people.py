"""Members at the till: enrolled with the least data, looked up by card, e-mail or phone, shown."""

from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import UNSET

from coalition.federation.refusals import PartnerSuspended
from coalition.kernel import idempotency
from coalition.kernel.database import Connection
from coalition.kernel.errors import Invalid
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.ids import MemberId
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
from coalition.ledger.refusals import UnknownHolder
from coalition.members import service
from coalition.members.contacts import ContactKind
from coalition.members.personal import CardText, EmailText, Enrolment, PersonalData, PhoneText
from coalition.members.refusals import (
    CardTaken,
    EmailTaken,
    InvalidBirthDate,
    InvalidCard,
    InvalidConsent,
    InvalidEmail,
    InvalidName,
    InvalidPhone,
    NoContact,
    PaymentCardInText,
    PhoneTaken,
    UnknownMember,
)
from coalition.members.sealing import MemberKeys
from coalition.members.states import MemberState
from coalition.points.commands import BalanceAnswer, OwnBalanceTold, PoolBalanceTold
from coalition.points.till import Tills


class OneContactNeeded(Invalid):
    """Name exactly one of card, email and phone."""

    code, title = "one_contact_needed", "One contact needed"


class MemberQuery(Body, frozen=True):
    """By what a member is looked up: exactly one of these."""

    card: CardText | None = None
    email: EmailText | None = None
    phone: PhoneText | None = None


class MemberAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A member; `personal` is null for a partner that has no relation with the member.

    Asked by the id of a member who was merged into another, it is that other one, with the id that
    was asked for as `merged_from`: keep `member_id` from then on.
    """

    member_id: UUID
    balance: int
    state: MemberState
    personal: PersonalData | None
    merged_from: UUID | None = None
    own_balance: OwnBalanceTold = UNSET
    pool_balance: PoolBalanceTold = UNSET


def people_routes(door: Door, tills: Tills, keys: MemberKeys) -> list[ASGIRouteHandler]:
    """Return the handlers of members."""
    return [
        hot_route(door, "/v1/members", _enrol(tills, keys), _look_up(tills, keys)),
        hot_route(door, "/v1/members/{member_id:uuid}", _show(tills, keys)),
    ]


def _enrol(tills: Tills, keys: MemberKeys) -> HotEndpoint:
    async def enrol(call: Call) -> Answer:
        caller = call.caller

        async def work(connection: Connection) -> idempotency.Answer:
            terms = await tills.refresh_terms(connection)
            terms.catalogue.active_partner(caller.partner_no)
            enrolled = await service.enrol(
                call.body, partner_no=caller.partner_no, keys=keys, at=call.at
            )
            content = encode(BalanceAnswer(enrolled.member_id, 0), call.media)
            return idempotency.Answer(201, call.media.value, content)

        claim = Claim.of(caller.client_no, call.idempotency_key, "enrol", call.body_digest)
        answer = await idempotency.once(claim, call.at, work)
        headers = (REPLAYED,) if answer.replayed else ()
        return Answer(answer.status, answer.body, headers, answer.media_type)

    return HotEndpoint(
        method="POST",
        summary="Enrol a member with the least data",
        description=(
            "One of card, email and phone is enough. `consents` are what the person agreed to, or "
            "not, while enrolling."
        ),
        handle=enrol,
        body=Enrolment,
        answers={201: BalanceAnswer},
        scope="members:write",
        idempotent=True,
        refusals=(
            *(PartnerSuspended, KeyReused, RequestInProgress),
            *(NoContact, CardTaken, EmailTaken, PhoneTaken),
            *(InvalidCard, InvalidEmail, InvalidPhone, InvalidName, InvalidBirthDate),
            *(PaymentCardInText, InvalidConsent),
        ),
        tags=("members",),
        answer_headers=REPLAY_HEADER,
    )


def _look_up(tills: Tills, keys: MemberKeys) -> HotEndpoint:
    async def look_up(call: Call) -> Answer:
        given = [
            (kind, value)
            for kind in ContactKind
            if (value := getattr(call.query, kind.value)) is not None
        ]
        if len(given) != 1:
            raise OneContactNeeded
        kind, value = given[0]
        member = await service.find(kind, value, keys=keys)
        return await _answer(tills, keys, call, member)

    return HotEndpoint(
        method="GET",
        summary="Look a member up by card, e-mail or phone",
        handle=look_up,
        query=MemberQuery,
        answers={200: MemberAnswer},
        scope="members:read",
        refusals=(OneContactNeeded, UnknownMember, InvalidCard, InvalidEmail, InvalidPhone),
        tags=("members",),
    )


def _show(tills: Tills, keys: MemberKeys) -> HotEndpoint:
    async def show(call: Call) -> Answer:
        return await _answer(tills, keys, call, call.path["member_id"])

    return HotEndpoint(
        method="GET",
        summary="A member, with balance",
        description="Personal data are shown to partners that have a relation with the member.",
        handle=show,
        answers={200: MemberAnswer},
        scope="members:read",
        refusals=(UnknownMember, UnknownHolder),
        tags=("members",),
    )


async def _answer(tills: Tills, keys: MemberKeys, call: Call, member: MemberId) -> Answer:
    seen = await service.show(member, partner_no=call.caller.partner_no, keys=keys)
    balance = await tills.balance(seen.member_id, partner_no=call.caller.partner_no)
    return Answer(
        200,
        MemberAnswer(
            member_id=seen.member_id,
            balance=balance.balance,
            state=seen.state,
            personal=seen.personal,
            merged_from=seen.merged_from,
            own_balance=balance.own_balance,
            pool_balance=balance.pool_balance,
        ),
    )
