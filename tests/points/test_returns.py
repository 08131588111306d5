"""Lines that go back: what the rest still earns stays, and all returns add up to the whole."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from coalition.federation.terms import ReversalPolicy
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.ledger import audit, posting
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import (
    PointsAlreadySpent,
    ReversalExceedsOriginal,
    UnknownPosting,
)
from coalition.members import standings
from coalition.points import history
from coalition.points.bonuses import personal
from coalition.points.bonuses.personal import EarningBonus
from coalition.points.commands import (
    IssueBody,
    Purchase,
    PurchaseLine,
    RedeemBody,
    ReturnedLine,
    ReverseBody,
)
from coalition.points.refusals import LineReversed, NoLines, UnknownLine
from tests.points.bonuses.world import activated, document
from tests.points.world import TERMS, World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

Wanted = Sequence[tuple[int, str] | tuple[int, str, int]]

_USED = "SELECT coalesce(sum(points), 0) FROM earning_usage"

THRESHOLD = document(
    "big-basket",
    effect={"kind": "bonus", "points": 50},
    applies_to={"least": {"amount_minor": 10_000}, "currency": "SEK"},
)
FRUIT = document(
    "fruit", effect={"kind": "multiplier", "factor": "2.5"}, applies_to={"categories": ["fruit"]}
)


async def bought(
    world: World, member: UUID, lines: Wanted, amount_minor: int | None = None, **fields: Any
) -> dict[str, Any]:
    """Return the answer to a purchase of `lines`, that costs what they do unless it is said."""
    amount = sum(line[0] for line in lines) if amount_minor is None else amount_minor
    command = IssueBody(
        receipt(),
        world.at,
        member_id=member,
        purchase=Purchase(amount_minor=amount, currency="SEK"),
        lines=[
            PurchaseLine(
                amount_minor=line[0], category=line[1], quantity=line[2] if len(line) > 2 else 1
            )
            for line in lines
        ],
        **fields,
    )
    answer: dict[str, Any] = await world.ask(command)
    return answer


def back(*lines: int | tuple[int, int], points: int | None = None) -> ReverseBody:
    """Return the reversal of lines by number, whole or with a quantity."""
    named = [(line, None) if isinstance(line, int) else line for line in lines]
    return ReverseBody(
        points=points, lines=[ReturnedLine(no=no, quantity=quantity) for no, quantity in named]
    )


async def test_a_returned_line_takes_back_what_it_and_its_rules_had_earned(at: datetime) -> None:
    world = await make_world(at)
    for rule in (THRESHOLD, FRUIT):
        await activated(rule, at)
    anna = await world.member()
    answer = await bought(world, anna, [(4_000, "fruit"), (8_000, "bread")])
    assert answer["points"] == 120 + 60 + 50
    target = UUID(answer["posting_id"])
    # Bread alone is below the threshold, so its bonus goes back with the fruit.
    returned = await world.ask(back(1), target=target)
    assert (returned["points"], returned["balance"]) == (150, 80)
    assert returned["reasons"][0]["text"] == "returned: 1 of line 1"
    shown = await history.show_posting(
        target, partner_no=world.grocer, terms=await world.tills.terms()
    )
    assert [(line.no, line.returned) for line in shown.lines or ()] == [(1, 1), (2, 0)]
    rest = await world.ask(back(2), target=target)
    assert (rest["points"], rest["balance"]) == (80, 0)
    assert (await audit.run()).ok


async def test_the_rest_is_judged_by_the_rules_and_standings_of_its_time(at: datetime) -> None:
    world = await make_world(at)
    gold = document(
        "gold", effect={"kind": "multiplier", "factor": "2"}, applies_to={"tiers": ["gold"]}
    )
    await activated(gold, at)
    anna = await world.member()
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=MemberId(anna),
            kind="tier",
            value="gold",
            valid_from=at,
            valid_until=at + timedelta(hours=1),
            source="test",
            at=at,
        )
        gift = EarningBonus(
            holder=MemberId(anna), source="gift", kind="extra", points=9, valid_from=at
        )
        await personal.give(connection, gift, at=at)
    answer = await bought(world, anna, [(4_000, "fruit"), (6_000, "bread")])
    assert answer["points"] == 200 + 9
    world.clock.advance(timedelta(hours=2))
    changed = document(
        "gold", effect={"kind": "multiplier", "factor": "9"}, applies_to={"tiers": ["gold"]}
    )
    await activated(changed, world.at)
    await activated(document("new", effect={"kind": "bonus", "points": 500}), world.at)
    async with transaction() as connection:
        await personal.end(connection, MemberId(anna), "gift", at=world.at)
    returned = await world.ask(back(1), target=UUID(answer["posting_id"]))
    assert returned["points"] == 80


async def test_what_a_returned_line_takes_back_is_taken_from_those_who_paid_for_it(
    at: datetime,
) -> None:
    world = await make_world(at)
    for category, funder in (("fruit", world.fuel), ("bread", "operator")):
        bonus = document(
            category,
            effect={"kind": "bonus", "points": 20},
            applies_to={"categories": [category]},
            funding=[{"funder": funder, "weight": 1}],
        )
        await activated(bonus, at)
    answer = await bought(world, await world.member(), [(1_000, "fruit"), (1_000, "bread")])
    left = "SELECT points_in - points_out FROM lot ORDER BY funder_no"
    for no, rest in ((1, [20, 10, 0]), (2, [0, 0, 0])):
        assert (await world.ask(back(no), target=UUID(answer["posting_id"])))["points"] == 30
        async with transaction() as connection:
            assert [row[0] for row in await connection.fetch(left)] == rest


async def test_part_of_a_line_goes_back_and_the_rest_of_it_later(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    answer = await bought(world, anna, [(1_000, "milk", 3)])
    target = UUID(answer["posting_id"])
    taken = [
        (await world.ask(back((1, quantity)), target=target))["points"] for quantity in (1, 1, 1)
    ]
    assert taken == [4, 3, 3]
    refused = await world.ask(back(1), target=target)
    assert isinstance(refused, LineReversed)
    assert refused.facts["remaining"] == 0


async def test_a_purchase_may_cost_more_than_its_lines_and_the_rest_of_it_stays(
    at: datetime,
) -> None:
    world = await make_world(at)
    answer = await bought(world, await world.member(), [(1_000, "milk")], 2_500)
    returned = await world.ask(back(1), target=UUID(answer["posting_id"]))
    assert (returned["points"], returned["balance"]) == (10, 15)


async def test_a_line_that_earned_nothing_goes_back_without_a_posting(at: datetime) -> None:
    world = await make_world(at)
    answer = await bought(world, await world.member(), [(1_000, "milk"), (40, "bag")])
    target = UUID(answer["posting_id"])
    request = world.request(back(2), target=target)
    response = await world.tills.post(request)
    assert response.status == 200
    assert isinstance(await world.ask(back(2), target=target), LineReversed)
    assert (await world.ask(back(1), target=target))["points"] == 10


async def test_points_that_are_named_are_taken_and_the_lines_are_gone(at: datetime) -> None:
    world = await make_world(at)
    answer = await bought(world, await world.member(), [(1_000, "milk"), (1_000, "bread")])
    target = UUID(answer["posting_id"])
    assert (await world.ask(back(1, points=4), target=target))["points"] == 4
    assert isinstance(await world.ask(back(1), target=target), LineReversed)
    # What was left of line 1 goes with the last line: all lines together earned all points.
    assert (await world.ask(back(2), target=target))["points"] == 16


async def test_lines_of_a_posting_that_was_reversed_whole_cannot_go_back(at: datetime) -> None:
    world = await make_world(at)
    answer = await bought(world, await world.member(), [(1_000, "milk"), (1_000, "bread")])
    target = UUID(answer["posting_id"])
    await world.ask(ReverseBody(), target=target)
    assert isinstance(await world.ask(back(1), target=target), ReversalExceedsOriginal)


async def test_lines_that_are_not_there_and_postings_without_any_are_refused(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    target = UUID((await bought(world, anna, [(1_000, "milk")]))["posting_id"])
    plain = await world.ask(IssueBody(receipt(), at, member_id=anna, points=5))
    spent = await world.ask(RedeemBody(receipt(), at, 5, member_id=anna))
    assert isinstance(await world.ask(back(2), target=target), UnknownLine)
    assert isinstance(await world.ask(back(1, 1), target=target), LineReversed)
    assert isinstance(await world.ask(back((1, 2)), target=target), LineReversed)
    for without in (plain, spent):
        refused = await world.ask(back(1), target=UUID(without["posting_id"]))
        assert isinstance(refused, NoLines)
    stranger = await world.ask(back(1), target=target, partner_no=world.fuel)
    assert isinstance(stranger, UnknownPosting)


async def test_a_return_that_is_refused_for_spent_points_returns_no_line(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    target = UUID((await bought(world, anna, [(1_000, "milk")]))["posting_id"])
    await world.ask(RedeemBody(receipt(), at, 8, member_id=anna))
    assert isinstance(await world.ask(back(1), target=target), PointsAlreadySpent)
    shown = await history.show_posting(
        target, partner_no=world.grocer, terms=await world.tills.terms()
    )
    assert [line.returned for line in shown.lines or ()] == [0]


async def test_a_line_whose_points_are_spent_and_owed_has_gone_back(at: datetime) -> None:
    owing = structs.replace(TERMS, reversal_policy=ReversalPolicy.DEBT)
    world = await make_world(at, terms=owing)
    anna = await world.member()
    lines = [(1_000, "milk"), (1_000, "bread")]
    target = UUID((await bought(world, anna, lines))["posting_id"])
    await world.ask(RedeemBody(receipt(), at, 15, member_id=anna))
    partly = await world.ask(back(1), target=target)
    assert (partly["points"], partly["debt"], partly["balance"]) == (5, 5, 0)
    owed = await world.ask(back(2), target=target)
    assert (owed["posting_id"], owed["points"], owed["debt"]) == (None, 0, 10)
    assert isinstance(await world.ask(back(2), target=target), LineReversed)
    assert (await audit.run()).ok


async def test_returns_of_one_purchase_in_one_batch_follow_each_other(at: datetime) -> None:
    world = await make_world(at)
    await activated(THRESHOLD, at)
    anna = await world.member()
    lines = [(6_000, "milk"), (6_000, "bread"), (1_000, "fruit")]
    target = UUID((await bought(world, anna, lines))["posting_id"])
    asked = [world.asked(back(no), target=target) for no in (1, 1, 2, 3)]
    await ensure_partition(at)
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        answers = await world.tills.post_lines(connection, asked, at)
    told = [answer if isinstance(answer, Refused) else answer.points for answer in answers]
    assert [told[0], *told[2:]] == [110, 60, 10]
    assert isinstance(told[1], LineReversed)


@pytest.mark.parametrize("seed", range(10))
async def test_all_returns_of_a_purchase_add_up_to_its_points_in_whatever_order(
    at: datetime, seed: int
) -> None:
    chance = random.Random(seed)
    world = await make_world(at)
    rules = [
        THRESHOLD,
        FRUIT,
        document(
            "shared",
            effect={"kind": "bonus", "points": 7, "per": "item"},
            caps={"day": 60, "basket": 45},
            funding=[{"funder": "issuer", "weight": 2}, {"funder": world.fuel, "weight": 1}],
        ),
        document(
            "small", effect={"kind": "bonus", "points": 40}, condition="basket.amount_minor < 5000"
        ),
    ]
    for rule in chance.sample(rules, k=3):
        await activated(rule, at)
    anna = await world.member()
    lines = [
        (chance.randrange(0, 7_000), chance.choice(["fruit", "bread"]), chance.randrange(1, 4))
        for _ in range(chance.randrange(1, 6))
    ]
    answer = await bought(world, anna, lines, sum(line[0] for line in lines) + 100)
    taken = 0
    items = [no for no, line in enumerate(lines, start=1) for _ in range(line[2])]
    chance.shuffle(items)
    while items:
        some = [items.pop() for _ in range(chance.randrange(1, min(len(items), 4) + 1))]
        wanted = back(*((no, some.count(no)) for no in sorted(set(some))))
        returned = await world.ask(wanted, target=UUID(answer["posting_id"]))
        taken += returned["points"]
    left = await world.ask(ReverseBody(), target=UUID(answer["posting_id"]))
    rest = 0 if isinstance(left, ReversalExceedsOriginal) else left["points"]
    assert taken + rest == answer["points"]
    assert (await world.tills.balance(anna)).balance == 0
    async with transaction() as connection:
        assert await connection.fetchval(_USED) == 0
    assert (await audit.run()).ok


async def test_a_condition_that_fails_again_at_each_return_is_logged_once(at: datetime) -> None:
    world = await make_world(at)
    broken = "basket.measures['visits'] > 1"
    effect = {"kind": "bonus", "points": 40}
    await activated(document("broken", effect=effect, condition=broken), at)
    anna = await world.member()
    with capture_logs() as logged:
        answer = await bought(world, anna, [(1_000, "fruit", 3)], 1_000)
        for _ in range(3):
            await world.ask(back((1, 1)), target=UUID(answer["posting_id"]))
    assert [line["event"] for line in logged].count("rule_condition_failed") == 1
