"""Adjustments of money by hand: two persons, an open period, on the statement and in the book."""

import asyncio
from contextvars import Context
from decimal import Decimal
from uuid import UUID

import pytest

from coalition.federation.refusals import UnknownPartner
from coalition.federation.terms import Vat
from coalition.kernel.database import transaction
from coalition.oversight.refusals import ReasonNeeded, SecondPersonNeeded
from partners.settlement import adjusting, sealing
from partners.settlement.adjusting import OfLine
from partners.settlement.kinds import OPERATOR
from partners.settlement.refusals import InvalidAdjustment, UnknownLine
from tests.partners.settlement.world import (
    ANNA,
    BO,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    book,
    close,
    make_world,
    told,
)

pytestmark = pytest.mark.usefixtures("database")

WITH_VAT = {"vat": {"adjustment": Vat(code="reduced", rate=Decimal("0.12"))}}


async def prepared(partner_no: int = 1, amount_minor: int = 500, currency: str = "EUR") -> UUID:
    return await adjusting.prepare(
        partner_no=partner_no,
        amount_minor=amount_minor,
        currency=currency,
        reason="agreed by phone",
        prepared_by=ANNA,
        at=OCTOBER,
    )


async def test_adjustments_make_one_line_with_the_vat_of_the_contract() -> None:
    world = await make_world({"A": WITH_VAT})
    await world.adjust("A", 1000, OCTOBER)
    await world.adjust("A", -399, OCTOBER)
    live = await world.live("A", OCTOBER)
    assert told(live.statements[0]) == [("adjustment", 0, 601, 72)]
    [line] = live.statements[0].lines
    assert (line.vat_code, line.vat_rate, line.charges) == ("reduced", Decimal("0.12"), 2)


async def test_an_adjustment_is_in_the_book_at_once_and_its_vat_is_rounded_at_the_close() -> None:
    world = await make_world({"A": WITH_VAT})
    await world.adjust("A", 601, OCTOBER)
    before = await book()
    assert before == {
        ("partner", 1): Decimal("6.7312"),
        ("vat", 0): Decimal("-0.7212"),
        ("adjustment", 0): Decimal("-6.01"),
    }
    await close("2026-10", NOVEMBER)
    after = await book()
    assert after["partner", 1] == Decimal("6.73")
    assert after["vat", 0] == Decimal("-0.72")
    assert ("rounding", 0) not in after


async def test_it_stands_on_the_statement_of_its_partner_alone() -> None:
    world = await make_world({"A": {}, "B": {}})
    await world.adjust("A", 5, OCTOBER)
    await world.adjust("B", 7, OCTOBER)
    await close("2026-10", NOVEMBER)
    assert told(await world.statement("A", "2026-10")) == [("adjustment", 0, 5, 0)]
    assert told(await world.statement("B", "2026-10")) == [("adjustment", 0, 7, 0)]


async def test_what_puts_a_closed_line_right_belongs_to_its_period() -> None:
    world = await make_world({"A": {}})
    await world.issue("A", 100, OCTOBER)
    [_, closed] = await close("2026-10", NOVEMBER)
    adjusted = await world.adjust("A", -20, NOVEMBER, line=OfLine(closed.statement, 1))
    assert (adjusted.period, adjusted.origin_no) == ("2026-11", 1)
    await close("2026-11", DECEMBER)
    [line] = (await world.statement("A", "2026-11")).lines
    assert (line.prior_period, line.origin_no, line.amount_minor) == (True, 1, -20)


async def test_what_puts_a_line_right_has_the_version_and_the_vat_of_that_line() -> None:
    fee = {
        "service_fee_per_point": Decimal("0.01"),
        "vat": {"service_fee": Vat(code="services", rate=Decimal("0.25"))} | WITH_VAT["vat"],
    }
    world = await make_world({"A": fee})
    await world.issue("A", 10_000, OCTOBER)
    [_, closed] = await close("2026-10", NOVEMBER)
    await world.adjust("A", -1_000, NOVEMBER, line=OfLine(closed.statement, 2))
    await world.adjust("A", -1_000, NOVEMBER)
    await close("2026-11", DECEMBER)
    free, fixed = (await world.statement("A", "2026-11")).lines
    assert (fixed.kind, fixed.vat_code, fixed.vat_minor) == (free.kind, "services", -250)
    assert (free.vat_code, free.vat_minor) == ("reduced", -120)
    assert (await book())["partner", world.numbers["A"]] == Decimal(225) - Decimal("23.70")


async def test_a_line_is_put_right_in_its_own_currency() -> None:
    world = await make_world({"A": {}})
    await world.issue("A", 100, OCTOBER)
    [_, closed] = await close("2026-10", NOVEMBER)
    with pytest.raises(InvalidAdjustment):
        await adjusting.prepare(
            partner_no=1,
            amount_minor=-20,
            currency="SEK",
            reason="agreed by phone",
            prepared_by=ANNA,
            at=NOVEMBER,
            line=OfLine(closed.statement, 1),
        )


async def test_a_line_of_another_partner_is_not_put_right() -> None:
    world = await make_world({"A": {}, "B": {}})
    await world.issue("A", 100, OCTOBER)
    closed = await close("2026-10", NOVEMBER, partner_no=1)
    for line in (OfLine(closed[0].statement, 1), OfLine(closed[0].statement, 9)):
        with pytest.raises(UnknownLine):
            await world.adjust("B" if line.no == 1 else "A", 1, NOVEMBER, line=line)


async def test_it_is_booked_in_the_first_period_that_is_not_sealed() -> None:
    world = await make_world({"A": {}})
    late = await world.adjust("A", 5, NOVEMBER)
    assert late.period == "2026-10"
    await sealing.seal_due(NOVEMBER)
    assert (await world.adjust("A", 5, NOVEMBER)).period == "2026-11"


async def test_a_seal_that_is_under_way_is_waited_for() -> None:
    world = await make_world({"A": {}})
    await sealing.seal_due(OCTOBER)
    adjustments = [
        asyncio.create_task(world.adjust("A", 1, NOVEMBER), context=Context()) for _ in range(6)
    ]
    sealed = asyncio.create_task(sealing.seal_due(NOVEMBER), context=Context())
    booked = [one.period for one in await asyncio.gather(*adjustments)]
    await sealed
    october = sum(line.amount_minor for line in (await world.statement("A", "2026-10")).lines)
    november = sum(line.amount_minor for line in (await world.statement("A", "2026-11")).lines)
    assert (october, november) == (booked.count("2026-10"), booked.count("2026-11"))
    assert october + november == 6


async def test_adjusting_takes_a_second_person() -> None:
    await make_world({"A": {}})
    approval = await prepared()
    with pytest.raises(SecondPersonNeeded):
        await adjusting.approve(approval, approved_by=ANNA, at=OCTOBER)
    adjusted = await adjusting.approve(approval, approved_by=BO, at=OCTOBER)
    assert adjusted.id == approval


async def test_an_adjustment_is_told_without_money() -> None:
    world = await make_world({"A": {}})
    adjusted = await world.adjust("A", 777, OCTOBER)
    async with transaction() as connection:
        facts = await connection.fetchval(
            "SELECT payload::text FROM outbox WHERE kind = 'statement.adjusted'"
        )
    assert str(adjusted.id) in facts
    assert "777" not in facts.replace(str(adjusted.id), "")


async def test_what_is_no_adjustment_is_refused() -> None:
    await make_world({"A": {}})
    for amount_minor, currency in ((0, "EUR"), (10**13, "EUR"), (5, "euro")):
        with pytest.raises(InvalidAdjustment):
            await prepared(amount_minor=amount_minor, currency=currency)
    for partner_no in (OPERATOR, 9):
        with pytest.raises(UnknownPartner):
            await prepared(partner_no)
    with pytest.raises(ReasonNeeded):
        await adjusting.prepare(
            partner_no=1, amount_minor=5, currency="EUR", reason=" ", prepared_by=ANNA, at=OCTOBER
        )
