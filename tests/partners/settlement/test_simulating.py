"""Simulating a contract: the one that was in force changes nothing, another one to the cent."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from coalition.federation import contracts
from coalition.federation.refusals import InvalidTerms
from coalition.federation.terms import ContractTerms, Mode, Vat, VolumeStep
from coalition.kernel.database import transaction
from coalition.ledger import expiry
from coalition.ledger.drafts import Grant, Issue
from coalition.ledger.provenance import Provenance
from partners.settlement import simulating
from partners.settlement.pricing import Act, Move
from partners.settlement.refusals import UnknownPeriod
from partners.settlement.simulating import STEPS, Draft, Simulation, redrawn
from tests.partners.settlement.world import (
    ANNA,
    BO,
    DECEMBER,
    EXAMPLE_A,
    NOVEMBER,
    OCTOBER,
    World,
    close,
    make_world,
    play_example_a,
    posted,
    till,
)

pytestmark = pytest.mark.usefixtures("database")

FEE_VAT = {"service_fee": Vat(rate=Decimal("0.25"))}
RICH = {
    "mode": Mode.HYBRID,
    "prefunded_share": Decimal("0.4"),
    "service_fee_per_point": Decimal("0.0008"),
    "service_fee_percent": Decimal(2),
    "fixed_fee_minor": 10_000,
    "minimum_fee_minor": 500_000,
    "volume_steps": (VolumeStep(from_points=1_000, fee_per_point=Decimal("0.0003")),),
    "breakage_share": Decimal("0.5"),
    "vat": FEE_VAT,
}


async def simulated(
    world: World, partner: str, *, first: int = 10, last: int = 10, **changes: Any
) -> Simulation:
    """Return a simulation of months of 2026 with `changes` to the version of the last one."""
    no = world.numbers[partner]
    held = world.known.contract_at(no, datetime(2026, last, 15, tzinfo=UTC))
    terms = {field: getattr(held, field) for field in ContractTerms.__struct_fields__}
    if "mode" in changes:
        terms["prefunded_share"] = None
    told: list[None] = []
    found = await simulating.simulate(
        no,
        ContractTerms(**(terms | changes)),
        first=date(2026, first, 1),
        last=date(2026, last, 1),
        at=DECEMBER,
        tell=lambda: told.append(None),
    )
    assert len(told) == STEPS
    assert_balanced(found)
    return found


def nothing() -> None:
    """Tell nobody."""


def assert_balanced(found: Simulation) -> None:
    """Assert that what the parties pay more comes in, in each currency."""
    paid: dict[str, Decimal] = {}
    for one in found.parties:
        paid[one.currency] = paid.get(one.currency, Decimal(0)) + Decimal(one.more_minor) / 100
    come_in: dict[str, Decimal] = {}
    for account in found.accounts:
        come_in[account.currency] = come_in.get(account.currency, Decimal(0)) + account.more
    assert {code: more for code, more in paid.items() if more} == {
        code: more for code, more in come_in.items() if more
    }


def lines(found: Simulation) -> list[tuple[str, str, int, int]]:
    """Return period, kind and what was paid and would be, VAT included."""
    return [
        (
            line.period,
            line.kind.name.lower(),
            line.was_minor + line.was_vat_minor,
            line.would_be_minor + line.would_be_vat_minor,
        )
        for line in found.lines
    ]


def more(found: Simulation) -> dict[str, Decimal]:
    """Return what would come more into each account of the operator."""
    return {one.account.name.lower(): one.more for one in found.accounts if one.more}


async def test_the_contract_that_was_in_force_changes_nothing_and_gives_the_closed_cents() -> None:
    world = await make_world(EXAMPLE_A | {"D": RICH})
    await play_example_a(world)
    given = await world.issue("D", 12_345, OCTOBER)
    await world.issue("D", 777, OCTOBER, funder="A")
    await world.issue("A", 333, OCTOBER, funder="D")
    await world.redeem("B", 700_000, NOVEMBER)
    await world.reverse("D", given, NOVEMBER, 2_345)
    await close("2026-10", NOVEMBER)
    await close("2026-11", DECEMBER)
    for partner in "ABCD":
        found = await simulated(world, partner, last=11)
        assert [one.name for one in found.periods] == ["2026-10", "2026-11"]
        assert [one for one in found.lines if one.more_minor] == []
        assert [one.more_minor for one in found.parties] == [0]
        assert more(found) == {}
        closed = [await world.statement(partner, one.name) for one in found.periods]
        totals = [total.net_minor for statement in closed for total in statement.totals]
        assert [one.was_minor for one in found.parties] == [sum(totals)]
        assert [
            (line.period, line.kind, line.would_be_minor, line.would_be_vat_minor)
            for line in found.lines
        ] == [
            (statement.head.period.name, line.kind, line.amount_minor, line.vat_minor)
            for statement in closed
            for line in sorted(statement.lines, key=lambda line: (line.kind, line.origin_no))
        ]


async def one_month() -> World:
    """Let A issue 100,000 points of 0.0100 under a fund, and C take 60,000 of them for 0.0080."""
    fees = {"service_fee_per_point": Decimal("0.0008"), "vat": FEE_VAT}
    world = await make_world({"A": fees, "B": {}, "C": {"redemption_price": Decimal("0.0080")}})
    await world.issue("A", 100_000, OCTOBER)
    await world.redeem("C", 60_000, OCTOBER)
    return world


async def test_another_mode_and_price_worked_by_hand() -> None:
    """Paying on redemption: 60,000 x 0.0120, of which C gets 480.00 and the operator the rest."""
    found = await simulated(
        await one_month(),
        "A",
        mode=Mode.ISSUER_ON_REDEMPTION,
        issue_price=Decimal("0.0120"),
        service_fee_per_point=Decimal("0.0010"),
    )
    assert lines(found) == [
        ("2026-10", "issuance", 100_000, 72_000),
        ("2026-10", "service_fee", 10_000, 12_500),
    ]
    (partner,) = found.parties
    assert (partner.partner_no, partner.was_minor, partner.would_be_minor) == (1, 110_000, 84_500)
    assert more(found) == {
        "fund": Decimal(-520),
        "margin": Decimal(240),
        "fee": Decimal(20),
        "vat": Decimal(5),
    }


async def test_what_an_accepter_would_get_is_paid_by_the_fund() -> None:
    found = await simulated(await one_month(), "C", redemption_price=Decimal("0.0090"))
    assert lines(found) == [("2026-10", "redemption", -48_000, -54_000)]
    assert more(found) == {"fund": Decimal(-60)}


async def test_another_currency_is_told_beside_the_one_that_was() -> None:
    """Without a rate a point of 0.10 SEK is worth just that; C still gets its euros."""
    found = await simulated(
        await one_month(), "A", currency="SEK", issue_price=Decimal("0.10"), vat={}
    )
    assert [(line.kind.name, line.currency, line.more_minor) for line in found.lines] == [
        ("ISSUANCE", "EUR", -100_000),
        ("ISSUANCE", "SEK", 1_000_000),
        ("SERVICE_FEE", "EUR", -10_000),
        ("SERVICE_FEE", "SEK", 8_000),
    ]
    assert [(one.currency, one.more_minor) for one in found.parties] == [
        ("EUR", -110_000),
        ("SEK", 1_008_000),
    ]


async def test_who_funds_points_of_the_partner_pays_its_drafted_price() -> None:
    world = await one_month()
    await world.issue("A", 10_000, OCTOBER, funder="B")
    found = await simulated(world, "A", issue_price=Decimal("0.0130"))
    assert [(one.partner_no, one.was_minor, one.would_be_minor) for one in found.parties] == [
        (1, 111_000, 141_000),
        (2, 10_000, 13_000),
    ]


async def test_fees_of_a_period_as_such_hold_where_nothing_was_posted() -> None:
    world = await make_world({"A": {}})
    found = await simulated(world, "A", last=11, fixed_fee_minor=5_000, minimum_fee_minor=20_000)
    assert lines(found) == [
        ("2026-10", "minimum", 0, 15_000),
        ("2026-10", "fixed", 0, 5_000),
        ("2026-11", "minimum", 0, 15_000),
        ("2026-11", "fixed", 0, 5_000),
    ]
    assert more(found) == {"fee": Decimal(400)}


async def test_volume_steps_are_those_of_each_period_and_returns_go_back_at_their_price() -> None:
    """80,000 points at 0.0008 and 20,000 at 0.0003 are 70.00; 1,000 of them are 0.70."""
    world = await one_month()
    given = await world.issue("A", 10_000, NOVEMBER)
    async with transaction() as connection:
        first = await connection.fetchval("SELECT id FROM posting WHERE kind = 1 ORDER BY id")
    await world.reverse("A", first, NOVEMBER, 1_000)
    assert given != first
    steps = (VolumeStep(from_points=80_000, fee_per_point=Decimal("0.0003")),)
    found = await simulated(world, "A", last=11, volume_steps=steps, vat={})
    fees = [line for line in found.lines if line.kind.name == "SERVICE_FEE"]
    assert [(line.period, line.origin, line.was_minor, line.would_be_minor) for line in fees] == [
        ("2026-10", "2026-10", 8_000, 7_000),
        ("2026-11", "2026-10", -80, -70),
        ("2026-11", "2026-11", 800, 800),
    ]
    assert [line.was_vat_minor for line in fees] == [2_000, -20, 200]
    assert [line.would_be_vat_minor for line in fees] == [0, 0, 0]


async def test_the_share_of_breakage_goes_back_to_the_funder() -> None:
    """Of 10,000 points for which 100.00 was paid and that nobody spent, half."""
    world = await one_month()
    held = world.known.contract_at(world.numbers["A"], OCTOBER)
    source = Provenance(
        currency_no=1,
        issuer_no=held.partner_no,
        contract_no=held.no,
        funder_no=held.partner_no,
        earned_month=202610,
        expires_on=date(2026, 10, 20),
        issue_price=held.issue_price,
        prefunded_share=held.prefunded_share,
    )
    await posted(
        Issue(world.holder, till(held.partner_no, OCTOBER), (Grant(source, 10_000),)), OCTOBER
    )
    assert await expiry.expire(NOVEMBER, NOVEMBER.date()) == 10_000
    found = await simulated(world, "A", last=11, breakage_share=Decimal("0.5"))
    assert [one for one in lines(found) if one[2] != one[3]] == [("2026-11", "breakage", 0, -5_000)]
    assert more(found) == {"breakage": Decimal(-50)}


async def test_only_versions_in_force_in_the_chosen_months_are_drafted() -> None:
    world = await one_month()
    no = world.numbers["A"]
    at = OCTOBER + timedelta(days=1)
    held = world.known.contract_at(no, OCTOBER)
    terms = {field: getattr(held, field) for field in ContractTerms.__struct_fields__}
    approval = await contracts.prepare(
        partner_no=no,
        terms=ContractTerms(**(terms | {"service_fee_per_point": Decimal("0.0005")})),
        valid_from=date(2026, 11, 1),
        prepared_by=ANNA,
        at=at,
    )
    await contracts.sign(approval, approved_by=BO, at=at)
    await world.reload()
    await world.issue("A", 10_000, NOVEMBER)
    async with transaction() as connection:
        first = await connection.fetchval("SELECT id FROM posting WHERE kind = 1 ORDER BY id")
    await world.reverse("A", first, NOVEMBER, 1_000)
    wanted: dict[str, Any] = {"service_fee_per_point": Decimal("0.0010"), "vat": {}}
    november = await simulated(world, "A", first=11, last=11, **wanted)
    fees = [line for line in november.lines if line.kind.name == "SERVICE_FEE"]
    assert [(line.origin, line.was_minor, line.would_be_minor) for line in fees] == [
        ("2026-10", -80, -80),
        ("2026-11", 500, 1_000),
    ]
    both = await simulated(world, "A", last=11, **wanted)
    fees = [line for line in both.lines if line.kind.name == "SERVICE_FEE"]
    assert [(line.period, line.was_minor, line.would_be_minor) for line in fees] == [
        ("2026-10", 8_000, 10_000),
        ("2026-11", -80, -100),
        ("2026-11", 500, 1_000),
    ]


async def test_nothing_is_drained_sealed_or_booked_by_a_simulation() -> None:
    world = await one_month()
    await simulated(world, "A", issue_price=Decimal("0.0130"))
    async with transaction() as connection:
        counts = await connection.fetchrow(
            "SELECT (SELECT sum(postings) FROM settlement_queue), (SELECT count(*) FROM drain),"
            " (SELECT count(*) FROM statement), (SELECT count(*) FROM money_posting),"
            " (SELECT count(*) FROM contract)"
        )
    assert tuple(counts) == (2, 0, 0, 0, 3)


async def test_months_without_a_period_and_terms_that_cannot_be_are_refused() -> None:
    world = await one_month()
    terms = ContractTerms(currency="EUR", issue_price=Decimal(0), redemption_price=Decimal(0))
    for month in (date(2026, 9, 1), date(2027, 1, 1)):
        with pytest.raises(UnknownPeriod):
            await simulating.simulate(
                world.numbers["A"], terms, first=month, last=month, at=DECEMBER, tell=nothing
            )
    with pytest.raises(InvalidTerms):
        await simulated(world, "A", issue_price=Decimal(-1))


async def test_points_that_were_converted_keep_their_proportion_to_the_drafted_price() -> None:
    """Of points of 0.0100 each became 2.5, of 0.0040; at 0.0120 that is 0.0048."""
    world = await one_month()
    was = world.known.contract_at(world.numbers["A"], OCTOBER)
    would_be = msgspec.structs.replace(
        was, issue_price=Decimal("0.012"), prefunded_share=Decimal("0.5")
    )
    drafts = {was.no: Draft(was, would_be)}
    kept = Decimal("0.0040")
    move = Move(
        *(Act.RECOVER, 3, 1, 1, was.partner_no, was.no, was.partner_no, kept, Decimal(1)),
        *(was.partner_no, was.no, kept, 1, 5, b""),
    )
    drawn = redrawn(move, drafts, was.partner_no)
    assert (drawn.issue_price, drawn.prefunded_share) == (Decimal("0.0048"), Decimal("0.5"))
    assert drawn.accept_price == Decimal("0.0048")
    # What another funds keeps the share of that funder, and points of others keep everything.
    assert redrawn(move, drafts, 2).prefunded_share == 1
    other = move._replace(contract_no=99, accept_contract_no=None, accept_price=None)
    assert redrawn(other, drafts, was.partner_no) == other
    free = {was.no: Draft(msgspec.structs.replace(was, issue_price=Decimal(0)), would_be)}
    assert redrawn(move, free, was.partner_no).issue_price == Decimal("0.012")
