"""Points given for a membership are charged to their funders by their contracts, and mirrored."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from asyncpg import CheckViolationError

from coalition.federation.terms import Mode
from coalition.kernel.database import transaction
from coalition.ledger import audit, compensations
from coalition.ledger.accounts import Kind
from coalition.ledger.compensations import Compensation
from coalition.ledger.drafts import Grant, Issue, Reverse
from coalition.ledger.provenance import Provenance
from partners.settlement import audit_checks, audit_walks, draining, drilldown, passport, periods
from partners.settlement.kinds import OPERATOR, ChargeKind
from tests.partners.settlement.world import (
    DECEMBER,
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
    assert (await audit.run(audit_checks.CHECKS, audit_walks.WALKS)).ok


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
    assert (await audit.run(audit_checks.CHECKS, audit_walks.WALKS)).ok


async def test_what_is_taken_back_costs_nobody_anything() -> None:
    world = await make_world({"A": {}})
    made = await give(world, "A", 10_000, OCTOBER)
    back = Reverse(made, till(OPERATOR, OCTOBER), None, "reverse", OCTOBER.date(), "refunded")
    await posted(back, OCTOBER)
    await close("2026-10", NOVEMBER)
    assert ("partner", world.numbers["A"]) not in await book()
    assert (await audit.run(audit_checks.CHECKS, audit_walks.WALKS)).ok


async def test_what_the_operator_gives_it_pays_when_it_is_spent() -> None:
    world = await make_world({"C": {}})
    await give(world, None, 10_000, OCTOBER)
    await world.redeem("C", 4_000, OCTOBER)
    await close("2026-10", NOVEMBER)
    assert await book() == {
        ("partner", world.numbers["C"]): Decimal(-34),
        ("promotion", OPERATOR): Decimal(34),
    }
    assert (await audit.run(audit_checks.CHECKS, audit_walks.WALKS)).ok


async def let_have(
    world: World, partner: str, funder: str | None, amount_minor: int, at: datetime
) -> UUID:
    """Let a partner give a member money for its membership, which `funder` owes it."""
    owed = Compensation(
        holder=world.holder,
        partner_no=world.numbers[partner],
        funder_no=OPERATOR if funder is None else world.numbers[funder],
        amount_minor=amount_minor,
        receipt="R-7",
        store_no=None,
        reason="shipping",
        occurred_at=at,
    )
    async with transaction() as connection:
        [made] = await compensations.book(connection, [owed], at=at)
    return made


async def take_back(owed: UUID, at: datetime) -> None:
    async with transaction() as connection:
        (now,) = await compensations.standing(connection, [owed])
        parts = {owed: now.left_minor}
        await compensations.take_back(connection, parts, occurred_at=at, at=at)


async def test_a_partner_is_paid_by_who_promised_what_it_let_a_member_have() -> None:
    world = await make_world({"A": {}, "B": {}})
    await let_have(world, "A", "B", 2_000, OCTOBER)
    await let_have(world, "A", None, 1_900, OCTOBER)
    # What waits for a drain counts already.
    assert (await world.live("A", OCTOBER)).net_minor == {"EUR": -3_900}
    await close("2026-10", NOVEMBER)
    assert told(await world.statement("A", "2026-10")) == [("promotion", 0, -3_900, 0)]
    assert told(await world.statement("B", "2026-10")) == [("promotion", 0, 2_000, 0)]
    assert await book() == {
        ("partner", world.numbers["A"]): Decimal(-39),
        ("partner", world.numbers["B"]): Decimal(20),
        ("promotion", OPERATOR): Decimal(19),
    }
    assert (await audit.run(audit_checks.CHECKS, audit_walks.WALKS)).ok


async def test_what_is_returned_goes_back_at_the_period_in_which_it_was_paid() -> None:
    world = await make_world({"A": {}, "B": {}})
    owed = await let_have(world, "A", "B", 2_000, OCTOBER)
    await close("2026-10", NOVEMBER)
    await take_back(owed, NOVEMBER)
    await close("2026-11", DECEMBER)
    assert told(await world.statement("B", "2026-11")) == [("promotion", 0, -2_000, 0)]
    [line] = (await world.statement("A", "2026-11")).lines
    assert (line.amount_minor, line.prior_period) == (2_000, True)
    assert set((await book()).values()) == {Decimal(0)}
    assert (await audit.run(audit_checks.CHECKS, audit_walks.WALKS)).ok
    with pytest.raises(CheckViolationError, match="a_compensation_is_of_some_money"):
        await take_back(owed, NOVEMBER)


async def test_what_is_given_and_owed_can_be_followed_to_who_pays_and_to_its_receipt() -> None:
    world = await make_world({"A": {}, "B": {}})
    given = await give(world, "B", 10_000, OCTOBER)
    owed = await let_have(world, "A", "B", 2_000, OCTOBER)
    await periods.ensure(OCTOBER)
    async with transaction() as connection:
        known = await passport.read_book(connection)
        posted_as = await passport.find(connection, given)
        assert posted_as is not None
        [charged] = await passport.awaited(connection, posted_as, known)
    assert (posted_as.kind, charged.charge.kind, charged.amount) == (
        Kind.BENEFIT,
        ChargeKind.PROMOTION,
        Decimal(100),
    )
    await draining.drain_all(OCTOBER)
    async with transaction() as connection:
        found = await drilldown.occurrences(connection, [given, owed], partner_no=None)
    assert [found[one].receipt for one in (given, owed)] == [None, "R-7"]
