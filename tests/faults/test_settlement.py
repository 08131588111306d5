"""Nothing is lost and nothing settled twice while tills post, workers drain, and periods close."""

import asyncio
import random
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID

import msgspec
import pytest

from coalition.federation.terms import Calendar, ContractTerms, Mode, Vat, VolumeStep
from coalition.kernel.database import Engine, retrying, transaction
from coalition.ledger.drafts import Posted, Redeem
from partners.settlement import closing, draining, periods, sealing, statements
from partners.settlement.kinds import OPERATOR, StatementState
from partners.settlement.refusals import PeriodClosed
from server.proof import prove
from tests.faults.failing_service import AFTER_COMMIT, BEFORE_COMMIT
from tests.faults.processes import ROOT
from tests.properties.settlement.compare import compare, compare_statements
from tests.properties.settlement.facts import Posting
from tests.properties.settlement.world import ANNA, BO, World
from tests.support.ledger import post, reverse

pytestmark = pytest.mark.slow

BEGIN = datetime(2026, 6, 10, 9, tzinfo=UTC)
NOW = timedelta(0)
TILLS = 8
ACTS_EACH = 60
WORKERS = 2

TERMS = ContractTerms(
    currency="EUR",
    issue_price=Decimal("0.0105"),
    redemption_price=Decimal("0.0085"),
    service_fee_per_point=Decimal("0.000812345"),
    volume_steps=(VolumeStep(from_points=2000, fee_per_point=Decimal("0.0007")),),
    minimum_fee_minor=500,
    fixed_fee_minor=99,
    mode=Mode.HYBRID,
    prefunded_share=Decimal("0.333333"),
    vat={"service_fee": Vat(rate=Decimal("0.25"))},
)
FUEL_TERMS = ContractTerms(
    currency="EUR", issue_price=Decimal("0.01"), redemption_price=Decimal("0.0099")
)


async def _open(at: datetime, calendar: Calendar = Calendar.MONTHLY) -> World:
    world = World(at)
    zones = "Europe/Stockholm", "America/New_York"
    await world.open(
        [
            (msgspec.structs.replace(terms, calendar=calendar), zone)
            for terms, zone in zip((TERMS, FUEL_TERMS), zones, strict=True)
        ],
        members=TILLS,
    )
    return world


async def test_whatever_step_of_the_close_is_killed_the_same_is_closed_in_the_end(
    database: Engine, database_url: str
) -> None:
    assert database.pool is not None
    world = await _open(BEGIN)
    grocer, fuel = world.partners
    for member in range(3):
        shares = [(grocer, 1001 + member), (fuel, 100), (OPERATOR, 30)]
        await world.post([world.issue(member, grocer, shares, NOW)])
        await world.post([world.redeem(member, fuel, 333, NOW)])
    await world.post([world.reverse(0, 100), world.reverse(1, 33)])
    world.at = datetime(2026, 7, 3, tzinfo=UTC)
    kills = 0
    for count in range(1, 100):
        ended = []
        for point in (BEFORE_COMMIT, AFTER_COMMIT):
            ended.append(await _settle(database_url, world.at, f"{point}:{count}"))
            assert (await prove()).breaches == [], f"killed at {point}:{count}"
        kills += sum(status == -signal.SIGKILL for status in ended)
        if ended == [0, 0]:
            break
    assert kills > 2 * 16, "every shard is sealed in a transaction of its own"
    world.seals = [(partner, world.at) for partner in (OPERATOR, *world.partners)]
    await compare(world)
    await compare_statements(world)
    async with transaction() as connection:
        closed = await connection.fetch("SELECT partner_no, number FROM statement WHERE number > 0")
    assert sorted(row["number"] for row in closed) == [1, 2, 3]


async def _settle(url: str, at: datetime, failpoint: str) -> int:
    """Settle in a process of its own that may kill itself; return its exit status."""
    command = ["-m", "tests.faults.failing_settlement", url, at.isoformat(), failpoint]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT)
    status = await process.wait()
    assert status in {0, -signal.SIGKILL}, failpoint
    return status


class Bustle:
    """Tills, workers and finance at once, by a clock that all of them move on."""

    def __init__(self, world: World) -> None:
        """Begin with nothing done."""
        self.world = world
        self.tills_open = TILLS
        self.sealed = 0
        self.closed = 0

    def moment(self) -> datetime:
        """Let some minutes pass."""
        return self.world.tick(timedelta(minutes=4))

    async def till(self, number: int) -> None:
        """Issue, redeem and return, some of it dated hours ago, so in a day that may be over."""
        draw = random.Random(number)
        world = self.world
        grocer, fuel = world.partners
        redeemed: list[UUID] = []
        for _ in range(ACTS_EACH):
            self.moment()
            back = timedelta(hours=draw.choice([0, 0, 0, 2, 30]))
            issuer, accepter = draw.sample([grocer, fuel], 2)
            shares = [(issuer, draw.randint(1, 200)), (OPERATOR, 3)]
            drafts = [
                world.issue(number, issuer, shares, back),
                world.redeem(draw.randrange(TILLS), accepter, draw.randint(1, 40), back),
            ]
            if len(redeemed) > 3:
                drafts.append(reverse(redeemed.pop(0), world.at, partner_no=fuel))
            wanted = [draft for draft in drafts if draft is not None]
            outcomes = await retrying(partial(post, wanted, world.at))
            for draft, outcome in zip(wanted, outcomes, strict=True):
                is_payment = isinstance(draft, Redeem) and draft.till.partner_no == fuel
                if is_payment and isinstance(outcome, Posted):
                    redeemed.append(outcome.posting)
        self.tills_open -= 1

    async def worker(self) -> None:
        """Drain a little of everything, again and again."""
        while self.tills_open:
            await periods.ensure(self.world.at)
            for shard in range(16):
                await draining.drain(shard, self.world.at, limit=3)

    async def finance(self) -> None:
        """Seal what is due and close it, again and again."""
        while self.tills_open:
            self.sealed += len(await sealing.seal_due(self.world.at))
            await self.close()

    async def close(self) -> None:
        """Close everything that is sealed."""
        at = self.world.at
        for partner in (OPERATOR, *self.world.partners):
            for one in (await statements.live(partner, at)).statements:
                if one.head.state != StatementState.PROVISIONAL:
                    continue
                try:
                    approval = await closing.prepare(
                        period=one.head.period.name, partner_no=partner, prepared_by=ANNA, at=at
                    )
                    await closing.approve(approval, approved_by=BO, at=at)
                except PeriodClosed:
                    continue
                self.closed += 1


async def test_periods_close_while_tills_post_and_workers_drain(database: Engine) -> None:
    assert database.pool is not None
    world = await _open(BEGIN, Calendar.DAILY)
    # Hours pass here between a look at the clock and a drain; elsewhere less than a second.
    await periods.ensure(BEGIN + timedelta(days=4))
    bustle = Bustle(world)
    await asyncio.gather(
        *(bustle.till(number) for number in range(TILLS)),
        *(bustle.worker() for _ in range(WORKERS)),
        bustle.finance(),
    )
    assert bustle.closed > 3, "days were closed while tills were open"
    assert (await prove()).breaches == []
    await draining.drain_all(world.at)
    await sealing.seal_due(world.at)
    await bustle.close()
    assert (await prove()).breaches == []
    first_open = await _as_booked()
    await compare(world, first_open)
    await compare_statements(world, first_open)


async def _as_booked() -> Callable[[Posting, int], int]:
    """Return in which period what a posting cost a partner was booked.

    Which one it is, the postings alone do not tell when a seal came at the same moment.
    """
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT posting, partner_no, min(period_no), max(period_no)"
            " FROM charge JOIN tariff ON tariff.id = charge.tariff GROUP BY posting, partner_no"
        )
    assert all(row[2] == row[3] for row in rows), "what a posting costs is in one period"
    booked = {(row[0], row[1]): row[2] for row in rows}
    return lambda posting, partner: booked.get((posting.id, partner), 1)
