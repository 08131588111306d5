"""Clearing: closed statements are netted once, by two persons, and the legs sum to zero."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from coalition.federation import contracts
from coalition.federation.terms import ContractTerms, Payment
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.oversight import approvals
from coalition.oversight.refusals import ApprovalDecided, SecondPersonNeeded
from partners.settlement import clearing, cycles
from partners.settlement.cycles import Cycle
from partners.settlement.refusals import (
    NothingToClear,
    StatementCleared,
    StatementNotClosed,
    UnknownCycle,
    UnknownPeriod,
)
from tests.partners.settlement.world import (
    ANNA,
    BO,
    DECEMBER,
    EXAMPLE_A,
    NOVEMBER,
    OCTOBER,
    PLAIN,
    World,
    book,
    close,
    make_world,
    play_example_a,
)

pytestmark = pytest.mark.usefixtures("database")


async def closed_example_a(**of_b: Any) -> World:
    terms = EXAMPLE_A | {"B": EXAMPLE_A["B"] | of_b}
    world = await make_world(terms)
    await play_example_a(world)
    await close("2026-10", NOVEMBER)
    return world


async def prepared(*names: str, **given: Any) -> list[UUID]:
    return await clearing.prepare(names=names, prepared_by=ANNA, at=NOVEMBER, **given)


async def cleared(*names: str, **given: Any) -> Cycle:
    [approval] = await prepared(*names, **given)
    return await clearing.approve(approval, approved_by=BO, at=NOVEMBER)


def legs(cycle: Cycle) -> dict[int, int]:
    return {leg.partner_no: leg.amount_minor for leg in cycle.legs}


async def events() -> list[str]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT kind FROM outbox WHERE kind LIKE 'clearing.%' OR kind = 'statement.approved'"
        )
    return sorted(row[0] for row in rows)


async def states() -> dict[tuple[int, str], str]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT statement.partner_no, name, state FROM statement"
            " JOIN settlement_period AS period ON period.partner_no = statement.partner_no"
            " AND period.no = statement.period_no WHERE statement.partner_no > 0"
        )
    return {(row[0], row[1]): row[2] for row in rows}


async def test_worked_example_a_is_netted_into_a_leg_for_each_and_the_operator() -> None:
    await closed_example_a()
    before = await book()
    cycle = await cleared("2026-10")
    assert legs(cycle) == {0: -3_458_500, 1: 2_895_000, 2: 1_400_000, 3: -836_500}
    assert (cycle.currency, cycle.periods) == ("EUR", ("2026-10",))
    assert (cycle.prepared_by, cycle.approved_by) == (ANNA, BO)
    assert set((await states()).values()) == {"approved"}
    assert await events() == [
        "clearing.approved",
        "clearing.proposed",
        *["statement.approved"] * 3,
    ]
    # Legs are claims that stand in the book already.
    assert await book() == before


async def test_what_is_proposed_changes_no_statement() -> None:
    await closed_example_a()
    await prepared("2026-10")
    assert set((await states()).values()) == {"closed"}
    async with transaction() as connection:
        assert await cycles.latest(connection) == []


async def test_who_prepared_a_cycle_does_not_approve_it() -> None:
    await closed_example_a()
    [approval] = await prepared("2026-10")
    with pytest.raises(SecondPersonNeeded):
        await clearing.approve(approval, approved_by=ANNA, at=NOVEMBER)


async def test_a_statement_is_cleared_once() -> None:
    await closed_example_a()
    [first], [second] = await prepared("2026-10"), await prepared("2026-10")
    outcomes = await asyncio.gather(
        *(clearing.approve(one, approved_by=BO, at=NOVEMBER) for one in (first, second)),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert [type(one) for one in refused] == [StatementCleared]
    with pytest.raises(NothingToClear):
        await prepared("2026-10")
    async with transaction() as connection:
        [head] = await cycles.latest(connection)
        assert (await cycles.read(connection, head.id)).versions[0].version == 1
    again = first if isinstance(outcomes[1], Refused) else second
    with pytest.raises(ApprovalDecided):
        await clearing.approve(again, approved_by=BO, at=NOVEMBER)


async def test_what_was_rejected_may_be_proposed_again() -> None:
    await closed_example_a()
    [approval] = await prepared("2026-10")
    await approvals.reject(approval, rejected_by=BO, reason="wait for C", at=NOVEMBER)
    assert legs(await cleared("2026-10"))[1] == 2_895_000


async def test_partners_may_be_cleared_apart() -> None:
    await closed_example_a()
    cycle = await cleared("2026-10", partner_nos=[1, 3])
    assert legs(cycle) == {0: -2_058_500, 1: 2_895_000, 3: -836_500}
    assert (await states())[2, "2026-10"] == "closed"
    assert legs(await cleared("2026-10")) == {0: -1_400_000, 2: 1_400_000}


async def test_gross_contracts_are_paid_by_themselves_and_stand_in_no_leg() -> None:
    world = await closed_example_a(payment=Payment.GROSS)
    cycle = await cleared("2026-10")
    assert legs(cycle) == {0: -2_058_500, 1: 2_895_000, 3: -836_500}
    assert len(cycle.statements) == 3
    assert (await states())[world.numbers["B"], "2026-10"] == "approved"


async def test_a_cycle_waits_for_all_partners_unless_some_are_named() -> None:
    world = await make_world(EXAMPLE_A)
    await play_example_a(world)
    await close("2026-10", NOVEMBER, partner_no=1)
    with pytest.raises(StatementNotClosed) as refused:
        await prepared("2026-10")
    assert refused.value.facts == {"partner_no": 2, "period": "2026-10"}
    assert legs(await cleared("2026-10", partner_nos=[1])) == {0: -2_895_000, 1: 2_895_000}


async def test_an_unknown_period_or_currency_has_nothing_to_clear() -> None:
    await closed_example_a()
    with pytest.raises(UnknownPeriod):
        await prepared("2031-01")
    with pytest.raises(NothingToClear):
        await prepared("2026-10", currency="SEK")
    async with transaction() as connection:
        with pytest.raises(UnknownCycle):
            await cycles.read(connection, UUID(int=1))


async def test_several_periods_are_one_cycle() -> None:
    world = await closed_example_a()
    await world.issue("A", 1_000, NOVEMBER)
    await close("2026-11", DECEMBER)
    cycle = await cleared("2026-10", "2026-11")
    assert cycle.periods == ("2026-10", "2026-11")
    assert legs(cycle)[1] == 2_895_000 + 1_000 + 80 + 20
    assert sum(legs(cycle).values()) == 0


async def test_currencies_are_netted_apart_and_a_statement_waits_for_the_last() -> None:
    world = await make_world({"A": {}, "B": {}})
    await world.issue("A", 100_000, OCTOBER)
    crowns = msgspec.structs.replace(
        ContractTerms(**PLAIN), currency="SEK", issue_price=PLAIN["issue_price"] * 10
    )
    approval = await contracts.prepare(
        partner_no=world.numbers["A"],
        terms=crowns,
        valid_from=date(2026, 10, 20),
        prepared_by=ANNA,
        at=OCTOBER,
    )
    await contracts.sign(approval, approved_by=BO, at=OCTOBER)
    await world.reload()
    await world.issue("A", 1_000, OCTOBER + timedelta(days=20))
    await close("2026-10", NOVEMBER)
    first, second = await prepared("2026-10")
    euros = await clearing.approve(first, approved_by=BO, at=NOVEMBER)
    assert (euros.currency, legs(euros)[1]) == ("EUR", 100_000)
    assert (await states())[1, "2026-10"] == "closed"
    krona = await clearing.approve(second, approved_by=BO, at=NOVEMBER)
    assert (krona.currency, legs(krona)) == ("SEK", {0: -10_000, 1: 10_000})
    assert (await states())[1, "2026-10"] == "approved"
