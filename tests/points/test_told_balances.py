"""Balances that tills hear before anything is written: what can be spent when all of it is."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from coalition.federation import contracts, currencies
from coalition.kernel.database import transaction
from coalition.ledger import holders
from coalition.points.commands import Command, HoldBody, IssueBody, RedeemBody
from tests.points.world import ACTOR, TERMS, World, answered, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")


async def told(world: World, *asked: tuple[Command, int]) -> list[tuple[UUID, str | None, int]]:
    """Send commands at partners in one flush; return whose balance of what each answer tells."""
    requests = [world.request(command, partner_no=no) for command, no in asked]
    answers = [answered(one) for one in await asyncio.gather(*map(world.tills.post, requests))]
    return [(UUID(one["member_id"]), one.get("point_currency"), one["balance"]) for one in answers]


async def fuel_world(at: datetime) -> World:
    """Return a world where points last for a month, and the fuel chain has its own."""
    terms = replace(TERMS, expiry_months=1)
    world = await make_world(at, terms=terms)
    own = await currencies.create_currency(
        code="FUEL", name="Fuel points", actor=ACTOR, at=at, partner_no=world.fuel
    )
    approval = await contracts.prepare(
        partner_no=world.fuel,
        terms=replace(terms, point_currency_no=own.no),
        valid_from=at.date(),
        prepared_by="staff:anna",
        at=at,
    )
    await contracts.sign(approval, approved_by="staff:bertil", at=at)
    return world


@pytest.mark.parametrize("knows", [False, True], ids=["of new terms", "of known terms"])
async def test_each_is_told_what_its_member_can_spend_afterwards(
    at: datetime, *, knows: bool
) -> None:
    world = await fuel_world(at)
    long_ago, grocer, fuel = at - timedelta(days=100), world.grocer, world.fuel
    late, kept, often, spender, holding, carded = [await world.member(f"CARD{n}") for n in range(6)]
    async with transaction() as connection:
        await holders.suspend_expiry(connection, kept, None)
    for member in (late, kept, often, spender, holding):
        await world.ask(IssueBody(receipt(), at, member_id=member, points=100))
    if not knows:
        world.tills = world.more_tills()

    def gift(member: UUID, points: int, when: datetime = at) -> IssueBody:
        return IssueBody(receipt(), when, member_id=member, points=points)

    found = await told(
        world,
        (gift(late, 10, long_ago), grocer),
        (gift(kept, 10, long_ago), grocer),
        (gift(often, 1), grocer),
        (gift(often, 2, long_ago), grocer),
        (gift(often, 4), fuel),
        (gift(often, 8), fuel),
        (RedeemBody(receipt(), at, 30, member_id=spender), fuel),
        (RedeemBody(receipt(), at, 3, member_id=spender), grocer),
        (HoldBody(receipt(), at, 40, member_id=holding), grocer),
        (IssueBody(receipt(), at, card="CARD5", points=7), grocer),
    )
    assert [balance for _, _, balance in found] == [100, 110, 101, 101, 12, 12, 67, 67, 60, 7]
    assert found[-1][0] == carded
    for member, code, balance in found:
        assert (await world.tills.balance(member, code)).balance == balance


async def test_who_acts_twice_in_a_flush_is_told_what_all_of_it_leaves(at: datetime) -> None:
    world = await fuel_world(at)
    anna, bo = await world.member(), await world.member()
    for member in (anna, bo):
        await world.ask(IssueBody(receipt(), at, member_id=member, points=100))
    found = await told(
        world,
        (RedeemBody(receipt(), at, 100, member_id=anna), world.grocer),
        (IssueBody(receipt(), at, member_id=anna, points=20), world.grocer),
        (HoldBody(receipt(), at, 5, member_id=anna), world.grocer),
        (IssueBody(receipt(), at, member_id=bo, points=20), world.grocer),
    )
    assert [balance for _, _, balance in found] == [15, 15, 15, 120]
    for member, _, balance in found:
        assert (await world.tills.balance(member)).balance == balance
