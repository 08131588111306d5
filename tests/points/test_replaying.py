"""Past purchases under a draft of rules: read from the books, and nothing is written."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import standings
from coalition.points import replaying
from coalition.points import terms as business
from coalition.points.bonuses import personal, store
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.personal import EarningBonus
from coalition.points.commands import IssueBody, Purchase, PurchaseLine
from coalition.points.replaying import Difference, Replay
from tests.points.bonuses.world import activated, document
from tests.points.world import World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")


async def buy(world: World, amount_minor: int, member: Any, **fields: Any) -> None:
    body = IssueBody(
        receipt=receipt(),
        occurred_at=world.at,
        member_id=member,
        purchase=Purchase(amount_minor, "SEK"),
        **fields,
    )
    answer = await world.ask(body)
    assert isinstance(answer, dict), answer


async def replayed(at: datetime, *documents: RuleDocument) -> Replay:
    async with transaction() as connection:
        terms = await business.load(connection)
        kept = await store.versions(connection)
        begin, end = at - timedelta(days=1), at + timedelta(days=1)
        since = datetime(1970, 1, 1, tzinfo=UTC)
        rules = replaying.drafted(terms, kept, documents, since)
        return await replaying.replay(connection, terms, rules, begin=begin, end=end)


async def test_what_was_earned_is_set_against_what_it_would_have_been(at: datetime) -> None:
    world = await make_world(at)
    member = await world.member()
    await buy(world, 5000, member)
    await buy(world, 3000, member, lines=[PurchaseLine(2000, "fruit")])
    await world.ask(IssueBody(receipt=receipt(), occurred_at=at, member_id=member, points=7))
    half = [{"funder": "operator", "weight": 1}, {"funder": "issuer", "weight": 1}]
    found = await replayed(
        at,
        document("ten", caps={"day": 15}),
        document("fruit", applies_to={"categories": ["fruit"]}, funding=half),
    )
    assert found.partners == {
        1: Difference(
            partner_no=world.grocer, purchases=2, without_lines=1, points=80, would_be=105
        )
    }
    assert found.partners[1].more == 25
    assert found.rules == {"ten": 15, "fruit": 10}
    assert found.funders == {1: 100, 0: 5}


async def test_a_draft_takes_the_place_of_the_rule_of_its_code(at: datetime) -> None:
    world = await make_world(at)
    await activated(document("ten"), at)
    await activated(document("other"), at)
    await buy(world, 5000, await world.member())
    draft = document("ten", effect={"kind": "bonus", "points": 1})
    assert (await replayed(at, draft)).partners[1].would_be == 50 + 10 + 1
    assert (await replayed(at)).partners[1].more == 0


async def test_what_a_member_is_and_holds_counts_at_the_time(at: datetime) -> None:
    world = await make_world(at)
    member = MemberId(await world.member())
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=member,
            kind="tier",
            value="gold",
            valid_from=at,
            valid_until=None,
            source="test",
            at=at,
        )
    await buy(world, 5000, member)
    await buy(world, 5000, await world.member())
    for_gold = document("gold", applies_to={"tiers": ["gold"]})
    assert (await replayed(at, for_gold)).partners[1].more == 10

    async with transaction() as connection:
        gift = EarningBonus(holder=member, source="gift", kind="extra", points=3, valid_from=at)
        await personal.give(connection, gift, at=at)
    assert (await replayed(at, for_gold)).partners[1].more == 13
