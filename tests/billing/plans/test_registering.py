"""Plans in the database: two persons, versions from a time on, old prices for who has them."""

from datetime import datetime, timedelta
from typing import cast

import pytest

from billing.plans import catalogue, registering
from billing.plans.catalogue import Plans
from billing.plans.refusals import InvalidPlan, PlanRetroactive, UnknownPlan, UnknownPrice
from coalition.kernel.database import transaction
from coalition.kernel.money import Money
from coalition.oversight.refusals import SecondPersonNeeded
from tests.billing.plans.written import MONTHLY, STUDENT, on_sale, plan
from tests.points.world import make_world

pytestmark = pytest.mark.usefixtures("database")

WEEK = timedelta(days=7)


async def plans() -> Plans:
    """Return all plans as they are now."""
    async with transaction() as connection:
        return await catalogue.load(connection)


async def test_a_plan_is_sold_when_a_second_person_approves_it(at: datetime) -> None:
    await make_world(at)
    approval = await registering.prepare(plan(), valid_from=None, prepared_by="staff:anna", at=at)
    assert (await plans()).at(at) == ()
    with pytest.raises(SecondPersonNeeded):
        await registering.approve(approval, approved_by="staff:anna", at=at)

    made = await registering.approve(approval, approved_by="staff:bertil", at=at)

    assert (made.code, made.version, made.valid_from, made.valid_until) == ("plus", 1, at, None)
    assert [(price.interval, price.money) for price in made.prices] == [
        ("month", Money(7_900, "SEK")),
        ("year", Money(79_000, "SEK")),
    ]
    assert (await plans()).at(at) == (made,)


async def test_a_later_version_sells_anew_and_leaves_old_prices_to_who_has_them(
    at: datetime,
) -> None:
    await make_world(at)
    first = await on_sale(plan(), at)
    dearer = plan(prices=[MONTHLY | {"amount_minor": 9_900}])
    second = await on_sale(dearer, at, valid_from=at + WEEK)
    kept = await plans()

    assert [one.no for one in kept.at(at + WEEK - timedelta(seconds=1))] == [first.no]
    assert [one.no for one in kept.at(at + WEEK)] == [second.no]
    assert kept.by_code("plus").version == 2
    assert kept.by_code("plus", at).version == 1
    old = kept.price(first.prices[0].no)
    assert (old.money, old.plan_no, old.valid_until) == (Money(7_900, "SEK"), first.no, at + WEEK)


async def test_a_later_version_that_begins_sooner_leaves_the_other_never_sold(
    at: datetime,
) -> None:
    await make_world(at)
    await on_sale(plan(), at, valid_from=at + WEEK)
    sooner = await on_sale(plan(name="Sooner"), at)
    kept = await plans()
    assert [one.no for one in kept.at(at + 2 * WEEK)] == [sooner.no]


async def test_a_sale_ends_by_two_persons_and_begins_again_with_another_version(
    at: datetime,
) -> None:
    await make_world(at)
    await on_sale(plan(), at)
    approval = await registering.prepare_sale_end(
        "plus", ends_at=None, prepared_by="staff:anna", at=at
    )
    await registering.approve_sale_end(approval, approved_by="staff:bertil", at=at + WEEK)
    assert len((await plans()).at(at)) == 1
    assert (await plans()).at(at + WEEK) == ()
    await on_sale(plan(), at + 2 * WEEK)
    assert [one.version for one in (await plans()).at(at + 2 * WEEK)] == [2]
    with pytest.raises(UnknownPlan):
        await registering.prepare_sale_end("none", ends_at=None, prepared_by="staff:a", at=at)


async def test_a_sale_from_the_end_of_time_is_one_that_never_comes(at: datetime) -> None:
    await make_world(at)
    first = await on_sale(plan(), at)
    far = datetime.fromisoformat("9999-12-31T23:59:59-14:00")
    never = await on_sale(plan(), at, valid_from=far)
    ending = await registering.prepare_sale_end("plus", ends_at=far, prepared_by="staff:a", at=at)
    await registering.approve_sale_end(ending, approved_by="staff:b", at=at)
    assert never.version == 2
    assert [one.no for one in (await plans()).at(at)] == [first.no]


async def test_what_is_not_right_or_begins_in_the_past_is_refused(at: datetime) -> None:
    await make_world(at)
    with pytest.raises(InvalidPlan) as wrong:
        await registering.prepare(
            plan(prices=[STUDENT]), valid_from=None, prepared_by="staff:anna", at=at
        )
    errors = cast("list[dict[str, str]]", wrong.value.facts["errors"])
    assert errors[0]["pointer"] == "/prices/0/eligibility"
    with pytest.raises(PlanRetroactive):
        await registering.prepare(plan(), valid_from=at - WEEK, prepared_by="staff:anna", at=at)
    with pytest.raises(UnknownPrice):
        (await plans()).price(1)
