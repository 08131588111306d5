"""Where the operator's staff try, propose, decide and steer campaigns by which prices change."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from billing.doors import staff_asking
from billing.doors.campaign_bodies import (
    CampaignBody,
    CampaignMember,
    CampaignMembers,
    CampaignRow,
    CampaignRows,
    CampaignStatus,
    CampaignTally,
)
from billing.doors.staff_asking import (
    APPROVE,
    OF_WRITES,
    PREPARE,
    READ,
    MembershipProposal,
    answer_once,
    waiting_one,
)
from billing.gateway.refusals import PaymentsNotSetUp
from billing.plans import catalogue
from billing.plans.countries import Countries
from billing.plans.refusals import UnknownPlan
from billing.subscriptions.campaigns import proposing, reach, rows, running, steering
from billing.subscriptions.campaigns.documents import Campaign
from billing.subscriptions.campaigns.reach import DryRun
from billing.subscriptions.campaigns.refusals import (
    CampaignExists,
    CampaignStopped,
    ConsentIsLaw,
    NothingMoves,
    PricesMoved,
    UnknownCampaign,
)
from billing.subscriptions.service import Memberships
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.settings import Settings
from coalition.kernel.web.fields import Body, ShortText
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route

TAGS = ("price campaigns",)
KINDS = (proposing.CAMPAIGN,)
BASE, WAITING = "/v1/admin/price-campaigns", "/v1/admin/price-campaign-approvals"

_ONE = f"{BASE}/{{name:str}}"
_ANYBODY = (READ, PREPARE, APPROVE)
_STEERING = (PREPARE, APPROVE)


class MembersQuery(Body, frozen=True, kw_only=True):
    """Which members of a campaign are wanted, and behind which one the page begins."""

    state: Literal["told", "scheduled", "ending", "done", "kept", "left"] | None = None
    has_agreed: bool | None = None
    wants_consent: bool | None = None
    after: Annotated[ShortText, Meta(description="`next` of the page before")] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most")] = 100


def routes(door: Door, memberships: Memberships, settings: Settings) -> list[ASGIRouteHandler]:
    """Return the handlers of campaigns."""
    countries = memberships.house.countries
    one = f"{WAITING}/{{approval_id:uuid}}"
    waiting = staff_asking.listing(
        KINDS, summary="Campaigns of prices that wait for their second person", tags=TAGS
    )
    approve = staff_asking.approving(
        KINDS,
        "price-campaign-approvals",
        summary="Let a campaign begin, as the second person; the worker tells members next",
        tags=TAGS,
        refusals=(PricesMoved, CampaignExists, NothingMoves, UnknownPlan),
    )
    reject = staff_asking.rejecting(KINDS, "price-campaign-approvals", tags=TAGS)
    return [
        hot_route(door, BASE, _LIST, _propose(countries)),
        hot_route(door, f"{BASE}/dry-run", _try(countries)),
        hot_route(door, _ONE, _SHOW),
        hot_route(door, f"{_ONE}/dry-run", _try_again(countries)),
        hot_route(door, f"{_ONE}/members", _MEMBERS),
        *(hot_route(door, f"{_ONE}/{word}", _steer(word, *how)) for word, how in _STEPS.items()),
        hot_route(door, f"{_ONE}/run", _run(settings)),
        hot_route(door, WAITING, waiting),
        hot_route(door, f"{one}/approve", approve),
        hot_route(door, f"{one}/reject", reject),
    ]


async def _list(call: Call) -> Answer:
    del call
    async with transaction() as connection:
        found = await rows.campaigns(connection)
    return Answer(200, CampaignRows([CampaignRow.of(one) for one in found]))


async def _show(call: Call) -> Answer:
    async with transaction() as connection:
        found = await steering.known(connection, call.path["name"])
        counted = await rows.counts(connection, found.no)
    tallies = [CampaignTally(**dict(row)) for row in counted]
    return Answer(200, CampaignStatus.of(found, tallies))


async def _members(call: Call) -> Answer:
    asked: MembersQuery = call.query
    wanted = rows.Wanted(asked.state, asked.has_agreed, asked.wants_consent)
    async with transaction() as connection:
        found = await steering.known(connection, call.path["name"])
        plans = await catalogue.load(connection)
        page = await rows.members(
            connection, found.no, wanted, after=asked.after, most=asked.limit + 1
        )
    shown = page[: asked.limit]
    return Answer(
        200,
        CampaignMembers(
            items=[CampaignMember.of(one, plans) for one in shown],
            next=shown[-1].subscription if len(page) > len(shown) else None,
        ),
    )


def _propose(countries: Countries) -> HotEndpoint:
    async def propose(call: Call) -> Answer:
        body: CampaignBody = call.body

        async def work(connection: Connection) -> MembershipProposal:
            by = call.caller.actor
            made = await proposing.prepare(
                body.campaign, countries=countries, prepared_by=by, at=call.at
            )
            return await waiting_one(connection, made)

        return await answer_once(call, "price-campaigns", 201, work)

    return HotEndpoint(
        method="POST",
        summary="Propose a campaign for a second person to approve",
        description=(
            "Members with a price of an earlier version of a plan come to the like price on sale. "
            "The proposal has the amounts; `POST …/dry-run` says beforehand whom it would reach."
        ),
        handle=propose,
        body=CampaignBody,
        answers={201: MembershipProposal},
        scope=PREPARE,
        idempotent=True,
        refusals=(*OF_WRITES, *_OF_DOCUMENTS, CampaignExists),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _try(countries: Countries) -> HotEndpoint:
    async def dry_run(call: Call) -> Answer:
        body: CampaignBody = call.body
        proposing.check_consent(body.campaign, countries)
        async with transaction() as connection:
            plans = await catalogue.load(connection)
        meant = proposing.tried(plans, body.campaign, call.at)
        return Answer(200, await reach.dry_run(meant, countries, at=call.at))

    return HotEndpoint(
        method="POST",
        summary="Say whom a campaign would reach now; nothing is written",
        handle=dry_run,
        body=CampaignBody,
        answers={200: DryRun},
        scope=_ANYBODY,
        refusals=_OF_DOCUMENTS,
        tags=TAGS,
    )


def _try_again(countries: Countries) -> HotEndpoint:
    async def dry_run(call: Call) -> Answer:
        async with transaction() as connection:
            found = await steering.known(connection, call.path["name"])
        return Answer(200, await reach.dry_run(found, countries, at=call.at))

    return HotEndpoint(
        method="GET",
        summary="Say whom a campaign that was approved would tell now, and who was told",
        handle=dry_run,
        answers={200: DryRun},
        scope=_ANYBODY,
        refusals=(UnknownCampaign,),
        tags=TAGS,
    )


Step = Callable[..., Awaitable[Campaign]]


def _steer(
    word: str, step: Step, summary: str, refusals: tuple[type[Refused], ...] = (CampaignStopped,)
) -> HotEndpoint:
    async def steer(call: Call) -> Answer:
        code: str = call.path["name"]

        async def work(connection: Connection) -> CampaignRow:
            del connection
            return CampaignRow.of(await step(code, by=call.caller.actor, at=call.at))

        return await answer_once(call, f"price-campaigns/{code}/{word}", 200, work)

    return HotEndpoint(
        method="POST",
        summary=summary,
        handle=steer,
        answers={200: CampaignRow},
        scope=_STEERING,
        idempotent=True,
        refusals=(*OF_WRITES, UnknownCampaign, *refusals),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _run(settings: Settings) -> HotEndpoint:
    async def run(call: Call) -> Answer:
        code: str = call.path["name"]

        async def work(connection: Connection) -> CampaignRow:
            found = await steering.known(connection, code)
            if found.stopped_at is not None:
                raise CampaignStopped(campaign=code)
            if not (settings.stripe_sandbox or settings.stripe_key):
                raise PaymentsNotSetUp
            await staff_asking.soon(connection, running.JOB)
            return CampaignRow.of(found)

        return await answer_once(call, f"price-campaigns/{code}/run", 202, work)

    return HotEndpoint(
        method="POST",
        summary="Have the worker go on with campaigns now, rather than within ten minutes",
        handle=run,
        answers={202: CampaignRow},
        scope=_STEERING,
        idempotent=True,
        refusals=(*OF_WRITES, UnknownCampaign, CampaignStopped, PaymentsNotSetUp),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


_OF_DOCUMENTS = (UnknownPlan, NothingMoves, ConsentIsLaw)
_STEPS: dict[str, tuple[Step, str] | tuple[Step, str, tuple[type[Refused], ...]]] = {
    "pause": (steering.pause, "Let a campaign rest, at once: nobody is told, nothing is scheduled"),
    "resume": (steering.resume, "Let a campaign that rests go on where it was"),
    "stop": (steering.stop, "End a campaign at once, for good; what is scheduled comes", ()),
}
_LIST = HotEndpoint(
    method="GET",
    summary="All campaigns of prices, the first one first",
    handle=_list,
    answers={200: CampaignRows},
    scope=_ANYBODY,
    tags=TAGS,
)
_SHOW = HotEndpoint(
    method="GET",
    summary="How far a campaign is: how many members stand how, and why",
    handle=_show,
    answers={200: CampaignStatus},
    scope=_ANYBODY,
    refusals=(UnknownCampaign,),
    tags=TAGS,
)
_MEMBERS = HotEndpoint(
    method="GET",
    summary="The members of a campaign: what each was told and when, and who has agreed",
    handle=_members,
    query=MembersQuery,
    answers={200: CampaignMembers},
    scope=_ANYBODY,
    refusals=(UnknownCampaign,),
    tags=TAGS,
)
