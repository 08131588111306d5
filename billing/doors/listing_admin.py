"""Where the operator's staff list gifts, notices and terms of countries, and try a plan."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from billing.doors.staff_asking import APPROVE, PREPARE, READ
from billing.plans import catalogue, checking
from billing.plans.countries import CountryDocument
from billing.plans.documents import PlanDocument
from billing.subscriptions import gift_lists, notices
from billing.subscriptions.gift_lists import GiftRow
from billing.subscriptions.notices import Notice
from billing.subscriptions.service import Memberships
from coalition.federation import catalogue as federation
from coalition.kernel.database import transaction
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.points.bonuses.checking import Known

_ANYBODY = (READ, PREPARE, APPROVE)
_PLANS, _MEMBERSHIPS = ("plans",), ("memberships",)

Most = Annotated[int, Meta(ge=1, le=1000, description="How many at most")]


class GiftsQuery(Body, frozen=True, kw_only=True):
    """Which gifts are wanted: in one state, or that a member bought or redeemed."""

    state: Literal["open", "paid", "redeemed", "expired", "refunded"] | None = None
    member_id: UUID | None = None
    limit: Most = 100


class Gifts(msgspec.Struct, frozen=True):
    """Gifts, the latest first."""

    items: list[GiftRow]


class NoticesQuery(Body, frozen=True, kw_only=True):
    """Which notices are wanted."""

    kind: Literal["trial_ends", "renews", "price"] | None = None
    limit: Most = 100


class Notices(msgspec.Struct, frozen=True):
    """What members were told ahead, the latest first."""

    items: list[Notice]


class CountryTerms(msgspec.Struct, frozen=True):
    """The terms of every country; EU is of those that have none of their own."""

    items: list[CountryDocument]


class TriedPlanBody(Body, frozen=True):
    """A plan that is tried; nothing is proposed."""

    plan: PlanDocument


class PlanProblem(msgspec.Struct, frozen=True):
    """What is wrong at one place of a plan, and what would be right."""

    pointer: str
    detail: str


class PlanVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a plan could be proposed."""

    ok: bool
    problems: list[PlanProblem]


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of lists, and of a plan that is tried."""
    return [
        hot_route(door, "/v1/admin/gifts", _GIFTS),
        hot_route(door, "/v1/admin/membership-notices", _NOTICES),
        hot_route(door, "/v1/admin/plan-countries", _countries(memberships)),
        hot_route(door, "/v1/admin/plans/check", _CHECK),
    ]


async def _gifts(call: Call) -> Answer:
    asked: GiftsQuery = call.query
    async with transaction() as connection:
        plans = await catalogue.load(connection)
        found = await gift_lists.listed(
            connection, plans, state=asked.state, member=asked.member_id, most=asked.limit
        )
    return Answer(200, Gifts(found))


async def _notices(call: Call) -> Answer:
    asked: NoticesQuery = call.query
    async with transaction() as connection:
        found = await notices.listed(connection, kind=asked.kind, most=asked.limit)
    return Answer(200, Notices(found))


async def _check(call: Call) -> Answer:
    body: TriedPlanBody = call.body
    async with transaction() as connection:
        known = Known.of(await federation.load(connection))
    problems = [
        PlanProblem("".join(f"/{key}" for key in path), text)
        for path, text in checking.complaints(body.plan, known)
    ]
    return Answer(200, PlanVerdict(ok=not problems, problems=problems))


def _countries(memberships: Memberships) -> HotEndpoint:
    async def countries(call: Call) -> Answer:
        del call
        return Answer(200, CountryTerms(list(memberships.house.countries.all())))

    return HotEndpoint(
        method="GET",
        summary="The terms of countries that hold here: days, notices, consent, words, disclosure",
        handle=countries,
        answers={200: CountryTerms},
        scope=_ANYBODY,
        tags=_PLANS,
    )


_GIFTS = HotEndpoint(
    method="GET",
    summary="Gifts that members bought, and what became of them",
    description="The code is known to who bought it alone.",
    handle=_gifts,
    query=GiftsQuery,
    answers={200: Gifts},
    scope=_ANYBODY,
    tags=_MEMBERSHIPS,
)
_NOTICES = HotEndpoint(
    method="GET",
    summary="What members were told ahead: ends of trials, yearly renewals, new prices",
    handle=_notices,
    query=NoticesQuery,
    answers={200: Notices},
    scope=_ANYBODY,
    tags=_MEMBERSHIPS,
)
_CHECK = HotEndpoint(
    method="POST",
    summary="Say everything that is wrong with a plan; nothing is written",
    handle=_check,
    body=TriedPlanBody,
    answers={200: PlanVerdict},
    scope=_ANYBODY,
    tags=_PLANS,
)
