"""Crowds that resolve holds and reverse postings: read once, trusted, and proved when written."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Answer
from coalition.ledger import audit, holders, pooling
from coalition.ledger.batch import Batch
from coalition.ledger.refusals import DuplicateReceipt, HoldResolved, ReversalExceedsOriginal
from coalition.points.commands import (
    CaptureBody,
    Command,
    HoldBody,
    IssueBody,
    RedeemBody,
    ReverseBody,
    VoidBody,
)
from tests.points.test_defaulted_funders import fuel_fails
from tests.points.world import World, answered, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

Act = tuple[Command, UUID | None]


async def together(world: World, *acts: Act) -> list[Answer | Refused]:
    """Send commands, each with what it is about, in one flush."""

    async def sent(command: Command, target: UUID | None) -> Answer | Refused:
        try:
            return await world.tills.post(world.request(command, target=target))
        except Refused as refusal:
            return refusal

    return list(await asyncio.gather(*(sent(*act) for act in acts)))


async def member_with(world: World, points: int = 100) -> tuple[UUID, UUID]:
    """Return a new member and the posting by which it was issued so many points."""
    member = await world.member()
    made = await world.ask(IssueBody(receipt(), world.at, member_id=member, points=points))
    return member, UUID(made["posting_id"])


async def held(world: World, member: UUID, points: int, *, number: str | None = None) -> UUID:
    body = HoldBody(number or receipt(), world.at, points, member_id=member)
    return UUID((await world.ask(body))["hold_id"])


async def redeemed(world: World, member: UUID, points: int) -> UUID:
    made = await world.ask(RedeemBody(receipt(), world.at, points, member_id=member))
    return UUID(made["posting_id"])


def balances(answers: Sequence[Answer | Refused]) -> list[int]:
    return [answered(one)["balance"] for one in answers]


async def told(world: World, *members: UUID) -> list[int]:
    return [(await world.tills.balance(one)).balance for one in members]


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[object]]) -> None:
    """Let another process `act` once: when what is named was read, and nobody is locked yet."""
    find_others, has_acted = pooling.find_others, False

    async def acting(connection: Connection, batch: Batch, kept: Any) -> None:
        nonlocal has_acted
        if not has_acted:
            has_acted = True
            await act()
        await find_others(connection, batch, kept)

    monkeypatch.setattr(pooling, "find_others", acting)


async def test_what_is_named_is_read_once_and_all_is_written_at_the_end(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(at)
    (one, _), (two, _), (three, issue), (four, _), (five, _) = [
        await member_with(world) for _ in range(5)
    ]
    capture, void = await held(world, one, 30), await held(world, two, 40)
    spent = await redeemed(world, four, 60)
    asked: list[str] = []
    for name in ("execute", "fetch", "fetchrow"):
        call = getattr(Connection, name)

        async def noted(
            self: Connection, statement: str, *given: Any, call: Any = call, **named: Any
        ) -> Any:
            asked.append(statement)
            return await call(self, statement, *given, **named)

        monkeypatch.setattr(Connection, name, noted)
    answers = await together(
        world,
        (CaptureBody(points=10), capture),
        (VoidBody(), void),
        (ReverseBody(points=25), issue),
        (ReverseBody(points=50), spent),
        (RedeemBody(receipt(), at, 5, member_id=five), None),
    )
    assert balances(answers) == [90, 100, 75, 90, 95]
    assert [sum(table in each for each in asked) for table in ("FROM hold ", "FROM posting ")] == [
        1,
        1,
    ]
    written = asked[-2]
    changed = [
        each for each in asked if any(word in each for word in ("INSERT", "UPDATE lot", "DELETE"))
    ]
    assert changed == [written]
    for part in (
        "INTO receipt_claim", "UPDATE lot", "INTO lot_again", "INTO reversed_leg", "UPDATE hold",
    ):  # fmt: skip
        assert part in written
    assert asked[-1] == "COMMIT"
    assert await told(world, one, two, three, four, five) == [90, 100, 75, 90, 95]
    assert (await audit.run()).breaches == []


async def test_a_hold_that_another_process_captures_meanwhile_is_captured_once(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(at)
    (member, _), (other, _) = await member_with(world), await member_with(world)
    hold = await held(world, member, 30)
    await held(world, member, 40)  # so that the lot has enough held to be released twice
    elsewhere = world.more_tills()
    meanwhile(monkeypatch, lambda: world.ask(CaptureBody(), target=hold, tills=elsewhere))
    refused, done = await together(
        world,
        (VoidBody(), hold),
        (RedeemBody(receipt(), at, 5, member_id=other), None),
    )
    assert isinstance(refused, HoldResolved)
    assert balances([done]) == [95]
    assert await told(world, member, other) == [30, 95]
    assert (await audit.run()).breaches == []


@pytest.mark.parametrize(("wanted", "left"), [(10, 40), (None, 0)])
async def test_what_another_process_reverses_meanwhile_counts(
    at: datetime, monkeypatch: pytest.MonkeyPatch, wanted: int | None, left: int
) -> None:
    world = await make_world(at)
    (member, issue), (other, _) = await member_with(world), await member_with(world)
    elsewhere = world.more_tills()
    meanwhile(monkeypatch, lambda: world.ask(ReverseBody(points=50), target=issue, tills=elsewhere))
    answers = await together(
        world,
        (ReverseBody(points=wanted), issue),
        (RedeemBody(receipt(), at, 5, member_id=other), None),
    )
    assert balances(answers) == [left, 95]
    assert answered(answers[0])["points"] == (wanted or 50)
    assert await told(world, member, other) == [left, 95]
    assert (await audit.run()).breaches == []


@pytest.mark.parametrize(("wanted", "given"), [(20, None), (None, 10)])
async def test_no_more_is_given_back_than_another_process_has_left(
    at: datetime, monkeypatch: pytest.MonkeyPatch, wanted: int | None, given: int | None
) -> None:
    world = await make_world(at)
    (member, _), (other, _) = await member_with(world), await member_with(world)
    spent = await redeemed(world, member, 60)
    # So that the lot itself would take more back.
    await redeemed(world, member, 30)
    elsewhere = world.more_tills()
    meanwhile(monkeypatch, lambda: world.ask(ReverseBody(points=50), target=spent, tills=elsewhere))
    answer, _ = await together(
        world,
        (ReverseBody(points=wanted), spent),
        (RedeemBody(receipt(), at, 5, member_id=other), None),
    )
    if given is None:
        assert isinstance(answer, ReversalExceedsOriginal)
    else:
        assert (answered(answer)["points"], answered(answer)["balance"]) == (given, 70)
    assert await told(world, member) == [60 + (given or 0)]
    assert (await audit.run()).breaches == []


async def test_a_lot_that_is_given_to_and_taken_from_changes_both_ways(at: datetime) -> None:
    world = await make_world(at)
    (member, issue), (other, _) = await member_with(world), await member_with(world)
    spent = await redeemed(world, member, 60)
    answers = await together(
        world,
        (ReverseBody(points=20), issue),
        (ReverseBody(points=50), spent),
        (RedeemBody(receipt(), at, 5, member_id=other), None),
    )
    assert balances(answers) == [70, 70, 95]
    assert await told(world, member, other) == [70, 95]
    assert (await audit.run()).breaches == []


async def test_one_posting_that_is_reversed_twice_is_reversed_in_turn(at: datetime) -> None:
    world = await make_world(at)
    (member, issue), (other, _) = await member_with(world), await member_with(world)
    first, second, _ = await together(
        world,
        (ReverseBody(points=70), issue),
        (ReverseBody(points=40), issue),
        (RedeemBody(receipt(), at, 5, member_id=other), None),
    )
    assert answered(first)["points"] == 70
    assert isinstance(second, ReversalExceedsOriginal)
    assert await told(world, member) == [30]
    assert (await audit.run()).breaches == []


async def test_what_is_released_of_ended_lots_is_told_where_expiry_is_suspended(
    at: datetime,
) -> None:
    world = await make_world(at)
    members = [await world.member(), await world.member()]
    holds = []
    for member in members:
        when = at - timedelta(days=300)
        await world.ask(IssueBody(receipt(), when, member_id=member, points=50))
        await world.ask(IssueBody(receipt(), at, member_id=member, points=50))
        body = HoldBody(receipt(), at, 60, member_id=member, expires_in_s=86_400)
        holds.append(UUID((await world.ask(body))["hold_id"]))
    async with transaction() as connection:
        # The lots that end first end now, as if a year had gone by while the hold was open.
        await holders.suspend_expiry(connection, members[1], None)
        for table, column in (("lot", "id"), ("hold_leg", "lot")):
            await connection.execute(_LET_END.format(table=table, column=column))
        await connection.execute(
            "UPDATE lot SET expires_on = $1::date - 1 WHERE points_in = held", at.date()
        )
    answers = await together(world, *((VoidBody(), hold) for hold in holds))
    assert balances(answers) == [50, 100]
    assert await told(world, *members) == [50, 100]


# Ids of lots tell the day after the eighth byte: 0001 is the second of all.
_LET_END = """
UPDATE {table} SET {column} = overlay({column}::text placing '0001' from 20 for 4)::uuid
WHERE {column} IN (SELECT id FROM lot WHERE points_in = held)
   OR {column} IN (SELECT lot FROM hold_leg JOIN hold USING (bucket) WHERE hold_leg.points = 50)
"""


async def test_what_is_released_of_suspended_funders_is_not_told(at: datetime) -> None:
    world = await make_world(at)
    (member, _), (other, _) = await member_with(world), await member_with(world)
    made = IssueBody(receipt(), at, member_id=member, points=50)
    await world.ask(made, partner_no=world.fuel)
    hold = await held(world, member, 150)
    await fuel_fails(world, at)
    answers = await together(
        world,
        (VoidBody(), hold),
        (RedeemBody(receipt(), at, 5, member_id=other), None),
    )
    assert balances(answers) == [100, 95]
    assert await told(world, member) == [100]


async def test_a_used_receipt_refuses_a_capture_in_a_crowd(at: datetime) -> None:
    world = await make_world(at)
    (member, _), (other, _) = await member_with(world), await member_with(world)
    used = receipt()
    hold = await held(world, member, 30, number=used)
    await world.ask(RedeemBody(used, at, 10, member_id=other))
    world.tills = world.more_tills()
    await world.tills.terms()
    refused, done = await together(
        world,
        (CaptureBody(), hold),
        (RedeemBody(receipt(), at, 5, member_id=other), None),
    )
    assert isinstance(refused, DuplicateReceipt)
    assert balances([done]) == [85]
    assert await told(world, member, other) == [70, 85]
    assert (await audit.run()).breaches == []
