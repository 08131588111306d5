"""Caps per member and period: never exceeded, whoever comes together, and given back by returns."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import audit, posting
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import DuplicateReceipt
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.commands import (
    IssueBody,
    Purchase,
    PurchaseLine,
    QuoteBody,
    RedeemBody,
    ReverseBody,
)
from tests.points.bonuses.world import activated, document
from tests.points.world import World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

_USED = "SELECT rule_no, period, points FROM earning_usage ORDER BY rule_no, period"


def capped(most: int, period: str = "day", points: int = 30) -> RuleDocument:
    return document("capped", effect={"kind": "bonus", "points": points}, caps={period: most})


def purchase(world: World, member: UUID, number: str | None = None) -> IssueBody:
    bought = Purchase(amount_minor=1_000, currency="SEK")
    return IssueBody(number or receipt(), world.at, member_id=member, purchase=bought)


async def used() -> list[tuple[int, str, int]]:
    async with transaction() as connection:
        return [tuple(row) for row in await connection.fetch(_USED)]


async def test_what_is_over_the_cap_is_not_given_and_the_till_hears_why(at: datetime) -> None:
    world = await make_world(at)
    await activated(capped(50), at)
    anna = await world.member()
    answers = [await world.ask(purchase(world, anna)) for _ in range(3)]
    assert [answer["points"] for answer in answers] == [40, 30, 10]
    assert answers[1]["reasons"][1] == {
        "rule": "rule:capped@1",
        "points": 20,
        "text": "capped: 30 points for the basket; "
        "capped at 50 points a day, of which 30 were used",
    }
    assert await used() == [(1, "day:2026-11-21", 50)]
    world.clock.advance(timedelta(days=1))
    assert (await world.ask(purchase(world, anna)))["points"] == 40


async def test_a_cap_takes_more_than_a_posting_could_have_given(at: datetime) -> None:
    world = await make_world(at)
    effect = {"kind": "bonus", "points": 1_000_000, "per": "item"}
    await activated(document("capped", effect=effect, caps={"basket": 50}), at)
    lines = [PurchaseLine(amount_minor=1_000, quantity=5_000)]
    body = structs.replace(purchase(world, await world.member()), lines=lines)
    answer = await world.ask(body)
    assert answer["points"] == 60
    async with transaction() as connection:
        taken = await connection.fetchval("SELECT max(capped) FROM purchase_earning")
    assert taken == POINTS_MAX


async def test_a_quote_tells_what_is_left_of_a_cap_and_uses_nothing(at: datetime) -> None:
    world = await make_world(at)
    await activated(capped(50), at)
    anna = await world.member()
    await world.ask(purchase(world, anna))
    wanted = QuoteBody(member_id=anna, purchase=Purchase(amount_minor=1_000, currency="SEK"))
    quotes = [await world.tills.quote(world.grocer, None, wanted) for _ in range(2)]
    answer = await world.ask(purchase(world, anna))
    assert [quote.points for quote in quotes] == [30, 30]
    nobody = QuoteBody(purchase=wanted.purchase)
    assert (await world.tills.quote(world.grocer, None, nobody)).points == 40
    assert [reason.text for reason in quotes[0].reasons] == [
        reason["text"] for reason in answer["reasons"]
    ]


async def test_64_issues_together_never_exceed_a_cap(at: datetime) -> None:
    world = await make_world(at)
    await activated(capped(500, "campaign"), at)
    anna, bo = await world.member(), await world.member()
    tills = [world.more_tills() for _ in range(4)]
    # Each has a connection and the terms, so that they really race.
    await asyncio.gather(*(one.balance(anna) for one in tills))
    requests = [world.request(purchase(world, (anna, bo)[n % 2])) for n in range(64)]
    await asyncio.gather(*(tills[n // 2 % 4].post(one) for n, one in enumerate(requests)))
    # 32 baskets of each earn 10 points by the base rate, and the rule gives up to its cap.
    assert [(await world.tills.balance(one)).balance for one in (anna, bo)] == [820, 820]
    assert await used() == [(1, "campaign", 500)] * 2
    assert (await audit.run()).ok


async def test_capped_issues_and_redemptions_of_the_same_members_do_not_stand_in_their_way(
    at: datetime,
) -> None:
    world = await make_world(at)
    await activated(capped(1_000, "campaign"), at)
    members = [await world.member() for _ in range(6)]
    for member in members:
        await world.ask(purchase(world, member))
    tills = [world.more_tills() for _ in range(3)]
    await asyncio.gather(*(one.balance(members[0]) for one in tills))
    commands = [
        purchase(world, member) if (n + at_till) % 2 else RedeemBody(receipt(), at, 1, member)
        for at_till in range(3)
        for n, member in enumerate(members * 2)
    ]
    requests = [world.request(command) for command in commands]
    answers = await asyncio.gather(*(tills[n // 12].post(one) for n, one in enumerate(requests)))
    assert len(answers) == 36
    assert (await audit.run()).ok


async def test_in_one_batch_each_issue_counts_what_those_before_it_used(at: datetime) -> None:
    world = await make_world(at)
    await activated(capped(50), at)
    anna = await world.member()
    await world.ask(purchase(world, anna, "used"))
    await ensure_partition(at)
    numbers = ("used", "a", "b", "c")
    asked = [world.asked(purchase(world, anna, number)) for number in numbers]
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        refused, *answers = await world.tills.post_lines(connection, asked, at)
    assert isinstance(refused, DuplicateReceipt)
    # The refused one used nothing of the cap.
    assert [answer.points for answer in answers] == [30, 10, 10]  # type: ignore[union-attr]  # they were posted


async def test_a_purchase_that_earns_nothing_more_leaves_its_receipt_unused(at: datetime) -> None:
    world = await make_world(at)
    visit = document(
        "visit",
        effect={"kind": "per_measure", "points": 5, "measure": "visits"},
        caps={"day": 5},
    )
    await activated(visit, at)
    anna = await world.member()

    def came(number: str) -> IssueBody:
        return IssueBody(number, world.at, member_id=anna, measures={"visits": 1})

    assert (await world.ask(came("r1")))["points"] == 5
    nothing = await world.ask(came("r2"))
    assert (nothing["posting_id"], nothing["points"], nothing["balance"]) == (None, 0, 5)
    assert nothing["reasons"][-1]["text"].endswith("of which 5 were used")
    world.clock.advance(timedelta(days=1))
    assert (await world.ask(came("r2")))["points"] == 5


async def test_a_reversal_gives_back_what_its_issue_had_used(at: datetime) -> None:
    world = await make_world(at)
    await activated(capped(50), at)
    anna = await world.member()
    made = await world.ask(purchase(world, anna))
    target = UUID(made["posting_id"])
    await world.ask(ReverseBody(points=10), target=target)
    assert await used() == [(1, "day:2026-11-21", 23)]  # 30 * 30 / 40, rounded up
    await world.ask(ReverseBody(), target=target)
    assert await used() == [(1, "day:2026-11-21", 0)]
    assert (await world.ask(purchase(world, anna)))["points"] == 40
