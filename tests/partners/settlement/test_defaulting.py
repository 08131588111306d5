"""Defaults: who bears the loss, what stays in the books, and that both versions are kept."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from coalition.federation import catalogue
from coalition.federation.terms import CreditMode, OnDefault
from coalition.kernel.database import transaction
from coalition.oversight.refusals import SecondPersonNeeded
from partners.settlement import clearing, defaulting, prepaying
from partners.settlement.cycles import Cycle
from partners.settlement.refusals import DefaultDiffers, OwesNothing, UnknownCycle
from tests.partners.settlement.world import (
    ANNA,
    BO,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    World,
    book,
    close,
    make_world,
)

pytestmark = pytest.mark.usefixtures("database")


async def a_cycle(**of_a: Any) -> tuple[World, Cycle]:
    """Let A owe 100.00 and B 20.00, C and D receive 85.00 and 42.50, so the operator pays 7.50."""
    world = await make_world({"A": of_a, "B": {}, "C": {}, "D": {}})
    await world.issue("A", 10_000, OCTOBER)
    await world.issue("B", 2_000, OCTOBER)
    # Points of an earlier gift by the operator: nobody pays in for them now.
    await world.issue("A", 3_000, OCTOBER, funder="operator")
    await world.redeem("C", 10_000, OCTOBER)
    await world.redeem("D", 5_000, OCTOBER)
    await close("2026-10", NOVEMBER)
    [approval] = await clearing.prepare(names=["2026-10"], prepared_by=ANNA, at=NOVEMBER)
    cycle = await clearing.approve(approval, approved_by=BO, at=NOVEMBER)
    assert legs(cycle) == [{0: 750, 1: 10_000, 2: 2_000, 3: -8_500, 4: -4_250}]
    return world, cycle


def legs(cycle: Cycle) -> list[dict[int, int]]:
    """Return each version of the legs."""
    return [
        {leg.partner_no: leg.amount_minor for leg in version.legs} for version in cycle.versions
    ]


async def prepared(cycle: Cycle, defaulter_no: int = 1, **given: Any) -> UUID:
    terms = {"reserve_minor": 0} | given
    return await defaulting.prepare(
        cycle=cycle.id, defaulter_no=defaulter_no, prepared_by=ANNA, at=DECEMBER, **terms
    )


async def defaulted(cycle: Cycle, defaulter_no: int = 1, **given: Any) -> Cycle:
    approval = await prepared(cycle, defaulter_no, **given)
    return await defaulting.approve(approval, approved_by=BO, at=DECEMBER)


async def paid_in(partner_no: int, amount_minor: int) -> None:
    """Let two persons book what a partner has paid in beforehand."""
    approval = await prepaying.prepare(
        partner_no=partner_no,
        amount_minor=amount_minor,
        currency="EUR",
        reference="bank-1",
        prepared_by=ANNA,
        at=NOVEMBER,
    )
    await prepaying.approve(approval, approved_by=BO, at=NOVEMBER)


async def test_a_loss_falls_on_guarantee_reserve_and_creditors() -> None:
    _, cycle = await a_cycle()
    before = await book()
    after = await defaulted(cycle, guarantee_minor=4_000, reserve_minor=3_000)
    assert legs(after) == [
        {0: 750, 1: 10_000, 2: 2_000, 3: -8_500, 4: -4_250},
        {0: 3_750, 1: 4_000, 2: 2_000, 3: -6_500, 4: -3_250},
    ]
    [default] = after.defaults
    parts = default.guarantee_minor, default.reserve_minor, default.haircut_minor
    assert (default.loss_minor, parts, default.version) == (10_000, (4_000, 3_000, 3_000), 2)
    assert [(one.creditor_no, one.amount_minor) for one in after.claims] == [(3, 2_000), (4, 1_000)]
    assert {one.defaulter_no for one in after.claims} == {1}
    # The guarantee is still to be paid; the rest is off the defaulter's account.
    now = await book()
    assert {key: amount - before.get(key, 0) for key, amount in now.items()} | {} == {
        **dict.fromkeys(before, Decimal(0)),
        ("partner", 1): Decimal(-60),
        ("partner", 3): Decimal(20),
        ("partner", 4): Decimal(10),
        ("reserve", 0): Decimal(30),
    }
    assert sum(now.values()) == 0


async def test_prepaid_money_is_a_guarantee_that_is_used_once() -> None:
    world, cycle = await a_cycle(credit_mode=CreditMode.PREPAID)
    await paid_in(1, 7_000)
    before = await book()
    after = await defaulted(cycle, reserve_minor=10_000)
    [default] = after.defaults
    assert (default.guarantee_minor, default.is_prepaid, default.reserve_minor) == (
        7_000,
        True,
        3_000,
    )
    now = await book()
    # 100.00 owed less 70.00 paid in was there before; what is left now is nothing.
    assert (before["partner", 1], now.get(("partner", 1), Decimal(0))) == (Decimal(30), Decimal(0))
    await world.issue("A", 500, NOVEMBER)
    await world.redeem("C", 500, NOVEMBER)
    await close("2026-11", DECEMBER)
    [approval] = await clearing.prepare(names=["2026-11"], prepared_by=ANNA, at=DECEMBER)
    later = await clearing.approve(approval, approved_by=BO, at=DECEMBER)
    again = await defaulted(later, reserve_minor=10_000)
    assert again.defaults[0].guarantee_minor == 0


async def test_prepaid_money_pays_earlier_cycles_first() -> None:
    world, _ = await a_cycle(credit_mode=CreditMode.PREPAID)
    await paid_in(1, 10_300)
    await world.issue("A", 500, NOVEMBER)
    await world.redeem("C", 500, NOVEMBER)
    await close("2026-11", DECEMBER)
    [approval] = await clearing.prepare(names=["2026-11"], prepared_by=ANNA, at=DECEMBER)
    later = await clearing.approve(approval, approved_by=BO, at=DECEMBER)
    # 103.00 less the 100.00 of October.
    assert (await defaulted(later, reserve_minor=10_000)).defaults[0].guarantee_minor == 300


async def test_two_partners_of_a_cycle_may_default_and_all_versions_are_kept() -> None:
    _, cycle = await a_cycle()
    await defaulted(cycle, 1, reserve_minor=4_000)
    after = await defaulted(cycle, 2)
    assert [sum(version.values()) for version in legs(after)] == [0, 0, 0]
    assert legs(after)[2][1] == legs(after)[2][2] == 0
    assert [one.defaulter_no for one in after.defaults] == [1, 2]
    assert sum(one.amount_minor for one in after.claims) == 6_000 + 2_000
    assert sum((await book()).values()) == 0


async def test_the_operator_bears_its_part_as_a_creditor() -> None:
    world = await make_world({"A": {"service_fee_per_point": Decimal("0.01")}, "B": {}})
    await world.issue("A", 10_000, OCTOBER)
    await world.redeem("B", 2_000, OCTOBER)
    await close("2026-10", NOVEMBER)
    [approval] = await clearing.prepare(names=["2026-10"], prepared_by=ANNA, at=NOVEMBER)
    cycle = await clearing.approve(approval, approved_by=BO, at=NOVEMBER)
    assert legs(cycle) == [{0: -18_300, 1: 20_000, 2: -1_700}]
    after = await defaulted(cycle)
    assert legs(after)[1] == {0: 0, 1: 0, 2: 0}
    assert [(one.creditor_no, one.amount_minor) for one in after.claims] == [
        (0, 18_300),
        (2, 1_700),
    ]
    now = await book()
    assert now["reserve", 0] == Decimal(183)
    assert sum(now.values()) == 0


async def test_only_who_owes_in_the_cycle_defaults_and_only_once() -> None:
    _, cycle = await a_cycle()
    for partner_no in (0, 3, 9):
        with pytest.raises(OwesNothing):
            await prepared(cycle, partner_no)
    await defaulted(cycle, 1, guarantee_minor=100)
    with pytest.raises(OwesNothing):
        await prepared(cycle, 1)
    with pytest.raises(UnknownCycle):
        await defaulting.prepare(
            cycle=UUID(int=1), defaulter_no=1, reserve_minor=0, prepared_by=ANNA, at=DECEMBER
        )


async def test_a_default_takes_two_persons_who_saw_the_same() -> None:
    _, cycle = await a_cycle()
    first, second = await prepared(cycle, 1), await prepared(cycle, 2)
    with pytest.raises(SecondPersonNeeded):
        await defaulting.approve(first, approved_by=ANNA, at=DECEMBER)
    await defaulting.approve(first, approved_by=BO, at=DECEMBER)
    with pytest.raises(DefaultDiffers):
        await defaulting.approve(second, approved_by=BO, at=DECEMBER)


async def test_the_event_and_the_catalogue_say_what_the_contract_has_for_the_points() -> None:
    _, cycle = await a_cycle(on_default=OnDefault.SUSPEND)
    await defaulted(cycle, reserve_minor=10_000)
    async with transaction() as connection:
        told = await connection.fetchval(
            "SELECT payload ->> 'on_default' FROM outbox WHERE kind = 'clearing.defaulted'"
        )
        known = await catalogue.load(connection)
    assert told == "suspend"
    [noted] = known.defaults
    assert (noted.partner_no, noted.on_default, noted.begins_at) == (1, "suspend", DECEMBER)
    assert (noted.prepared_by, noted.approved_by) == (ANNA, BO)
