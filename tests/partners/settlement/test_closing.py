"""Closing: worked example A to the cent, and what is closed never changes."""

import asyncio
import hashlib
from contextvars import Context
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from coalition.federation.terms import Mode, Vat, VolumeStep
from coalition.kernel.database import transaction
from coalition.ledger import money
from coalition.oversight import approvals, audit_log
from coalition.oversight.refusals import ApprovalDecided, SecondPersonNeeded
from partners.settlement import closing, digests, draining, sealing, statements
from partners.settlement.kinds import OPERATOR, ChargeKind, StatementState
from partners.settlement.refusals import (
    EarlierPeriodOpen,
    PeriodClosed,
    PeriodNotSealed,
    StatementChanged,
    UnknownPeriod,
)
from tests.partners.settlement.world import (
    ANNA,
    BO,
    DECEMBER,
    EXAMPLE_A,
    NOVEMBER,
    OCTOBER,
    World,
    book,
    close,
    make_world,
    play_example_a,
    told,
)

pytestmark = pytest.mark.usefixtures("database")


async def example_a() -> World:
    world = await make_world(EXAMPLE_A)
    await play_example_a(world)
    return world


async def test_worked_example_a_to_the_cent() -> None:
    world = await example_a()
    closed = await close("2026-10", NOVEMBER)
    assert [one.number for one in closed] == [1, 2, 3, 4]
    assert told(await world.statement("A", "2026-10")) == [
        ("issuance", 4_950_000, 4_950_000, 0),
        ("redemption", 3_000_000, -2_550_000, 0),
        ("service_fee", 4_950_000, 396_000, 99_000),
    ]
    assert told(await world.statement("B", "2026-10")) == [
        ("issuance", 2_000_000, 2_000_000, 0),
        ("redemption", 1_000_000, -850_000, 0),
        ("service_fee", 2_000_000, 200_000, 50_000),
    ]
    assert told(await world.statement("C", "2026-10")) == [
        ("issuance", 500_000, 525_000, 0),
        ("redemption", 1_780_000, -1_424_000, 0),
        ("service_fee", 500_000, 50_000, 12_500),
    ]
    net = {one.partner_no: [total.net_minor for total in one.net] for one in closed}
    assert net == {OPERATOR: [], 1: [2_895_000], 2: [1_400_000], 3: [-836_500]}


async def test_the_books_prove_worked_example_a() -> None:
    await example_a()
    await close("2026-10", NOVEMBER)
    assert await book() == {
        ("partner", 1): Decimal("28950.00"),
        ("partner", 2): Decimal("14000.00"),
        ("partner", 3): Decimal("-8365.00"),
        ("fund", 0): Decimal(-26510),
        ("fee", 0): Decimal(-6460),
        ("vat", 0): Decimal(-1615),
    }


async def test_a_live_statement_says_what_the_close_will_freeze() -> None:
    world = await example_a()
    before = await world.live("C", NOVEMBER)
    assert [one.head.period.name for one in before.statements] == ["2026-10", "2026-11"]
    assert before.unsettled_postings == 8
    assert before.net_minor == {"EUR": -836_500}
    await close("2026-10", NOVEMBER)
    after = await world.statement("C", "2026-10")
    assert after.head.state == StatementState.CLOSED
    assert (after.lines, after.totals) == (
        before.statements[0].lines,
        before.statements[0].totals,
    )


FEE = Decimal("0.0008")
STEPPED: dict[str, dict[str, Any]] = {
    "A": {
        "service_fee_per_point": FEE,
        "volume_steps": (VolumeStep(from_points=1000, fee_per_point=Decimal("0.0003")),),
        "fixed_fee_minor": 1000,
        "minimum_fee_minor": 1500,
        "vat": {
            "service_fee": Vat(rate=Decimal("0.25")),
            "fixed": Vat(rate=Decimal("0.25")),
            "minimum": Vat(rate=Decimal("0.1")),
        },
    }
}


async def prepared(period: str, partner_no: int | None = None) -> Any:
    return await closing.prepare(
        period=period, prepared_by=ANNA, at=NOVEMBER, partner_no=partner_no
    )


async def test_what_is_known_at_the_end_is_booked_at_the_close() -> None:
    world = await make_world(STEPPED)
    await world.issue("A", 11_001, OCTOBER)
    await close("2026-10", NOVEMBER)
    # 1,000 at 0.0008 and 10,001 at 0.0003 are 3.8003; 1.20 are missing to 15.00.
    assert told(await world.statement("A", "2026-10")) == [
        ("issuance", 11_001, 11_001, 0),
        ("service_fee", 11_001, 380, 95),
        ("minimum", 0, 120, 12),
        ("fixed", 0, 1000, 250),
    ]
    total = Decimal("110.01") + Decimal("3.80") + Decimal("0.95") + Decimal("13.82")
    assert await book() == {
        ("partner", 1): total,
        ("fund", 0): Decimal("-110.01"),
        ("fee", 0): -Decimal("3.8003") - Decimal("11.20"),
        ("vat", 0): -Decimal("0.95") - Decimal("2.62"),
        ("rounding", 0): Decimal("0.0003"),
    }


async def test_a_reversal_after_the_close_is_credited_at_the_effective_price() -> None:
    world = await make_world(STEPPED)
    given = await world.issue("A", 11_001, OCTOBER)
    await close("2026-10", NOVEMBER)
    await world.reverse("A", given, NOVEMBER, 11_001)
    live = await world.live("A", NOVEMBER)
    assert told(live.statements[0])[2:] == [
        ("issuance", -11_001, -11_001, 0),
        ("service_fee", -11_001, -380, -95),
    ]
    await close("2026-11", DECEMBER)
    november = await world.statement("A", "2026-11")
    assert november.lines == live.statements[0].lines
    assert [(line.kind, line.prior_period) for line in november.lines] == [
        (ChargeKind.MINIMUM, False),
        (ChargeKind.FIXED, False),
        (ChargeKind.ISSUANCE, True),
        (ChargeKind.SERVICE_FEE, True),
    ]


async def test_what_is_not_closed_yet_is_priced_by_what_will_be() -> None:
    world = await make_world(STEPPED)
    given = await world.issue("A", 11_001, OCTOBER)
    await sealing.seal_due(NOVEMBER)
    await world.reverse("A", given, NOVEMBER, 11_001)
    live = await world.live("A", NOVEMBER)
    assert told(live.statements[1])[-1] == ("service_fee", -11_001, -380, -95)


async def test_the_partners_account_moves_by_what_its_statements_say() -> None:
    odd = {"issue_price": Decimal("0.0033"), "service_fee_per_point": Decimal("0.0007")}
    vat = {"vat": {"service_fee": Vat(rate=Decimal("0.081")), "issuance": Vat(rate=Decimal("0.1"))}}
    world = await make_world({"A": odd | vat, "B": {"redemption_price": Decimal("0.00777")}})
    given = await world.issue("A", 1234, OCTOBER)
    await world.redeem("B", 777, OCTOBER)
    await close("2026-10", NOVEMBER)
    await world.reverse("A", given, NOVEMBER, 100)
    await close("2026-11", DECEMBER)
    accounts = await book()
    for name, no in world.numbers.items():
        net = [
            total.net_minor
            for period in ("2026-10", "2026-11")
            for total in (await world.statement(name, period)).totals
        ]
        assert accounts["partner", no] == Decimal(sum(net)).scaleb(-2)
    assert sum(accounts.values()) == 0


async def test_what_the_operator_funds_is_on_its_own_statement() -> None:
    world = await make_world({"A": {"service_fee_per_point": FEE}})
    await world.issue("A", 1250, OCTOBER, funder="operator")
    await close("2026-10", NOVEMBER)
    assert told(await world.statement("operator", "2026-10")) == [("promotion", 1250, 1250, 0)]
    assert told(await world.statement("A", "2026-10")) == [("service_fee", 1250, 100, 0)]
    assert (await book())["promotion", 0] == Decimal("12.50")


async def test_worked_example_b_with_a_refund_after_the_close() -> None:
    of_issuer = {"mode": Mode.ISSUER_ON_REDEMPTION}
    world = await make_world(
        {
            "A": of_issuer | {"issue_price": Decimal("0.0090")},
            "B": of_issuer | {"issue_price": Decimal("0.0088")},
            "C": {"redemption_price": Decimal("0.0080")},
        }
    )
    await world.issue("A", 500, OCTOBER)
    await world.issue("B", 500, OCTOBER + timedelta(seconds=1))
    spent = await world.redeem("C", 1000, OCTOBER + timedelta(seconds=2))
    await close("2026-10", NOVEMBER)
    assert told(await world.statement("A", "2026-10")) == [("issuance", 500, 450, 0)]
    assert told(await world.statement("B", "2026-10")) == [("issuance", 500, 440, 0)]
    assert told(await world.statement("C", "2026-10")) == [("redemption", 1000, -800, 0)]
    assert (await book())["margin", 0] == Decimal("-0.90")
    await world.reverse("C", spent, NOVEMBER, 600)
    await close("2026-11", DECEMBER)
    refunded = [told(await world.statement(name, "2026-11"))[0][1:3] for name in ("A", "B", "C")]
    assert sum(points for points, _ in refunded[:2]) == -600
    assert refunded[2] == (-600, 480)


async def test_closing_takes_a_second_person() -> None:
    await make_world({"A": {}})
    await sealing.seal_due(NOVEMBER)
    approval = await prepared("2026-10")
    with pytest.raises(SecondPersonNeeded):
        await closing.approve(approval, approved_by=ANNA, at=NOVEMBER)
    closed = await closing.approve(approval, approved_by=BO, at=NOVEMBER)
    assert [one.partner_no for one in closed] == [OPERATOR, 1]
    with pytest.raises(ApprovalDecided):
        await closing.approve(approval, approved_by=BO, at=NOVEMBER)


async def test_who_closed_is_on_the_statement_and_in_the_audit_log() -> None:
    world = await make_world({"A": {}})
    await close("2026-10", NOVEMBER)
    head = (await world.statement("A", "2026-10")).head
    assert (head.closed_by, head.approved_by, head.closed_at) == (ANNA, BO, NOVEMBER)
    async with transaction() as connection:
        assert await audit_log.verify(connection) == []
        logged = await connection.fetch(
            "SELECT subject FROM audit_log WHERE action = 'statement.closed' ORDER BY no"
        )
    assert [row[0] for row in logged] == ["partner:0", "partner:1"]


async def test_only_a_sealed_period_is_closed() -> None:
    await make_world({"A": {}})
    with pytest.raises(UnknownPeriod):
        await prepared("2026-10", 1)
    await draining.drain_all(NOVEMBER)
    for partner_no in (None, 1):
        with pytest.raises(PeriodNotSealed):
            await prepared("2026-10", partner_no)
    with pytest.raises(UnknownPeriod):
        await prepared("2031-01")


async def test_a_closed_period_is_not_closed_again() -> None:
    await make_world({"A": {}})
    await sealing.seal_due(NOVEMBER)
    twice = [await prepared("2026-10"), await prepared("2026-10")]
    await closing.approve(twice[0], approved_by=BO, at=NOVEMBER)
    with pytest.raises(PeriodClosed):
        await closing.approve(twice[1], approved_by=BO, at=NOVEMBER)
    with pytest.raises(PeriodClosed):
        await prepared("2026-10")


async def test_many_that_close_at_once_close_each_statement_once() -> None:
    await make_world({"A": {}, "B": {}})
    await sealing.seal_due(NOVEMBER)
    signed = [await prepared("2026-10", partner_no) for partner_no in (2, None, 1, None, 2)]
    answers = await asyncio.gather(
        *(
            asyncio.create_task(
                closing.approve(approval, approved_by=BO, at=NOVEMBER), context=Context()
            )
            for approval in signed
        ),
        return_exceptions=True,
    )
    closed = [one for answer in answers if isinstance(answer, tuple) for one in answer]
    assert all(isinstance(answer, tuple | PeriodClosed) for answer in answers), answers
    assert len({one.partner_no for one in closed}) == len(closed)
    assert sorted(one.number for one in closed) == list(range(1, len(closed) + 1))


async def test_one_partner_can_be_closed_before_the_others() -> None:
    world = await make_world({"A": {}, "B": {}})
    [closed] = await close("2026-10", NOVEMBER, partner_no=2)
    assert (closed.partner_no, closed.number) == (2, 1)
    rest = await close("2026-10", NOVEMBER)
    assert [(one.partner_no, one.number) for one in rest] == [(OPERATOR, 2), (1, 3)]
    assert (await world.statement("A", "2026-10")).head.number == 3


async def test_periods_of_a_partner_are_closed_in_order() -> None:
    await make_world({"A": {}})
    await sealing.seal_due(DECEMBER)
    with pytest.raises(EarlierPeriodOpen) as refused:
        await prepared("2026-11", 1)
    assert refused.value.facts["period"] == "2026-10"
    await close("2026-10", DECEMBER)
    await close("2026-11", DECEMBER)


async def test_a_statement_that_comes_to_something_else_by_now_is_not_closed() -> None:
    world = await make_world({"A": {}})
    await world.issue("A", 100, OCTOBER)
    await sealing.seal_due(NOVEMBER)
    approval = await prepared("2026-10")
    async with transaction() as connection:  # nobody may; so the owner of the tables does
        await connection.execute("UPDATE tariff_total SET points = points + 1")
    with pytest.raises(StatementChanged):
        await closing.approve(approval, approved_by=BO, at=NOVEMBER)
    assert (await world.statement("A", "2026-10")).head.state == StatementState.PROVISIONAL
    [waiting] = await approvals.waiting(at=NOVEMBER, kind=closing.KIND)
    assert waiting.id == approval


async def test_the_digest_is_the_chain_over_the_drains_in_their_order_and_the_lines() -> None:
    world = await make_world({"A": {}})
    for day in range(3):
        at = OCTOBER + timedelta(days=day)
        await world.issue("A", 100, at)
        await draining.drain_all(at)
    await close("2026-10", NOVEMBER)
    async with transaction() as connection:
        drained = await connection.fetch(
            "SELECT digest FROM drain_digest WHERE (partner_no, period_no) = (1, 1) ORDER BY drain"
        )
    assert len(drained) == 3
    chain = hashlib.sha256(b"partner:1 period:1").digest()
    for row in drained:
        chain = hashlib.sha256(chain + row["digest"]).digest()
    closed = await world.statement("A", "2026-10")
    sealed = digests.sealed(chain, closed.lines)
    assert (closed.head.digest, closed.head.charges) == (sealed, 3)


async def test_what_is_posted_after_the_close_changes_nothing_of_it() -> None:
    world = await make_world({"A": {}, "B": {}})
    await world.issue("A", 100, OCTOBER)
    await close("2026-10", NOVEMBER)
    before = await world.statement("A", "2026-10")
    await world.issue("A", 7, OCTOBER, posted_at=NOVEMBER)
    await world.redeem("B", 50, OCTOBER, posted_at=NOVEMBER)
    await draining.drain_all(NOVEMBER)
    await world.adjust("A", 500, NOVEMBER)
    await close("2026-11", DECEMBER)
    assert await world.statement("A", "2026-10") == before
    later = await world.statement("A", "2026-11")
    assert [(one[0], one[2]) for one in told(later)] == [("adjustment", 500), ("issuance", 7)]


async def test_a_close_tells_its_state_and_no_money() -> None:
    await make_world({"A": {"fixed_fee_minor": 100}})
    await close("2026-10", NOVEMBER, partner_no=1)
    async with transaction() as connection:
        told_of = await connection.fetchval(
            "SELECT payload::text FROM outbox WHERE kind = 'statement.closed'"
        )
    assert told_of == '{"period": "2026-10", "period_no": 1, "partner_no": 1}'


async def test_statements_are_listed_the_latest_first_page_by_page() -> None:
    world = await make_world({"A": {"fixed_fee_minor": 100}})
    await close("2026-10", DECEMBER)
    async with transaction() as connection:
        both = await statements.list_(connection, 1, NOVEMBER, before_no=None, limit=2)
        assert [(one.head.period.name, one.head.state) for one in both] == [
            ("2026-11", StatementState.PROVISIONAL),
            ("2026-10", StatementState.CLOSED),
        ]
        assert [[total.net_minor for total in one.totals] for one in both] == [[], [100]]
        rest = await statements.list_(connection, 1, NOVEMBER, before_no=2, limit=2)
        assert [one.head.period.no for one in rest] == [1]
        head = await statements.head_of(connection, both[1].head.id or UUID(int=0))
        assert head == (await world.statement("A", "2026-10")).head
        assert await statements.head_of(connection, UUID(int=0)) is None


async def test_the_money_book_is_zero_in_each_currency_after_every_step() -> None:
    world = await make_world(STEPPED | {"S": {"currency": "SEK", "issue_price": Decimal("0.1")}})
    await world.issue("A", 999, OCTOBER)
    await world.issue("S", 333, OCTOBER)
    await close("2026-10", NOVEMBER)
    sums: dict[str, Decimal] = {}
    async with transaction() as connection:
        for one in await money.trial_balance(connection):
            sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.amount
    assert sums == {"EUR": 0, "SEK": 0}
