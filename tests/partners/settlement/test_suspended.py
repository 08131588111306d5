"""Points whose funder is in default and whose contract suspends them: kept, and not spendable."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.federation.terms import CreditMode, OnDefault
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.ledger import audit, posting
from coalition.ledger.refusals import NotEnoughPoints
from coalition.points import adjusting, terms
from coalition.points.adjusting import Adjusted
from coalition.points.commands import CaptureBody, HoldBody, RedeemBody, ReverseBody
from tests.partners.settlement.credit_world import CreditWorld, code, credit_world
from tests.partners.settlement.test_in_default import ANNA, BO, in_default, no_more
from tests.points.world import receipt

pytestmark = pytest.mark.usefixtures("database")


async def a_world(at: datetime, inactivity_months: int | None = None) -> CreditWorld:
    """Let a member have 1,000 points of the grocer and 500 of the fuel station."""
    world = await credit_world(at, CreditMode.NONE, inactivity_months=inactivity_months)
    assert code(await world.issue(1_000)) == "done"
    assert code(await world.issue(500, partner_no=world.points.fuel)) == "done"
    return world


async def balance_of(member: UUID, at: datetime) -> int:
    """Return what a till would be told that a member can spend."""
    async with transaction() as connection:
        known = await terms.load(connection)
        found = await posting.balances(
            connection,
            [member],
            currency_no=1,
            today=known.day(at),
            suspended=known.catalogue.suspended_at(at),
        )
    return found[member]


@pytest.mark.parametrize("inactivity_months", [None, 12])
async def test_suspended_points_are_in_no_balance_and_cannot_be_spent(
    at: datetime, inactivity_months: int | None
) -> None:
    world = await a_world(at, inactivity_months)
    await in_default(world.points.grocer, at, OnDefault.SUSPEND)
    refused = await world.redeem(501)
    assert isinstance(refused, Refused)
    assert refused.code == "not_enough_points"
    assert refused.facts == {"points": 501, "balance": 500, "suspended": 1_000}
    assert "1000 more are suspended" in refused.detail
    taken = await world.redeem(400, partner_no=world.points.fuel)
    assert taken["balance"] == 100
    # The partner itself takes the points of others, and its own are no better there.
    assert (await world.redeem(100))["balance"] == 0
    held = await world.points.ask(HoldBody(receipt(), world.at, 1, member_id=world.anna))
    assert (held.code, held.facts["suspended"]) == ("not_enough_points", 1_000)
    assert code(await world.redeem(1)) == "not_enough_points"
    await no_more(world.points.grocer, at)
    assert (await world.redeem(1))["balance"] == 999
    assert (await audit.run()).breaches == []


async def test_who_has_no_suspended_points_is_told_of_none(at: datetime) -> None:
    world = await a_world(at)
    await in_default(world.points.fuel, at, OnDefault.SUSPEND)
    other = await world.points.member()
    refused = await world.points.ask(RedeemBody(receipt(), world.at, 1, member_id=other))
    assert refused.facts == {"points": 1, "balance": 0}
    await no_more(world.points.fuel, at)
    assert "suspended" not in (await world.redeem(1_501)).facts


async def test_honoured_points_are_spent_as_ever(at: datetime) -> None:
    world = await a_world(at)
    await in_default(world.points.grocer, at, OnDefault.HONOUR)
    assert (await world.redeem(1_500))["balance"] == 0


async def test_points_are_suspended_from_the_instant_of_the_default_on(at: datetime) -> None:
    world = await a_world(at)
    begins = at + timedelta(seconds=1)
    await in_default(world.points.grocer, begins, OnDefault.SUSPEND)
    assert await balance_of(world.anna, at) == 1_500
    assert await balance_of(world.anna, begins) == 500
    assert (await world.redeem(501))["balance"] == 999


async def test_what_was_held_before_is_captured_and_what_was_bought_is_returned(
    at: datetime,
) -> None:
    world = await a_world(at)
    held = await world.points.ask(HoldBody(receipt(), world.at, 700, member_id=world.anna))
    spent = await world.redeem(100)
    await in_default(world.points.grocer, at, OnDefault.SUSPEND)
    assert code(await world.points.ask(CaptureBody(), target=UUID(held["hold_id"]))) == "done"
    assert code(await world.points.ask(ReverseBody(), target=UUID(spent["posting_id"]))) == "done"
    assert await balance_of(world.anna, at) == 500
    assert (await audit.run()).breaches == []


async def taken_by_staff(world: CreditWorld, points: int) -> Adjusted:
    return await adjusting.adjust(
        member=MemberId(world.anna),
        points=-points,
        reason="agreed by phone",
        prepared_by=ANNA,
        approved_by=BO,
        at=world.at,
    )


async def test_staff_take_no_suspended_points_either(at: datetime) -> None:
    world = await a_world(at)
    await in_default(world.points.grocer, at, OnDefault.SUSPEND)
    with pytest.raises(NotEnoughPoints) as refused:
        await taken_by_staff(world, 501)
    assert refused.value.facts["suspended"] == 1_000
    assert (await taken_by_staff(world, 500)).balance == 0
