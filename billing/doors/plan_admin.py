"""Where the operator's staff see plans, propose versions and ends of sale, and decide of them."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from billing.doors import staff_asking
from billing.doors.bodies import PlanCode
from billing.doors.staff_asking import (
    APPROVE,
    OF_WRITES,
    PREPARE,
    READ,
    MembershipProposal,
    answer_once,
    waiting_one,
)
from billing.plans import catalogue, registering
from billing.plans.catalogue import Plan
from billing.plans.documents import PlanDocument
from billing.plans.refusals import InvalidPlan, PlanRetroactive, SaleEndRetroactive, UnknownPlan
from coalition.kernel.database import Connection, transaction
from coalition.kernel.money import Money
from coalition.kernel.web.fields import Body, Instant
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route

TAGS = ("plans",)
KINDS = (registering.PLAN, registering.SALE_END)

_PLANS, _WAITING = "/v1/admin/plans", "/v1/admin/plan-approvals"

From = Annotated[Instant, Meta(description="At the earliest its approval, which is the default")]


class PlanProposalBody(Body, frozen=True):
    """A version of a plan."""

    plan: PlanDocument
    valid_from: From | None = None


class SaleEndBody(Body, frozen=True):
    """That a plan is sold no more from a time on; who has it keeps it."""

    plan: PlanCode
    ends_at: From | None = None


class PlanPriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A price of a version; `at_stripe` is None until it was brought there."""

    price_no: int
    interval: str
    price: Money
    eligibility: str | None
    at_stripe: str | None


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a plan; on sale from `valid_from` until just before `valid_until`."""

    plan_no: int
    plan: str
    version: int
    is_sold: bool
    valid_from: datetime
    valid_until: datetime | None
    prepared_by: str
    approved_by: str
    prices: tuple[PlanPriceRow, ...]
    document: PlanDocument

    @classmethod
    def of(cls, one: Plan, at: datetime) -> "PlanRow":
        """Return a version as staff see it."""
        return cls(
            plan_no=one.no,
            plan=one.code,
            version=one.version,
            is_sold=one.is_sold(at),
            valid_from=one.valid_from,
            valid_until=one.valid_until,
            prepared_by=one.prepared_by,
            approved_by=one.approved_by,
            prices=tuple(
                PlanPriceRow(
                    price_no=price.no,
                    interval=price.interval,
                    price=price.money,
                    eligibility=price.eligibility,
                    at_stripe=price.stripe_price_id,
                )
                for price in one.prices
            ),
            document=one.document,
        )


class PlanRows(msgspec.Struct, frozen=True):
    """Every version of every plan, in the order of their numbers."""

    items: list[PlanRow]


def routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of plans for staff."""
    one = f"{_WAITING}/{{approval_id:uuid}}"
    return [
        hot_route(door, _PLANS, _LIST, _PROPOSE),
        hot_route(door, f"{_PLANS}/end", _END),
        hot_route(
            door,
            _WAITING,
            staff_asking.listing(
                KINDS, summary="Plans and ends of sale that wait for their second person", tags=TAGS
            ),
        ),
        hot_route(
            door,
            f"{one}/approve",
            staff_asking.approving(
                KINDS,
                "plan-approvals",
                summary="Put on sale, or end, as the second person, what another proposed",
                tags=TAGS,
                refusals=(PlanRetroactive, SaleEndRetroactive),
            ),
        ),
        hot_route(
            door, f"{one}/reject", staff_asking.rejecting(KINDS, "plan-approvals", tags=TAGS)
        ),
    ]


async def _list(call: Call) -> Answer:
    async with transaction() as connection:
        known = await catalogue.load(connection)
    return Answer(200, PlanRows([PlanRow.of(one, call.at) for one in known.plans]))


async def _propose(call: Call) -> Answer:
    body: PlanProposalBody = call.body

    async def work(connection: Connection) -> MembershipProposal:
        by = call.caller.actor
        made = await registering.prepare(
            body.plan, valid_from=body.valid_from, prepared_by=by, at=call.at
        )
        return await waiting_one(connection, made)

    return await answer_once(call, "plans", 201, work)


async def _end(call: Call) -> Answer:
    body: SaleEndBody = call.body

    async def work(connection: Connection) -> MembershipProposal:
        by = call.caller.actor
        made = await registering.prepare_sale_end(
            body.plan, ends_at=body.ends_at, prepared_by=by, at=call.at
        )
        return await waiting_one(connection, made)

    return await answer_once(call, "plans/end", 201, work)


_LIST = HotEndpoint(
    method="GET",
    summary="Every version of every plan, with what its prices are called at Stripe",
    handle=_list,
    answers={200: PlanRows},
    scope=(READ, PREPARE, APPROVE),
    tags=TAGS,
)
_PROPOSE = HotEndpoint(
    method="POST",
    summary="Propose a version of a plan for a second person to approve",
    description=(
        "Everything that is wrong with it is answered at once, each key with its remedy. Under a "
        "code that there is it is a further version: who has an earlier one keeps it."
    ),
    handle=_propose,
    body=PlanProposalBody,
    answers={201: MembershipProposal},
    scope=PREPARE,
    idempotent=True,
    refusals=(*OF_WRITES, InvalidPlan, PlanRetroactive),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
_END = HotEndpoint(
    method="POST",
    summary="Propose that a plan is sold no more",
    handle=_end,
    body=SaleEndBody,
    answers={201: MembershipProposal},
    scope=PREPARE,
    idempotent=True,
    refusals=(*OF_WRITES, UnknownPlan, SaleEndRetroactive),
    tags=TAGS,
    answer_headers=REPLAY_HEADER,
)
