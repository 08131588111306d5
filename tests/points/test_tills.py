"""Tills of several processes: equal keys have one effect and one answer, whoever comes first."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from coalition.kernel import idempotency
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import KeyReused
from coalition.ledger import audit
from coalition.ledger.refusals import DuplicateReceipt, NotEnoughPoints, UnknownHolder
from coalition.points.commands import (
    CaptureBody,
    Command,
    HoldBody,
    IssueBody,
    RedeemBody,
    ReverseBody,
    VoidBody,
)
from coalition.points.guards.signals import GUARDED
from tests.points.world import World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")


def issue(member: UUID, points: int, at: datetime, number: str | None = None) -> IssueBody:
    return IssueBody(number or receipt(), at, member_id=member, points=points)


def redeem(member: UUID, points: int, at: datetime, number: str | None = None) -> RedeemBody:
    return RedeemBody(number or receipt(), at, points, member_id=member)


def hold(member: UUID, points: int, at: datetime) -> HoldBody:
    return HoldBody(receipt(), at, points, member_id=member)


async def spendable(world: World, member: UUID) -> int:
    return (await world.tills.balance(member)).balance


async def made(world: World, command: Command, **given: Any) -> UUID:
    answer = await world.ask(command, **given)
    assert not isinstance(answer, Refused), answer
    return UUID(answer.get("hold_id") or answer["posting_id"])


Prepared = tuple[Command, UUID | None, int]
"""A command, its target, and the balance that it leaves."""


async def an_issue(world: World, anna: UUID) -> Prepared:
    return issue(anna, 50, world.at), None, 150


async def a_redemption_of_all(world: World, anna: UUID) -> Prepared:
    return redeem(anna, 100, world.at), None, 0


async def a_hold_of_all(world: World, anna: UUID) -> Prepared:
    return hold(anna, 100, world.at), None, 0


async def a_capture(world: World, anna: UUID) -> Prepared:
    return CaptureBody(60), await made(world, hold(anna, 100, world.at)), 40


async def a_void(world: World, anna: UUID) -> Prepared:
    return VoidBody(), await made(world, hold(anna, 100, world.at)), 100


async def a_whole_return(world: World, anna: UUID) -> Prepared:
    return ReverseBody(), await made(world, redeem(anna, 100, world.at)), 100


async def a_partial_return(world: World, anna: UUID) -> Prepared:
    return ReverseBody(10), await made(world, redeem(anna, 100, world.at)), 10


PREPARATIONS = (
    an_issue,
    a_redemption_of_all,
    a_hold_of_all,
    a_capture,
    a_void,
    a_whole_return,
    a_partial_return,
)


@pytest.mark.parametrize("prepare", PREPARATIONS, ids=lambda prepare: prepare.__name__)
async def test_fifty_sends_of_one_key_have_one_effect_and_equal_answers(
    at: datetime, prepare: Callable[[World, UUID], Awaitable[Prepared]]
) -> None:
    world = await make_world(at)
    anna = await world.member()
    await made(world, issue(anna, 100, at))
    command, target, left = await prepare(world, anna)
    request = world.request(command, target=target)
    tills = [world.tills, world.more_tills()]
    # Both have a connection and the terms, so that they really race.
    await asyncio.gather(*(one.balance(anna) for one in tills))
    answers = await asyncio.gather(
        *(tills[number % 2].post(request) for number in range(50)), return_exceptions=True
    )
    answers += [await one.post(request) for one in (world.more_tills(), *tills)]
    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    kept = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len({(answer.status, answer.media_type, answer.body) for answer in kept}) == 1
    assert sum(not answer.replayed for answer in kept) == 1
    assert await spendable(world, anna) == left
    assert (await audit.run()).breaches == []


@pytest.mark.parametrize("prepare", PREPARATIONS, ids=lambda prepare: prepare.__name__)
async def test_a_key_sent_again_in_a_crowd_gets_its_answer_and_the_others_are_posted_once(
    at: datetime, prepare: Callable[[World, UUID], Awaitable[Prepared]]
) -> None:
    world = await make_world(at)
    anna, others = await world.member(), [await world.member() for _ in range(5)]
    await made(world, issue(anna, 100, at))
    command, target, left = await prepare(world, anna)
    request = world.request(command, target=target)
    first = await world.tills.post(request)
    crowd = [world.request(issue(other, 10, at)) for other in others]
    again, *answers = await asyncio.gather(*map(world.more_tills().post, [request, *crowd]))
    assert again == replace(first, replayed=True)
    assert not any(answer.replayed for answer in answers)
    assert [await spendable(world, other) for other in others] == [10] * 5
    assert await spendable(world, anna) == left
    async with transaction() as connection:
        told = await connection.fetchval("SELECT count(*) FROM outbox WHERE kind = $1", GUARDED)
    assert told == 0, "the guards do not take it for a receipt used twice"


async def test_a_key_reused_in_a_crowd_is_refused(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    await made(world, issue(anna, 100, at), key="k")
    reused = world.request(hold(anna, 10, at), key="k")
    crowd = [world.request(issue(anna, 10, at)) for _ in range(3)]
    answers = await asyncio.gather(
        *map(world.more_tills().post, [reused, *crowd]), return_exceptions=True
    )
    assert isinstance(answers[0], KeyReused)
    assert await spendable(world, anna) == 130


async def test_a_refusal_leaves_the_key_free(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    request = world.request(redeem(anna, 100, at))
    with pytest.raises(NotEnoughPoints):
        await world.tills.post(request)
    await made(world, issue(anna, 100, at))
    assert not (await world.tills.post(request)).replayed
    assert (await world.tills.post(request)).replayed


async def test_a_key_with_another_body_is_refused(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    await made(world, issue(anna, 100, at), key="k1")
    refused = await world.ask(issue(anna, 101, at), key="k1")
    assert isinstance(refused, KeyReused)
    together = await asyncio.gather(
        *(world.ask(issue(anna, points, at), key="k2") for points in (1, 2))
    )
    assert not isinstance(together[0], Refused)
    assert isinstance(together[1], KeyReused)
    assert await spendable(world, anna) == 101


async def test_the_same_key_of_another_client_is_another_key(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    for client_no in (7, 8):
        command = issue(anna, 10, at)
        request = world.request(command)
        claim = idempotency.Claim.of(client_no, "k", "/", msgspec.json.encode(command))
        assert not (await world.tills.post(replace(request, claim=claim))).replayed
    assert await spendable(world, anna) == 20


async def test_a_key_that_was_forgotten_is_stopped_by_its_receipt(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    await made(world, issue(anna, 100, at))
    requests = [world.request(issue(anna, 10, at)), world.request(redeem(anna, 10, at))]
    for request in requests:
        await world.tills.post(request)
    world.clock.advance(timedelta(hours=49))
    assert await idempotency.forget_before(world.at) == 3
    for request in requests:
        with pytest.raises(DuplicateReceipt):
            await world.tills.post(request)
    assert await spendable(world, anna) == 100


async def test_one_posting_is_reversed_once_by_two_tills(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    target = await made(world, issue(anna, 100, at))
    tills = [world.tills, world.more_tills()]
    answers = await asyncio.gather(
        *(world.ask(ReverseBody(70), target=target, tills=tills[n % 2]) for n in range(10))
    )
    codes = [answer.code if isinstance(answer, Refused) else "reversed" for answer in answers]
    assert sorted(codes) == ["reversal_exceeds_original"] * 9 + ["reversed"]
    assert await spendable(world, anna) == 30
    assert (await audit.run()).breaches == []


async def test_concurrent_requests_are_each_answered_with_their_own(at: datetime) -> None:
    world = await make_world(at)
    members = [await world.member() for _ in range(5)]
    answers = await asyncio.gather(
        *(
            world.ask(issue(member, points, at))
            for points, member in enumerate(members * 4, start=1)
        )
    )
    for points, answer in enumerate(answers, start=1):
        assert answer["points"] == points
        assert UUID(answer["member_id"]) == members[(points - 1) % 5]
    for number, member in enumerate(members):
        assert await spendable(world, member) == sum(range(number + 1, 21, 5))


async def test_one_bad_request_does_not_spoil_those_of_others(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    commands: list[Command] = [issue(anna, 10, at), redeem(anna, 1000, at)]
    commands.append(issue(UUID(int=1), 1, at))
    answers = await asyncio.gather(*(world.ask(command) for command in commands))
    kinds = [type(answer) if isinstance(answer, Refused) else "posted" for answer in answers]
    assert kinds == ["posted", NotEnoughPoints, UnknownHolder]
    assert await spendable(world, anna) == 10


async def test_a_crowd_that_is_refused_as_a_whole_leaves_nothing(at: datetime) -> None:
    world = await make_world(at)
    await world.ask(issue(await world.member(), 1, at))  # so that the terms are known
    unknown = [issue(UUID(int=no), 10, at) for no in range(1, 4)]
    answers = await asyncio.gather(*(world.ask(command) for command in unknown))
    assert [type(answer) for answer in answers] == [UnknownHolder] * 3
    async with transaction() as connection:
        for table in ("receipt_claim", "idempotency_claim", "posting", "outbox"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1, table


async def test_balances_of_many_are_read_together(at: datetime) -> None:
    world = await make_world(at)
    members = [await world.member() for _ in range(8)]
    await asyncio.gather(
        *(world.ask(issue(member, number + 1, at)) for number, member in enumerate(members))
    )
    found = await asyncio.gather(*(spendable(world, member) for member in members))
    assert found == list(range(1, 9))
    with pytest.raises(UnknownHolder):
        await spendable(world, UUID(int=5))


async def test_a_till_that_stops_answers_what_it_has_taken(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    waiting = [asyncio.ensure_future(world.ask(issue(anna, 10, at))) for _ in range(3)]
    await asyncio.sleep(0)
    await world.tills.finish()
    assert [answer["points"] for answer in await asyncio.gather(*waiting)] == [10] * 3
