"""Points given for a membership are charged to their funders by their contracts, and mirrored."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from coalition.federation.terms import Mode
from coalition.ledger import audit
from coalition.ledger.accounts import Kind
from coalition.ledger.drafts import Grant, Issue, Reverse
from coalition.ledger.provenance import Provenance
from partners.settlement.kinds import OPERATOR
from tests.partners.settlement.world import (
    NOVEMBER,
    OCTOBER,
    World,
    book,
    close,
    make_world,
    posted,
    till,
    told,
)

pytestmark = pytest.mark.usefixtures("database")

FEE = {"service_fee_per_point": Decimal("0.0010")}


async def give(world: World, funder: str | None, points: int, at: datetime) -> UUID:
    """Give points for a membership, paid by `funder`, or by the operator for None."""
    source = Provenance(1, OPERATOR, OPERATOR, OPERATOR, 202610, None, Decimal(0), Decimal(1))
    if funder is not None:
        contract = world.known.contract_at(world.numbers[funder], at)
        source = source._replace(
            contract_no=contract.no,
            funder_no=contract.partner_no,
            issue_price=contract.issue_price,
            prefunded_share=contract.prefunded_share,
        )
    grants = (Grant(source, points),)
    return await posted(Issue(world.holder, till(OPERATOR, at), grants, kind=Kind.BENEFIT), at)


async def test_a_funder_pays_what_it_gives_for_a_membership_as_a_promotion_without_a_fee() -> None:
    world = await make_world({"A": FEE, "B": FEE, "C": {}})
    await give(world, "A", 10_000, OCTOBER)
    await give(world, "B", 5_000, OCTOBER)
    await world.redeem("C", 4_000, OCTOBER)
    await close("2026-10", NOVEMBER)
    assert told(await world.statement("A", "2026-10")) == [("promotion", 10_000, 10_000, 0)]
    assert told(await world.statement("B", "2026-10")) == [("promotion", 5_000, 5_000, 0)]
    assert told(await world.statement("C", "2026-10")) == [("redemption", 4_000, -3_400, 0)]
    assert (await audit.run()).ok


@pytest.mark.parametrize(
    ("terms", "paid"),
    [
        ({"mode": Mode.ISSUER_ON_REDEMPTION}, 40),
        ({"mode": Mode.HYBRID, "prefunded_share": Decimal("0.5")}, 70),
    ],
    ids=["when spent", "half"],
)
async def test_a_funder_pays_when_its_own_contract_says(terms: dict[str, Any], paid: int) -> None:
    world = await make_world({"A": terms, "C": {}})
    await give(world, "A", 10_000, OCTOBER)
    await world.redeem("C", 4_000, OCTOBER)
    await close("2026-10", NOVEMBER)
    assert (await book())["partner", world.numbers["A"]] == paid
    assert (await audit.run()).ok


async def test_what_is_taken_back_costs_nobody_anything() -> None:
    world = await make_world({"A": {}})
    made = await give(world, "A", 10_000, OCTOBER)
    back = Reverse(made, till(OPERATOR, OCTOBER), None, "reverse", OCTOBER.date(), "refunded")
    await posted(back, OCTOBER)
    await close("2026-10", NOVEMBER)
    assert ("partner", world.numbers["A"]) not in await book()
    assert (await audit.run()).ok


async def test_what_the_operator_gives_it_pays_when_it_is_spent() -> None:
    world = await make_world({"C": {}})
    await give(world, None, 10_000, OCTOBER)
    await world.redeem("C", 4_000, OCTOBER)
    await close("2026-10", NOVEMBER)
    assert await book() == {
        ("partner", world.numbers["C"]): Decimal(-34),
        ("promotion", OPERATOR): Decimal(34),
    }
    assert (await audit.run()).ok
