"""Crowds that redeem and hold: locked, walked and written in a round trip each."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Answer
from coalition.ledger import holders
from coalition.ledger.refusals import DuplicateReceipt, NotEnoughPoints
from coalition.points.commands import Command, HoldBody, IssueBody, RedeemBody
from tests.points.world import World, answered, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")


async def together(world: World, *commands: Command) -> list[Answer | Refused]:
    """Send commands in one flush."""

    async def sent(command: Command) -> Answer | Refused:
        try:
            return await world.tills.post(world.request(command))
        except Refused as refusal:
            return refusal

    return list(await asyncio.gather(*map(sent, commands)))


def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is asked of the database from now on."""
    asked: list[str] = []

    def noting(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def noted(self: Connection, statement: str, *given: Any, **named: Any) -> Any:
            asked.append(statement)
            return await call(self, statement, *given, **named)

        return noted

    for name in ("execute", "fetch", "fetchrow"):
        monkeypatch.setattr(Connection, name, noting(getattr(Connection, name)))
    return asked


async def test_redemptions_and_holds_lock_walk_and_write(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(at)
    one, other = await world.member(), await world.member()
    for member in (one, other):
        for days in (0, 60):
            when = at - timedelta(days=days)
            await world.ask(IssueBody(receipt(), when, member_id=member, points=50))
    asked = statements(monkeypatch)
    redeemed, again, more = await together(
        world,
        RedeemBody(receipt(), at, 60, member_id=one),
        RedeemBody(receipt(), at, 5, member_id=one),
        RedeemBody(receipt(), at, 7, member_id=other),
    )
    assert [answered(each)["balance"] for each in (redeemed, again, more)] == [35, 35, 93]
    begin, lock, walk, write, commit = asked
    assert begin.startswith("BEGIN")
    assert "FOR NO KEY UPDATE" in lock
    assert "catalogue_version" in lock
    assert "WITH RECURSIVE walk" in walk
    assert (
        write.index("INTO receipt_claim") < write.index("UPDATE lot") < write.index("INTO posting")
    )
    assert commit == "COMMIT"
    held, redeemed = await together(
        world,
        HoldBody(receipt(), at, 5, member_id=one),
        RedeemBody(receipt(), at, 3, member_id=other),
    )
    assert [answered(each)["balance"] for each in (held, redeemed)] == [30, 90]
    assert (await world.tills.balance(one)).balance == 30


async def test_what_has_ended_is_told_only_where_expiry_is_suspended(at: datetime) -> None:
    world = await make_world(at)
    late, kept = await world.member(), await world.member()
    async with transaction() as connection:
        await holders.suspend_expiry(connection, kept, None)
    for member in (late, kept):
        for days in (0, 399):
            when = at - timedelta(days=days)
            await world.ask(IssueBody(receipt(), when, member_id=member, points=50))
    told = await together(
        world, *(RedeemBody(receipt(), at, 10, member_id=one) for one in (late, kept))
    )
    assert [answered(one)["balance"] for one in told] == [40, 90]


async def test_a_used_receipt_is_told_before_a_lack_of_points(at: datetime) -> None:
    world = await make_world(at)
    rich, poor = await world.member(), await world.member()
    await world.ask(IssueBody(receipt(), at, member_id=rich, points=50))
    used, free = receipt(), receipt()
    await world.ask(RedeemBody(used, at, 10, member_id=rich))
    world.tills = world.more_tills()
    await world.tills.terms()
    refused, lacking, done = await together(
        world,
        RedeemBody(used, at, 10, member_id=poor),
        RedeemBody(free, at, 10, member_id=poor),
        RedeemBody(receipt(), at, 10, member_id=rich),
    )
    assert isinstance(refused, DuplicateReceipt)
    assert isinstance(lacking, NotEnoughPoints)
    assert answered(done)["balance"] == 30
    again, _ = await together(
        world,
        RedeemBody(free, at, 30, member_id=rich),
        RedeemBody(receipt(), at, 1, member_id=poor),
    )
    assert answered(again)["balance"] == 0, "a refusal has left its receipt unused"


async def test_a_used_receipt_takes_nothing_from_whoever_comes_after(at: datetime) -> None:
    world = await make_world(at)
    member, other = await world.member(), await world.member()
    for one in (member, other):
        await world.ask(IssueBody(receipt(), at, member_id=one, points=50))
    used = receipt()
    await world.ask(RedeemBody(used, at, 10, member_id=member))
    world.tills = world.more_tills()
    await world.tills.terms()
    refused, done = await together(
        world,
        RedeemBody(used, at, 30, member_id=member),
        RedeemBody(receipt(), at, 40, member_id=member),
    )
    assert isinstance(refused, DuplicateReceipt)
    assert answered(done)["balance"] == 0
    assert (await world.tills.balance(member)).balance == 0


async def test_who_lacks_points_leaves_its_receipt_unused(at: datetime) -> None:
    world = await make_world(at)
    rich, poor = await world.member(), await world.member()
    await world.ask(IssueBody(receipt(), at, member_id=rich, points=50))
    free = receipt()
    lacking, done = await together(
        world,
        RedeemBody(free, at, 10, member_id=poor),
        RedeemBody(receipt(), at, 10, member_id=rich),
    )
    assert isinstance(lacking, NotEnoughPoints)
    assert answered(done)["balance"] == 40
    assert (await world.ask(RedeemBody(free, at, 10, member_id=rich)))["balance"] == 30
