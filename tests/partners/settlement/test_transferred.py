"""Points that went from one member to another settle as those that stayed with who earned them."""

from decimal import Decimal
from typing import Any

import pytest

from coalition.federation.terms import Mode
from coalition.ledger import audit
from tests.ledger.transfer_world import moved, transfer, undo
from tests.partners.settlement.world import (
    NOVEMBER,
    OCTOBER,
    book,
    close,
    make_world,
    posted,
    told,
)
from tests.support.ledger import open_holder, redeem

pytestmark = pytest.mark.usefixtures("database")

HALF = {"mode": Mode.HYBRID, "prefunded_share": Decimal("0.5")}
LATER = {"mode": Mode.ISSUER_ON_REDEMPTION}


@pytest.mark.parametrize("terms", [{}, HALF, LATER], ids=["at issue", "half", "when spent"])
async def test_who_issued_pays_when_the_receiver_redeems(terms: dict[str, Any]) -> None:
    world = await make_world({"A": terms, "C": {}})
    receiver = await open_holder(OCTOBER)
    await world.issue("A", 10_000, OCTOBER)
    await moved(transfer(world.holder, receiver, 6_000, OCTOBER), OCTOBER)
    await posted(redeem(receiver, 4_000, OCTOBER, partner_no=world.numbers["C"]), OCTOBER)
    await close("2026-10", NOVEMBER)
    # What was paid at issue of 10,000 points at 0.0100, and the rest of the 4,000 spent.
    share = Decimal(0) if terms == LATER else terms.get("prefunded_share", Decimal(1))
    paid_in, rest = share * 100, (1 - share) * 40
    assert (await book())["partner", world.numbers["A"]] == paid_in + rest
    assert (await book())["partner", world.numbers["C"]] == Decimal(-34)
    assert told(await world.statement("C", "2026-10")) == [("redemption", 4_000, -3_400, 0)]
    assert (await audit.run()).ok


async def test_a_promotion_stays_with_who_funds_it_whoever_spends_it() -> None:
    world = await make_world({"A": {}, "B": HALF, "C": {}})
    receiver = await open_holder(OCTOBER)
    await world.issue("A", 1_000, OCTOBER, funder="B")
    await moved(transfer(world.holder, receiver, 1_000, OCTOBER), OCTOBER)
    await posted(redeem(receiver, 1_000, OCTOBER, partner_no=world.numbers["C"]), OCTOBER)
    await close("2026-10", NOVEMBER)
    assert (await book())["partner", world.numbers["B"]] == 10
    assert ("partner", world.numbers["A"]) not in await book()
    assert (await audit.run()).ok


async def test_neither_a_transfer_nor_its_undoing_costs_anybody_anything() -> None:
    world = await make_world({"A": {}})
    receiver = await open_holder(OCTOBER)
    await world.issue("A", 10_000, OCTOBER)
    made = await moved(transfer(world.holder, receiver, 6_000, OCTOBER), OCTOBER)
    await moved(undo(made, OCTOBER), OCTOBER)
    await close("2026-10", NOVEMBER)
    assert told(await world.statement("A", "2026-10")) == [("issuance", 10_000, 10_000, 0)]
    assert (await audit.run()).ok


async def test_a_fee_in_points_is_taken_as_staff_would_take_it() -> None:
    world = await make_world({"A": {}})
    receiver = await open_holder(OCTOBER)
    await world.issue("A", 10_000, OCTOBER)
    await moved(transfer(world.holder, receiver, 6_000, OCTOBER, fee=500), OCTOBER)
    await close("2026-10", NOVEMBER)
    assert told(await world.statement("A", "2026-10")) == [
        ("issuance", 10_000, 10_000, 0),
        ("adjustment", -500, -500, 0),
    ]
    assert (await audit.run()).ok
