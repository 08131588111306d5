"""Bonuses that single members hold: given once, for a time, judged after all rules."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.points.bonuses import personal
from coalition.points.bonuses.evaluation import Share, evaluate
from coalition.points.bonuses.personal import PERSONAL, EarningBonus
from coalition.points.bonuses.refusals import InvalidBonus
from tests.points.bonuses.world import AT, BEGIN, active, basket, document
from tests.points.world import World, make_world

PLUS: dict[str, Any] = {"source": "plan:plus", "kind": "multiplier", "factor": Decimal("1.5")}
GIFT: dict[str, Any] = {"source": "gift", "kind": "extra", "points": 30}


async def holder(world: World) -> MemberId:
    return MemberId(await world.member())


async def give(at: datetime, holder: MemberId, **fields: Any) -> bool:
    async with transaction() as connection:
        bonus = EarningBonus(holder=holder, **({"valid_from": BEGIN} | fields))
        return await personal.give(connection, bonus, at=at)


async def held(member: MemberId) -> Any:
    async with transaction() as connection:
        return (await personal.read(connection, [member])).get(member, ())


@pytest.mark.usefixtures("database")
async def test_a_members_bonuses_come_after_all_rules(at: datetime) -> None:
    member = await holder(await make_world(at))
    funding = ((0, 2), (-1, 1))
    assert await give(at, member, **PLUS, partner_no=1, funding=funding)
    assert await give(at, member, **GIFT, valid_until=AT + timedelta(days=1))
    bought = basket(personal=await held(member))

    found = evaluate(active(document(name="Ten")), bought, {})

    assert [(reason.rule, reason.points) for reason in found.reasons] == [
        ("earning:1", 60),
        ("rule:a-rule@1", 10),
        ("bonus:gift", 30),
        ("bonus:plan:plus", 30),
    ]
    assert found.reasons[3].text == (
        "plan:plus: 1.5 times the 60 points of the base rate, so 30 more"
    )
    assert found.shares[2:] == (Share(PERSONAL, 1, 40), Share(PERSONAL, 0, 20))


@pytest.mark.usefixtures("database")
async def test_validity_ends_a_bonus_at_the_instant(at: datetime) -> None:
    member = await holder(await make_world(at))
    await give(at, member, **GIFT, valid_from=AT, valid_until=AT + timedelta(hours=1))
    own = await held(member)
    second = timedelta(seconds=1)
    points = [
        evaluate(active(), basket(at=moment, personal=own), {}).points
        for moment in (AT - second, AT, AT + timedelta(hours=1) - second, AT + timedelta(hours=1))
    ]
    assert points == [60, 90, 90, 60]


@pytest.mark.usefixtures("database")
async def test_a_bonus_of_another_partner_or_category_gives_nothing(at: datetime) -> None:
    member = await holder(await make_world(at))
    await give(at, member, **GIFT, partner_no=2)
    await give(at, member, **PLUS, category="fruit")
    own = await held(member)
    assert evaluate(active(), basket(personal=own), {}).points == 60
    fruit = basket(personal=own, lines=[(2000, "fruit")])
    assert evaluate(active(), fruit, {}).points == 70


@pytest.mark.usefixtures("database")
async def test_a_bonus_given_twice_is_given_once_and_may_end_early(at: datetime) -> None:
    member = await holder(await make_world(at))
    assert await give(at, member, **GIFT)
    assert not await give(at, member, **GIFT)
    assert len(await held(member)) == 1
    async with transaction() as connection:
        assert await personal.end(connection, member, "gift", at=at)
        assert not await personal.end(connection, member, "gift", at=at)
        assert not await personal.end(connection, member, "other", at=at)
    (own,) = await held(member)
    assert own.ends == at
    await give(at, member, **PLUS, valid_from=at + timedelta(days=1))
    async with transaction() as connection:
        await personal.end(connection, member, "plan:plus", at=at)
    assert len(await held(member)) == 1


@pytest.mark.usefixtures("database")
async def test_only_the_first_bonus_of_all_changes_the_terms(at: datetime) -> None:
    world = await make_world(at)
    member, other = await holder(world), await holder(world)
    async with transaction() as connection:
        assert not await personal.any_given(connection)
        before = await catalogue.version(connection)
    await give(at, member, **GIFT)
    await give(at, other, **GIFT)
    async with transaction() as connection:
        assert await personal.any_given(connection)
        assert await catalogue.version(connection) == before + 1
    assert await held(other)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "fields",
    [
        PLUS | {"factor": Decimal(1)},
        PLUS | {"factor": None},
        PLUS | {"points": 5},
        GIFT | {"points": 0},
        GIFT | {"factor": Decimal(2)},
        GIFT | {"funding": ()},
        GIFT | {"funding": ((0, 0),)},
        GIFT | {"valid_until": BEGIN},
        GIFT | {"source": ""},
    ],
    ids=str,
)
async def test_a_bonus_that_is_none_is_refused(fields: dict[str, Any], at: datetime) -> None:
    member = await holder(await make_world(at))
    with pytest.raises(InvalidBonus):
        await give(at, member, **fields)


@pytest.mark.usefixtures("database")
async def test_what_a_source_has_given_is_told_with_the_day_on_which_it_was_ended(
    at: datetime,
) -> None:
    world = await make_world(at)
    member, other = await holder(world), await holder(world)
    for source in ("plan:plus", "plan:basic", "gift"):
        await give(at, member, **GIFT | {"source": source})
    await give(at, other, **PLUS)
    async with transaction() as connection:
        assert await personal.end(connection, member, "plan:basic", at=at)
        told = await personal.given(connection, member, "plan:")
    assert [(one.source, one.valid_until) for one in told] == [
        ("plan:basic", at),
        ("plan:plus", None),
    ]
