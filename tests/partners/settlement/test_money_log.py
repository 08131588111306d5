"""What two persons do with money by hand is in the audit log: by whom, on what, with its facts."""

import asyncio
from contextvars import Context
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.oversight import audit_log
from partners.settlement import defaulting
from tests.partners.settlement.test_clearing import cleared
from tests.partners.settlement.test_defaulting import a_cycle, defaulted, legs, prepared
from tests.partners.settlement.world import (
    ANNA,
    BO,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    book,
    close,
    make_world,
)

pytestmark = pytest.mark.usefixtures("database")


async def logged(action: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return actor, subject and facts of each row of this action; the log's chain holds."""
    async with transaction() as connection:
        assert await audit_log.verify(connection) == []
        rows = await connection.fetch(
            "SELECT actor, subject, facts::text FROM audit_log WHERE action = $1 ORDER BY no",
            action,
        )
    return [(row[0], row[1], msgspec.json.decode(row[2])) for row in rows]


async def told(kind: str) -> list[dict[str, Any]]:
    """Return the payloads of all events of a kind."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT payload::text FROM outbox WHERE kind = $1 ORDER BY id", kind
        )
    return [msgspec.json.decode(row[0]) for row in rows]


async def test_an_adjustment_is_logged_with_what_it_comes_to_and_told_without_money() -> None:
    world = await make_world({"A": {}})
    adjusted = await world.adjust("A", -250, OCTOBER)
    [(actor, subject, facts)] = await logged("settlement.adjusted")
    assert (actor, subject) == (BO, "partner:1")
    assert (facts["amount_minor"], facts["prepared_by"]) == (-250, ANNA)
    assert await told("statement.adjusted") == [
        {
            "partner_no": 1,
            "period_no": 1,
            "period": "2026-10",
            "adjustment_id": str(adjusted.id),
        }
    ]


async def test_a_cycle_is_logged_with_its_legs() -> None:
    _, cycle = await a_cycle()
    [(actor, subject, facts)] = await logged("clearing.approved")
    assert (actor, subject) == (BO, f"cycle:{cycle.id}")
    assert {leg["partner_no"]: leg["amount_minor"] for leg in facts["legs"]} == legs(cycle)[0]


async def test_a_default_is_logged_with_who_bears_it() -> None:
    _, cycle = await a_cycle()
    await defaulted(cycle, guarantee_minor=4_000, reserve_minor=6_000)
    [(actor, subject, facts)] = await logged("clearing.defaulted")
    assert (actor, subject) == (BO, f"cycle:{cycle.id}")
    assert (facts["defaulter_no"], facts["loss_minor"]) == (1, 10_000)
    assert (facts["guarantee_minor"], facts["reserve_minor"]) == (4_000, 6_000)
    assert len(await told("clearing.defaulted")) == 1


async def test_a_default_names_who_prepared_and_approved_it_and_makes_other_legs() -> None:
    _, cycle = await a_cycle()
    after = await defaulted(cycle)
    [default] = after.defaults
    assert after.legs != cycle.legs
    assert (after.legs, cycle.legs) == (after.versions[1].legs, after.versions[0].legs)
    assert (default.prepared_by, default.approved_by, default.made_at) == (ANNA, BO, DECEMBER)


async def test_of_two_defaults_that_were_prepared_alike_one_is_borne_and_the_other_differs() -> (
    None
):
    _, cycle = await a_cycle()
    approvals = [await prepared(cycle, no) for no in (1, 2)]
    outcomes = await asyncio.gather(
        *(
            asyncio.create_task(
                defaulting.approve(one, approved_by=BO, at=DECEMBER), context=Context()
            )
            for one in approvals
        ),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["Cycle", "DefaultDiffers"]


async def test_a_creditor_of_a_single_cent_bears_it() -> None:
    world = await make_world({"A": {}, "B": {}, "C": {}})
    await world.issue("A", 1, OCTOBER)
    await world.redeem("C", 1, OCTOBER)
    await close("2026-10", NOVEMBER)
    cycle = await cleared("2026-10")
    assert legs(cycle) == [{0: 0, 1: 1, 2: 0, 3: -1}]
    assert legs(await defaulted(cycle))[-1] == {0: 0, 1: 0, 2: 0, 3: 0}


async def test_a_default_leaves_each_account_what_it_still_owes_or_is_owed() -> None:
    _, cycle = await a_cycle()
    await defaulted(cycle, 2)
    # The 20.00 of B are borne by C and D, by 85.00 and 42.50.
    accounts = {no: amount for (name, no), amount in (await book()).items() if name == "partner"}
    assert accounts == {1: Decimal(100), 2: Decimal(0), 3: Decimal("-71.67"), 4: Decimal("-35.83")}
