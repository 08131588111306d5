"""Guards in the world of points: rules that two persons activate, a worker, and its cases."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from coalition.kernel.database import transaction
from coalition.kernel.jobs.worker import run_worker
from coalition.kernel.outbox import Delivery, hand_over, job_kinds
from coalition.points.commands import HoldBody, IssueBody, RedeemBody
from coalition.points.guards import cases, queries, rulebook
from coalition.points.guards.cases import Case, HitView
from coalition.points.guards.documents import GuardDocument, GuardRule, parse
from coalition.points.guards.watching import SUBSCRIBER
from tests.points.world import World, make_world, receipt

ANNA, BERTIL = "staff:anna", "staff:bertil"


def document(**given: Any) -> GuardDocument:
    """Return a rule about a member's redemptions within an hour, or as `given`."""
    kept = {
        "name": "test",
        "measure": "redemptions",
        "subject": ["member"],
        "window": {"hours": 1},
        "most": 2,
    } | given
    return parse(msgspec.json.encode({k: v for k, v in kept.items() if v is not None}))


async def activate(at: datetime, **given: Any) -> GuardRule:
    """Let two persons activate a rule; return its version."""
    approval = await rulebook.propose(document(**given), prepared_by=ANNA, at=at)
    rule = await rulebook.approve(approval, approved_by=BERTIL, at=at)
    assert isinstance(rule, GuardRule)
    return rule


async def without_shipped() -> None:
    """Retire the shipped rules, so that a test's own are all there are."""
    async with transaction() as connection:
        await connection.execute(
            "UPDATE guard_rule SET retired_at = active_from, retired_by = 'test'"
        )


async def quiet_world(at: datetime) -> World:
    """Return a world without any guard."""
    await without_shipped()
    return await make_world(at)


def issue(member: UUID, points: int, at: datetime, **given: Any) -> IssueBody:
    return IssueBody(
        **{"receipt": receipt(), **given}, occurred_at=at, member_id=member, points=points
    )


def redeem(member: UUID, points: int, at: datetime, **given: Any) -> RedeemBody:
    return RedeemBody(
        **{"receipt": receipt(), **given}, occurred_at=at, member_id=member, points=points
    )


def hold(member: UUID, points: int, at: datetime) -> HoldBody:
    return HoldBody(receipt=receipt(), occurred_at=at, member_id=member, points=points)


async def rich(world: World, points: int = 100_000) -> UUID:
    """Return a member with points that were earned three days ago."""
    member = await world.member()
    answer = await world.ask(issue(member, points, world.at - timedelta(days=3)))
    assert answer["points"] == points
    return member


async def watch(world: World) -> None:
    """Let the relay and a worker do all that waits."""
    while await hand_over([SUBSCRIBER]):
        pass
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(job_kinds([SUBSCRIBER]), clock=world.clock, stop=stop))
    async with asyncio.timeout(30):
        while not await _is_done():
            await asyncio.wait({working}, timeout=0.02)
    stop.set()
    await working


async def _is_done() -> bool:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT status FROM pgqueuer")
    assert all(row[0] != "failed" for row in rows), "a job was given up"
    return not rows


async def waiting_deliveries() -> list[Delivery]:
    """Return the events that wait, as a worker would get them."""
    async with transaction() as connection:
        rows = await connection.fetch("SELECT * FROM outbox ORDER BY id")
    return [
        Delivery(
            id=row["id"],
            kind=row["kind"],
            payload=msgspec.json.decode(row["payload"]),
            occurred_at=row["occurred_at"],
            committed_at=row["committed_at"],
        )
        for row in rows
    ]


async def open_cases() -> list[Case]:
    async with transaction() as connection:
        return await cases.list_cases(connection)


async def hits_of(case_id: UUID) -> list[HitView]:
    async with transaction() as connection:
        return (await cases.show(connection, case_id))[1]


async def counted(rule_no: int) -> int:
    """Return all that was ever counted under a rule."""
    async with transaction() as connection:
        found: int = await connection.fetchval(
            "SELECT coalesce(sum(total), 0)::int FROM guard_count"
            " WHERE rule_no = $1 AND slot <> $2",
            rule_no,
            queries.HEAD,
        )
    return found
