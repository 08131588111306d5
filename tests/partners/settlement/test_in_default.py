"""A partner in default: what it may still do, and who pays for its points from then on."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from coalition.federation import defaults
from coalition.federation.terms import CreditMode, Mode, OnDefault
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.ledger import audit
from coalition.points.commands import Purchase, QuoteBody
from server.proof import prove
from tests.partners.settlement.credit_world import code, credit_world
from tests.partners.settlement.world import DECEMBER, NOVEMBER, OCTOBER, close, make_world, told

pytestmark = pytest.mark.usefixtures("database")

ANNA, BO = "staff:anna", "staff:bo"


async def in_default(partner_no: int, at: datetime, becomes: OnDefault = OnDefault.HONOUR) -> None:
    """Note that a partner is in default."""
    async with transaction() as connection:
        await defaults.declare(
            connection,
            partner_no=partner_no,
            on_default=becomes,
            prepared_by=ANNA,
            approved_by=BO,
            at=at,
        )


async def no_more(partner_no: int, at: datetime) -> None:
    """Let the default be over."""
    approval = await defaults.prepare_end(partner_no=partner_no, prepared_by=ANNA, at=at)
    await defaults.approve_end(approval, approved_by=BO, at=at)


async def test_a_partner_in_default_issues_nothing_and_goes_on_taking_points(at: datetime) -> None:
    world = await credit_world(at, CreditMode.NONE)
    assert code(await world.issue(1_000)) == "done"
    await in_default(world.points.grocer, at)
    refused = await world.issue(1)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.status) == ("partner_in_default", 409)
    # What it earns stands against what it owes.
    assert code(await world.redeem(100)) == "done"
    assert code(await world.issue(1, partner_no=world.points.fuel)) == "done"
    await no_more(world.points.grocer, at)
    assert code(await world.issue(1)) == "done"
    assert (await audit.run()).breaches == []


async def test_a_default_is_no_reason_to_refuse_before_it_begins(at: datetime) -> None:
    world = await credit_world(at, CreditMode.NONE)
    await in_default(world.points.grocer, at + timedelta(seconds=1))
    assert code(await world.issue(1)) == "done"


async def test_the_operator_pays_for_what_is_spent_while_the_default_lasts() -> None:
    world = await make_world({"A": {"mode": Mode.ISSUER_ON_REDEMPTION}, "C": {}})
    begins, ends = OCTOBER + timedelta(days=1), OCTOBER + timedelta(days=3)
    await world.issue("A", 10_000, OCTOBER)
    before = await world.redeem("C", 1_000, OCTOBER)
    await in_default(1, begins)
    during = await world.redeem("C", 2_000, begins)
    # What a till sends late has the terms of when it occurred.
    await world.redeem("C", 100, OCTOBER, posted_at=begins)
    await no_more(1, ends)
    await world.redeem("C", 4_000, ends)
    await close("2026-10", NOVEMBER)
    statements = [told(await world.statement(name, "2026-10")) for name in ("A", "operator")]
    assert statements == [[("issuance", 5_100, 51_00, 0)], [("promotion", 2_000, 20_00, 0)]]
    for posting in (before, during):
        await world.reverse("C", posting, NOVEMBER)
    await close("2026-11", DECEMBER)
    statements = [told(await world.statement(name, "2026-11")) for name in ("A", "operator")]
    assert statements == [[("issuance", -1_000, -10_00, 0)], [("promotion", -2_000, -20_00, 0)]]
    assert (await prove()).breaches == []


async def test_what_was_paid_in_at_issue_is_the_funds_whoever_is_in_default() -> None:
    world = await make_world(
        {"A": {"mode": Mode.HYBRID, "prefunded_share": Decimal("0.3")}, "C": {}}
    )
    await world.issue("A", 1_000, OCTOBER)
    await in_default(1, OCTOBER + timedelta(days=1))
    await world.redeem("C", 1_000, OCTOBER + timedelta(days=2))
    await close("2026-10", NOVEMBER)
    statements = [told(await world.statement(name, "2026-10")) for name in ("A", "operator")]
    assert statements == [[("issuance", 1_000, 3_00, 0)], [("promotion", 0, 7_00, 0)]]
    assert (await prove()).breaches == []


async def test_a_quote_promises_no_points_where_none_are_given(at: datetime) -> None:
    world = await credit_world(at, CreditMode.BLOCK, limit_minor=1_000)
    bought = QuoteBody(purchase=Purchase(5_000, "SEK"), member_id=world.anna)

    async def quoted() -> tuple[int, list[str], int | None]:
        found = await world.points.tills.quote(world.points.grocer, None, bought)
        return found.points, [reason.text for reason in found.reasons], found.balance

    points, _, _ = await quoted()
    assert points == 50
    await world.issue(1_000)
    await world.judged()
    why = "no points are given here at present: credit limit reached"
    # What points could pay is told as ever.
    assert await quoted() == (0, [why], 1_000)
    await in_default(world.points.grocer, at, OnDefault.HONOUR)
    assert (await quoted())[1] == ["no points are given here at present: partner in default"]
