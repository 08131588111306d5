"""What guards confirm and refuse before anything is posted."""

import asyncio
import random
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import retrying, transaction
from coalition.kernel.errors import Refused
from coalition.ledger import audit
from coalition.ledger.posting import PINNED_FOR_LINES, POSTER_ROLE
from coalition.ledger.refusals import NotEnoughPoints
from coalition.points.commands import CaptureBody, RedeemBody, VoidBody
from coalition.points.guards.refusals import ConfirmationNeeded, VelocityExceeded
from tests.points.guards.world import (
    activate,
    counted,
    hits_of,
    hold,
    issue,
    open_cases,
    quiet_world,
    redeem,
    rich,
    watch,
)
from tests.points.world import World, receipt

pytestmark = pytest.mark.usefixtures("database")


async def test_a_redemption_too_many_is_refused_with_what_was_used_and_when_it_is_possible(
    at: datetime,
) -> None:
    world = await quiet_world(at)
    await activate(at, mode="refuse")
    anna = await rich(world)
    for minutes in (0, 10):
        assert (await world.ask(redeem(anna, 5, at - timedelta(minutes=30 - minutes))))[
            "points"
        ] == 5
    refused = await world.ask(redeem(anna, 5, at))
    assert isinstance(refused, VelocityExceeded)
    assert refused.status == 409
    assert refused.facts == {
        "limit": 2,
        "used": 2,
        "measure": "redemptions",
        "subject": ["member"],
        # The first was at 11:30, and a window of an hour counts whole minutes.
        "next_possible_at": "2026-11-21T12:31:00Z",
    }
    assert "redemptions within 1 hour would be 3 and at most 2 are allowed" in refused.detail
    world.clock.advance(timedelta(minutes=31))
    assert (await world.ask(redeem(anna, 5, world.at)))["points"] == 5


async def test_sixty_four_tills_at_once_never_pass_the_number(at: datetime) -> None:
    world = await quiet_world(at)
    rule = await activate(at, mode="refuse", most=7)
    anna = await rich(world)
    tills = [world.tills, *(world.more_tills() for _ in range(3))]
    # Acts of one minute and of its neighbours: their slots differ, their window is one.
    requests = [
        world.ask(redeem(anna, 1, at + timedelta(seconds=n % 4 - 2)), tills=tills[n % 4])
        for n in range(64)
    ]
    answers = await asyncio.gather(*requests)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert {type(one) for one in refused} == {VelocityExceeded}
    assert len(refused) == 57
    assert await counted(rule.no) == 7
    assert (await world.tills.balance(anna)).balance == 100_000 - 7
    assert (await audit.run()).breaches == []


async def test_tills_and_batches_that_meet_over_several_subjects_pass_no_number(
    at: datetime,
) -> None:
    world = await quiet_world(at)
    await activate(at, name="by-member", mode="refuse", most=6)
    await activate(
        at,
        name="by-cashier",
        mode="refuse",
        measure="redeemed_points",
        subject=["cashier"],
        most=50,
    )
    members = [await rich(world, 1000) for _ in range(5)]
    chance = random.Random(28)
    acts = [
        redeem(chance.choice(members), chance.randint(1, 9), at, cashier=f"kim{n % 3}")
        for n in range(120)
    ]
    tills = [world.tills, *(world.more_tills() for _ in range(2))]

    async def send_lines(lines: list[RedeemBody]) -> None:
        async def post() -> None:
            async with transaction(PINNED_FOR_LINES, role=POSTER_ROLE) as connection:
                await tills[2].post_lines(connection, [world.asked(one) for one in lines], at)

        await retrying(post)

    await asyncio.gather(
        *(world.ask(act, tills=tills[n % 2]) for n, act in enumerate(acts[:60])),
        *(send_lines(acts[start : start + 15]) for start in range(60, 120, 15)),
    )
    async with transaction() as connection:
        posted = await connection.fetch(
            "SELECT holder, cashier, points FROM posting WHERE kind = 2"
        )
    assert 0 < len(posted) < len(acts)
    assert max(Counter(row["holder"] for row in posted).values()) <= 6
    given = Counter[str]()
    for row in posted:
        given[row["cashier"]] += row["points"]
    assert max(given.values()) <= 50
    assert (await audit.run()).breaches == []


async def test_points_are_counted_over_cashier_and_member_together(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(
        at, mode="refuse", measure="manual_points", subject=["cashier", "member"], most=100
    )
    anna, bo = await world.member(), await world.member()

    async def give(member: UUID, points: int, cashier: str | None) -> object:
        return await world.ask(issue(member, points, at, cashier=cashier))

    assert not isinstance(await give(anna, 100, "kim"), Refused)
    assert isinstance(await give(anna, 1, "kim"), VelocityExceeded)
    assert not isinstance(await give(anna, 1, "alex"), Refused)
    assert not isinstance(await give(bo, 1, "kim"), Refused)
    assert not isinstance(await give(anna, 1, None), Refused)


async def test_a_redemption_that_is_too_large_by_itself_is_refused_for_good(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, mode="refuse", measure="points_of_one_redemption", window=None, most=50)
    anna = await rich(world)
    assert not isinstance(await world.ask(redeem(anna, 50, at)), Refused)
    refused = await world.ask(redeem(anna, 51, at))
    assert isinstance(refused, VelocityExceeded)
    assert refused.facts["next_possible_at"] is None
    assert refused.detail.endswith("at most 50 are allowed; that is too much by itself")


async def test_a_replay_and_a_refusal_of_the_ledger_count_nothing(at: datetime) -> None:
    world = await quiet_world(at)
    rule = await activate(at, mode="refuse", most=1)
    anna = await rich(world, 10)
    command = redeem(anna, 4, at)
    assert isinstance(await world.ask(redeem(anna, 999, at)), NotEnoughPoints)
    assert await counted(rule.no) == 0
    first = await world.ask(command, key="again")
    assert await world.ask(command, key="again") == first
    assert await world.ask(command, key="again", tills=world.more_tills()) == first
    assert await counted(rule.no) == 1


async def test_a_hold_is_judged_when_it_is_made_and_not_when_it_is_captured(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, mode="refuse", most=1)
    anna = await rich(world)
    held = await world.ask(hold(anna, 5, at))
    target = UUID(held["hold_id"])
    assert isinstance(await world.ask(redeem(anna, 5, at)), VelocityExceeded)
    assert (await world.ask(CaptureBody(), target=target))["points"] == 5
    assert isinstance(await world.ask(hold(anna, 5, at)), VelocityExceeded)
    assert isinstance(await world.ask(VoidBody(), target=target), Refused)


async def test_a_large_redemption_needs_somebody_who_confirms_it(at: datetime) -> None:
    world = await quiet_world(at)
    rule = await activate(
        at, mode="confirm", measure="points_of_one_redemption", window=None, most=500
    )
    anna = await rich(world)
    assert (await world.ask(redeem(anna, 500, at)))["points"] == 500
    asked = await world.ask(redeem(anna, 501, at, cashier="kim"), key="large")
    assert isinstance(asked, ConfirmationNeeded)
    assert (asked.status, asked.code) == (409, "confirmation_needed")
    assert asked.facts["limit"] == 500
    assert asked.facts["points"] == 501
    assert asked.facts["confirm_with"] == "confirmed_by"
    for name in ("Kim", " KIM ", " "):
        himself = redeem(anna, 501, at, cashier="kim", confirmed_by=name)
        assert isinstance(await world.ask(himself, key="large"), ConfirmationNeeded), name
    command = redeem(anna, 501, at, cashier="kim", confirmed_by="Chief Lee")
    done = await world.ask(command, key="large")
    assert done["points"] == 501

    await watch(world)
    (case,) = await open_cases()
    assert (case.rule_no, case.subject, case.member_id) == (rule.no, f"member:{anna}", anna)
    hits = {hit.outcome: hit for hit in await hits_of(case.id)}
    assert hits.keys() == {"asked", "confirmed"}
    assert hits["confirmed"].confirmed_by == ["Chief Lee"]
    assert hits["confirmed"].postings == [UUID(done["posting_id"])]
    assert (hits["asked"].reached, hits["asked"].most, hits["asked"].cashiers) == (
        501,
        500,
        ["kim"],
    )
    assert hits["asked"].postings == []


async def test_the_third_redemption_of_an_hour_needs_somebody_who_confirms_it(
    at: datetime,
) -> None:
    world = await quiet_world(at)
    rule = await activate(at, mode="confirm")
    anna = await rich(world)
    answers = await asyncio.gather(*(world.ask(redeem(anna, 1, at)) for _ in range(3)))
    assert [type(one) for one in answers if isinstance(one, Refused)] == [ConfirmationNeeded]
    assert not isinstance(await world.ask(redeem(anna, 1, at, confirmed_by="lee")), Refused)
    assert await counted(rule.no) == 3


async def test_only_the_partner_that_a_rule_names_is_judged(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, mode="refuse", most=0, partner=world.fuel)
    anna = await rich(world)
    assert not isinstance(await world.ask(redeem(anna, 1, at)), Refused)
    refused = await world.ask(redeem(anna, 1, at), partner_no=world.fuel)
    assert isinstance(refused, VelocityExceeded)
    assert refused.facts["next_possible_at"] is None


async def test_a_rule_by_card_counts_each_card_by_itself(at: datetime) -> None:
    world = await quiet_world(at)
    rule = await activate(at, mode="refuse", subject=["card"], most=1)
    card = "97520001"
    anna = await world.member(card)
    await world.ask(issue(anna, 100, at - timedelta(days=2)))

    async def pay() -> object:
        return await world.ask(RedeemBody(receipt=receipt(), occurred_at=at, points=1, card=card))

    assert not isinstance(await pay(), Refused)
    assert isinstance(await pay(), VelocityExceeded)
    assert not isinstance(await world.ask(redeem(anna, 1, at)), Refused), "by id, so by no card"
    await watch(world)
    (case,) = await open_cases()
    assert case.subject.startswith("card:")
    assert card not in case.subject
    assert (case.rule_no, case.member_id) == (rule.no, anna)


async def test_what_was_refused_is_told_to_the_case_and_nothing_of_it_is_counted(
    at: datetime,
) -> None:
    world = await quiet_world(at)
    rule = await activate(at, mode="refuse", most=1)
    anna = await rich(world)
    for _ in range(3):
        await world.ask(redeem(anna, 1, at))
    await watch(world)
    (case,) = await open_cases()
    (hit,) = await hits_of(case.id)
    assert (hit.outcome, hit.acts, hit.reached, hit.most) == ("refused", 2, 2, 1)
    assert await counted(rule.no) == 1


async def test_a_retired_rule_stops_nobody_from_the_next_request_on(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, mode="refuse", most=0)
    anna = await rich(world)
    assert isinstance(await world.ask(redeem(anna, 1, at)), VelocityExceeded)
    await activate(at, mode="report", most=0)
    assert not isinstance(await world.ask(redeem(anna, 1, at)), Refused)


async def test_lines_of_a_batch_are_judged_in_their_order(at: datetime) -> None:
    world: World = await quiet_world(at)
    await activate(at, mode="refuse", measure="redeemed_points", most=10)
    anna = await rich(world)
    answers = await asyncio.gather(*(world.ask(redeem(anna, n, at)) for n in (6, 5, 4)))
    assert [isinstance(one, VelocityExceeded) for one in answers] == [False, True, False]
