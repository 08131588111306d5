"""A coalition with plans, for tests of what they give: entitlements are applied as billing does."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from billing.benefits import applying
from billing.benefits.entitlements import Entitlement, Ground
from billing.plans import catalogue, registering
from billing.plans.catalogue import Plans
from billing.plans.documents import PlanDocument
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.members import standings
from tests.points.world import TERMS, World, make_world

MONTHLY = {"benefit": "monthly_points", "code": "monthly", "points": 100}
DOUBLE = {"benefit": "earn_multiplier", "code": "double", "factor": "2"}
EARLY = {"benefit": "early_access", "code": "early", "flag": "early-access"}
SHIPPING = {
    "benefit": "free_shipping",
    "code": "shipping",
    "most_minor": 5_900,
    "currency": "SEK",
    "funding": {"operator": 1},
}


def day(number: int, month: int = 11, year: int = 2026) -> datetime:
    """Return noon of a day."""
    return datetime(year, month, number, 12, tzinfo=UTC)


class Club:
    """Plans by code, and one member whose membership is billed somewhere else."""

    def __init__(self, world: World, plans: Plans, member: MemberId) -> None:
        self.world = world
        self.plans = plans
        self.member = member
        self.membership = random_id()

    def entitled(
        self,
        begins: datetime,
        ends: datetime,
        *,
        plan: str = "plus",
        ground: Ground = Ground.PAID,
        period: tuple[datetime, datetime] | None = None,
        taken_back: bool = False,
    ) -> Entitlement:
        """Return an entitlement, by default to all of a period that was paid."""
        period_start, period_end = period or (begins, ends)
        return Entitlement(
            plan_no=self.plans.by_code(plan).no,
            begins=begins,
            ends=ends,
            ground=ground,
            period_start=period_start,
            period_end=period_end,
            source=f"invoice:{begins:%Y%m%d}",
            taken_back=taken_back,
        )

    async def apply(
        self,
        *entitlements: Entitlement,
        at: datetime,
        member: MemberId | None = None,
        membership: UUID | None = None,
    ) -> bool:
        """Apply these as all entitlements of the membership; return whether that changed them."""
        async with transaction() as connection:
            return await applying.apply(
                connection,
                member=member or self.member,
                membership_id=membership or self.membership,
                entitlements=entitlements,
                plans=self.plans,
                at=at,
            )

    async def plan_at(self, *instants: datetime) -> list[str | None]:
        """Return the plan that tills and rules see at each instant."""
        wanted = [(self.member, instant) for instant in instants]
        async with transaction() as connection:
            found = await standings.read_each(connection, wanted)
        return [found[pair].plan if pair in found else None for pair in wanted]


def plan(code: str, *benefits: dict[str, Any], **fields: Any) -> PlanDocument:
    """Return a plan in kronor; `fields` are those of its document."""
    document = {
        "code": code,
        "name": code.title(),
        "rank": 1,
        "prices": [
            {"interval": "month", "currency": "SEK", "amount_minor": 9_900},
            {"interval": "year", "currency": "SEK", "amount_minor": 99_000},
        ],
        "benefits": benefits,
    }
    return msgspec.convert(document | fields, PlanDocument)


async def register(*documents: PlanDocument, at: datetime) -> Plans:
    """Put plans on sale by two persons; return all that there are."""
    for document in documents:
        approval = await registering.prepare(
            document, valid_from=None, prepared_by="staff:anna", at=at
        )
        await registering.approve(approval, approved_by="staff:bo", at=at)
    async with transaction() as connection:
        return await catalogue.load(connection)


async def make_club(at: datetime, *documents: PlanDocument, **terms: Any) -> Club:
    """Make the coalition of the tests of points with these plans; `terms` are of its contracts."""
    world = await make_world(at, terms=msgspec.structs.replace(TERMS, **terms))
    plans = await register(*documents, at=at)
    return Club(world, plans, MemberId(await world.member()))


async def counted(tables: Sequence[str]) -> dict[str, int]:
    """Return how many rows each table has."""
    async with transaction() as connection:
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables
        }
