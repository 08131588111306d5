"""Where a member sees itself: who it is here, what it can spend, and what its points did."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.access import standing
from coalition.access.refusals import MembershipEnded
from coalition.federation.refusals import UnknownPointCurrency
from coalition.kernel.database import transaction
from coalition.kernel.errors import Forbidden
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.ids import MemberId
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import HolderMerged, UnknownHolder
from coalition.members import queries
from coalition.members.personal import PersonalData
from coalition.members.sealing import MemberKeys
from coalition.members.service import opened
from coalition.members.states import MemberState
from coalition.points import history
from coalition.points.commands import BalanceAnswer, PointCurrencyCode
from coalition.points.history import PostingView
from coalition.points.terms import Terms
from coalition.points.till import Tills

TAGS = ("me",)
_REFUSALS = (MembershipEnded, HolderMerged)


class MeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who has signed in, with everything that is kept of the person."""

    member_id: UUID
    state: MemberState
    personal: PersonalData | None
    signed_in_at: datetime
    token_ends_at: datetime


class MyBalanceQuery(Body, frozen=True):
    """Of which points the balance is wanted."""

    point_currency: PointCurrencyCode | None = None


class MyPostingsQuery(Body, frozen=True):
    """Which postings are wanted."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most")] = 50
    cursor: Annotated[UUID | None, Meta(description="The `next_cursor` of the page before")] = None


class MyPosting(msgspec.Struct, frozen=True):
    """What points did, and where; no partner where the operator did it, or a member itself."""

    partner: str | None
    posting: PostingView


class MyPostings(msgspec.Struct, frozen=True):
    """Postings, the latest first; ask again with `cursor` for those before."""

    items: list[MyPosting]
    next_cursor: UUID | None


def routes(door: Door, tills: Tills, keys: MemberKeys) -> list[ASGIRouteHandler]:
    """Return the handlers of what a member sees of itself."""
    return [
        hot_route(door, "/v1/me", _me(keys)),
        hot_route(door, "/v1/me/balance", _balance(tills)),
        hot_route(door, "/v1/me/postings", _postings(tills)),
    ]


def _member_of(call: Call) -> MemberId:
    if call.caller.member_id is None:
        raise Forbidden("Only a member who has signed in may do this")
    return MemberId(call.caller.member_id)


def _me(keys: MemberKeys) -> HotEndpoint:
    async def me(call: Call) -> Answer:
        member, caller = _member_of(call), call.caller
        async with transaction() as connection:
            await standing.check(connection, member, writes=False)
            stored = await queries.read(connection, member)
        if stored is None or caller.authenticated_at is None:
            raise MembershipEnded
        personal = None
        if stored.sealed is not None:
            personal, _ = opened(stored, member_id=member, keys=keys)
        return Answer(
            200,
            MeAnswer(
                member_id=member,
                state=stored.state,
                personal=personal,
                signed_in_at=caller.authenticated_at,
                token_ends_at=caller.expires_at,
            ),
        )

    return HotEndpoint(
        method="GET",
        summary="Who you are here",
        handle=me,
        answers={200: MeAnswer},
        scope=MEMBER_SCOPE,
        refusals=_REFUSALS,
        tags=TAGS,
    )


def _balance(tills: Tills) -> HotEndpoint:
    async def balance(call: Call) -> Answer:
        asked: MyBalanceQuery = call.query
        member = _member_of(call)
        async with transaction() as connection:
            await standing.check(connection, member, writes=False)
        return Answer(200, await tills.balance(member, asked.point_currency))

    return HotEndpoint(
        method="GET",
        summary="What you can spend now",
        description=(
            "Who spends together with others has `own_balance`, which is its own, and "
            "`pool_balance`, which is theirs that it may spend; `balance` is both."
        ),
        handle=balance,
        query=MyBalanceQuery,
        answers={200: BalanceAnswer},
        scope=MEMBER_SCOPE,
        refusals=(*_REFUSALS, UnknownHolder, UnknownPointCurrency),
        tags=TAGS,
    )


def _postings(tills: Tills) -> HotEndpoint:
    async def postings(call: Call) -> Answer:
        asked: MyPostingsQuery = call.query
        member, terms = _member_of(call), await tills.terms()
        async with transaction() as connection:
            await standing.check(connection, member, writes=False)
            found = await history.list_latest_of_member(
                connection, member, terms=terms, before=asked.cursor, limit=asked.limit + 1
            )
        shown = [MyPosting(_name(no, terms), view) for no, view in found[: asked.limit]]
        last = shown[-1].posting.posting_id if len(found) > asked.limit else None
        return Answer(200, MyPostings(shown, last))

    return HotEndpoint(
        method="GET",
        summary="What your points did, the latest first",
        handle=postings,
        query=MyPostingsQuery,
        answers={200: MyPostings},
        scope=MEMBER_SCOPE,
        refusals=_REFUSALS,
        tags=TAGS,
    )


def _name(partner_no: int, terms: Terms) -> str | None:
    names = {partner.no: partner.name for partner in terms.catalogue.partners}
    return names.get(partner_no)
