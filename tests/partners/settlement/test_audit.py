"""The audit finds nothing in honest books of settlement and every kind of damage in others."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from coalition.federation.terms import ContractTerms, Mode, Vat, VolumeStep
from coalition.kernel.database import Engine, transaction
from partners.settlement import (
    adjusting,
    audit_checks,
    audit_walks,
    clearing,
    closing,
    defaulting,
    draining,
    prepaying,
    sealing,
)
from server.proof import prove
from tests.properties.settlement.world import ANNA, BO, World

GROCER_TERMS = ContractTerms(
    currency="EUR",
    issue_price=Decimal("0.0105"),
    redemption_price=Decimal("0.0085"),
    service_fee_per_point=Decimal("0.0008"),
    volume_steps=(VolumeStep(from_points=500, fee_per_point=Decimal("0.0007")),),
    minimum_fee_minor=500,
    mode=Mode.HYBRID,
    prefunded_share=Decimal("0.333333"),
    vat={"service_fee": Vat(rate=Decimal("0.25"))},
)
FUEL_TERMS = ContractTerms(
    currency="EUR", issue_price=Decimal("0.01"), redemption_price=Decimal("0.008")
)
MONTH = timedelta(days=31)


@pytest.fixture
def world(runner: asyncio.Runner, database: Engine) -> World:
    """Return two partners with a closed month, a sealed one, and a month that is open."""
    assert database.pool is not None
    made = World(datetime(2026, 3, 10, 8, tzinfo=UTC))
    runner.run(_write_a_history(made))
    return made


async def _write_a_history(world: World) -> None:
    zone = "Europe/Stockholm"
    await world.open([(GROCER_TERMS, zone), (FUEL_TERMS, zone)])
    for month in range(3):
        await _trade(world)
        if month < 2:
            world.tick(MONTH)
            await sealing.seal_due(world.at)
        if month == 0:
            approval = await closing.prepare(period="2026-03", prepared_by=ANNA, at=world.at)
            await closing.approve(approval, approved_by=BO, at=world.tick())
            await _clear_and_adjust(world)
    await draining.drain_all(world.at)
    await world.post([world.issue(0, world.partners[0], [(world.partners[0], 5)], timedelta(0))])


async def _clear_and_adjust(world: World) -> None:
    """Clear the closed month, let the grocer default in it, and give and take money by hand."""
    (prepared,) = await clearing.prepare(names=["2026-03"], prepared_by=ANNA, at=world.at)
    cycle = await clearing.approve(prepared, approved_by=BO, at=world.tick())
    default = await defaulting.prepare(
        cycle=cycle.id,
        defaulter_no=1,
        guarantee_minor=100,
        reserve_minor=150,
        prepared_by=ANNA,
        at=world.at,
    )
    await defaulting.approve(default, approved_by=BO, at=world.tick())
    adjustment = await adjusting.prepare(
        partner_no=1,
        amount_minor=-1250,
        currency="EUR",
        reason="counted twice",
        prepared_by=ANNA,
        at=world.at,
    )
    await adjusting.approve(adjustment, approved_by=BO, at=world.tick())
    paid_in = await prepaying.prepare(
        partner_no=2,
        amount_minor=3000,
        currency="EUR",
        reference="bank 4711",
        prepared_by=ANNA,
        at=world.at,
    )
    await prepaying.approve(paid_in, approved_by=BO, at=world.tick())


async def _trade(world: World) -> None:
    grocer, fuel = world.partners
    now = timedelta(0)
    for member in range(3):
        shares = [(grocer, 700 + member), (fuel, 100), (0, 30)]
        await world.post([world.issue(member, grocer, shares, now)])
        await world.post([world.redeem(member, fuel, 333, now)])
        await world.post([world.redeem(member, grocer, 50, now)])
    await draining.drain_all(world.at)
    await world.post([world.reverse(0, 100), world.reverse(1, 33)])


@pytest.mark.usefixtures("world")
async def test_honest_books_have_no_breach() -> None:
    report = await prove()
    assert report.breaches == []
    assert report.checks >= len(audit_checks.CHECKS) + len(audit_walks.WALKS)


_OF_A_CLOSED_ONE = "(SELECT id FROM statement WHERE number IS NOT NULL AND partner_no = 1)"

DAMAGES = {
    "a batch that nobody drained": (
        "waits in the queue of its shard or was drained",
        "DELETE FROM settlement_queue",
    ),
    "a batch that is queued again": (
        "waits in the queue of its shard or was drained",
        "INSERT INTO settlement_queue SELECT shard, batch, batch, batch, 1 FROM drained LIMIT 1",
    ),
    "a batch that nobody posted": (
        "waits in the queue of its shard or was drained",
        (
            "INSERT INTO settlement_queue VALUES (3, gen_random_uuid(), gen_random_uuid(),"
            " gen_random_uuid(), 1)"
        ),
    ),
    "a posting that came after its batch was drained": (
        "a drain took as many postings as its batches have",
        (
            "UPDATE posting SET batch = (SELECT batch FROM drained"
            " WHERE shard = posting.bucket / 64 LIMIT 1)"
            " WHERE batch IN (SELECT batch FROM settlement_queue)"
        ),
    ),
    "a drain that says more than it took": (
        "a drain took as many postings as its batches have",
        "UPDATE drain SET postings = postings + 1",
    ),
    "a posting that is twice in a block": (
        "a block holds postings of its own drain",
        "UPDATE block SET postings = 2 * postings, points = 2 * points, moves = moves || moves",
    ),
    "a block of another drain": (
        "a block holds postings of its own drain",
        (
            "UPDATE drained SET drain = other.id FROM drain AS other"
            " WHERE other.id > drained.drain AND other.shard = drained.shard"
        ),
    ),
    "more points than were posted": (
        "a block holds postings of its own drain",
        r"UPDATE block SET moves = overlay(moves PLACING '\x00ffffff' FROM 17 FOR 4)",
    ),
    "a charge that is not counted": (
        "the totals of a tariff",
        "UPDATE tariff_total SET charges = charges - 1",
    ),
    "points that are not counted": (
        "the totals of a tariff",
        "UPDATE tariff_total SET points = points + 1 WHERE shard = (SELECT min(shard) FROM drain)",
    ),
    "a gap between periods": (
        "periods of a partner follow each other",
        "UPDATE settlement_period SET starts_at = starts_at + interval '1 hour' WHERE no = 2",
    ),
    "a charge of no period": (
        "periods of a partner follow each other",
        (
            "ALTER TABLE tariff DROP CONSTRAINT tariff_partner_no_period_no_fkey;"
            "UPDATE tariff SET period_no = 99 WHERE period_no = 3"
        ),
    ),
    "a sealed period that is open in a shard": (
        "a period that is sealed is shut",
        "UPDATE first_open SET period_no = 1 WHERE shard = 7 AND partner_no = 2",
    ),
    "money out of nothing": (
        "every posting of money sums to zero",
        "UPDATE money_entry SET amount = amount + 0.01 WHERE account = 2",
    ),
    "a balance that lost a cent": (
        "what is kept as the balance of a partner",
        "UPDATE money_delta SET amount = amount + 0.01",
    ),
    "a partner that pays for another": (
        "what a drain booked on the partners' accounts",
        "UPDATE money_entry SET partner_no = 3 - partner_no WHERE account = 1",
    ),
    "a price that was changed": (
        "what a drain booked on the partners' accounts",
        "UPDATE tariff SET unit_price = unit_price + 0.0001",
    ),
    "a line that is gone": (
        "the lines of a closed statement",
        f"DELETE FROM statement_line WHERE kind = 3 AND statement = {_OF_A_CLOSED_ONE}",
    ),
    "a charge that came into a closed period": (
        "the lines of a closed statement",
        (
            "UPDATE tariff SET period_no = 1, origin_no = 1, unit_price = -0.0075"
            " WHERE period_no = 2 AND origin_no = 2 AND partner_no = 2 AND kind = 2"
        ),
    ),
    "a total that says something else": (
        "the totals of a closed statement",
        (
            f"UPDATE statement_total SET amount_minor = amount_minor + 1, net_minor = net_minor + 1"
            f" WHERE statement = {_OF_A_CLOSED_ONE}"
        ),
    ),
    "a number that is missing": (
        "numbered from 1 without a gap",
        "UPDATE statement SET number = number + 10 WHERE partner_no = 1 AND number IS NOT NULL",
    ),
    "a counter that went on": (
        "numbered from 1 without a gap",
        "UPDATE statement_counter SET last_number = last_number + 1",
    ),
    "a cent that was rounded away": (
        "each line rounded once",
        (
            f"UPDATE statement_line SET amount_minor = amount_minor + 1"
            f" WHERE statement = {_OF_A_CLOSED_ONE}"
        ),
    ),
    "a minimum that was forgotten": (
        "each line rounded once",
        f"DELETE FROM statement_line WHERE kind = 6 AND statement = {_OF_A_CLOSED_ONE}",
    ),
    "a posting that was exchanged for another": (
        "the chain of digests",
        "UPDATE block SET moves = set_byte(moves, 3, get_byte(moves, 3) # 1)",
    ),
    "a digest that is gone": (
        "the chain of digests",
        "DELETE FROM drain_digest WHERE partner_no = 1 AND period_no = 1",
    ),
    "a digest that was written anew": (
        "the chain of digests",
        r"UPDATE statement SET digest = '\x00' || substring(digest FROM 2)",
    ),
    "a cycle that pays out more than it takes in": (
        "in a clearing cycle",
        (
            "INSERT INTO clearing_cycle VALUES (gen_random_uuid(), 'EUR', '{2026-03}',"
            " '2026-05-01', 'anna', '2026-05-01', 'bo');"
            "INSERT INTO clearing_leg SELECT id, 3, 1, 100 FROM clearing_cycle"
        ),
    ),
    "a partner that pays in place of another": (
        "the legs of a cycle are what its statements and set-offs come to",
        (
            "UPDATE clearing_leg SET amount_minor = amount_minor + 100 * (2 * partner_no - 3)"
            " WHERE partner_no IN (1, 2)"
        ),
    ),
    "a statement that is paid though no cycle has it": (
        "a statement is approved when a cycle has it",
        "DELETE FROM clearing_statement",
    ),
    "an adjustment that was raised afterwards": (
        "every adjustment of money was decided",
        "UPDATE settlement_adjustment SET amount_minor = amount_minor + 1",
    ),
    "a decision that says something else": (
        "every decision of settlement stands in the audit log",
        "UPDATE approval SET payload = replace(payload, 'twice', 'thrice')",
    ),
    "a decision that is gone": (
        "every decision of settlement stands in the audit log",
        "DELETE FROM approval WHERE kind = 'settlement_default'",
    ),
    "a person who had not closed": (
        "every statement was closed by the two persons",
        "UPDATE statement SET closed_by = 'mallory' WHERE number = 2",
    ),
    "a close that nobody decided": (
        "every statement was closed by the two persons",
        "DELETE FROM approval WHERE kind = 'settlement_close'",
    ),
    "two statements that changed their numbers": (
        "number and digest of every closed statement",
        (
            "UPDATE statement SET number = number + 10 WHERE number IN (1, 2);"
            "UPDATE statement SET number = 13 - number WHERE number IN (11, 12)"
        ),
    ),
    "a period that is called otherwise": (
        "number and digest of every closed statement",
        "UPDATE settlement_period SET name = '2026-02' WHERE no = 1 AND partner_no = 2",
    ),
    "a cycle by another than who decided it": (
        "a statement is cleared in the cycle",
        "UPDATE clearing_cycle SET approved_by = 'mallory'",
    ),
    "legs that are twice as high": (
        "the legs of a cycle are what its statements and set-offs come to",
        "UPDATE clearing_leg SET amount_minor = 2 * amount_minor WHERE version = 1",
    ),
    "a default that spares the operator": (
        "the legs of a cycle are what its statements and set-offs come to",
        (
            "UPDATE clearing_leg SET amount_minor = amount_minor + 50 * (2 * partner_no - 1)"
            " WHERE version = 2 AND partner_no < 2"
        ),
    ),
    "an adjustment that nobody decided": (
        "every adjustment of money was decided",
        (
            "INSERT INTO settlement_adjustment SELECT gen_random_uuid(), partner_no, period_no,"
            " origin_no, contract_no, currency, vat_code, vat_rate, -5000, reason, NULL, made_at,"
            " prepared_by, approved_by FROM settlement_adjustment"
        ),
    ),
    "an adjustment that is booked for another": (
        "what closes, adjustments, set-offs and defaults booked",
        (
            "UPDATE money_entry SET partner_no = 2 WHERE account = 1"
            " AND posting IN (SELECT id FROM money_posting WHERE kind = 3)"
        ),
    ),
    "a close that did not reach the book": (
        "what closes, adjustments, set-offs and defaults booked",
        "DELETE FROM money_entry WHERE posting IN (SELECT id FROM money_posting WHERE kind = 2)",
    ),
    "a claim that is paid though nobody decided it": (
        "a cycle pays of claims what two persons decided",
        (
            "INSERT INTO clearing_set_off SELECT cycle, cycle, version, creditor_no, defaulter_no,"
            " 1 FROM clearing_claim LIMIT 1"
        ),
    ),
    "a payment that nobody decided": (
        "money paid in beforehand is booked as two persons decided",
        "UPDATE money_posting SET subject = subject || '1' WHERE kind = 4",
    ),
    "a right to change what was frozen": (
        "no role of the service may change or remove what was drained",
        "GRANT UPDATE (amount_minor) ON statement_line TO coalition_poster",
    ),
}


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found(damage: str) -> None:
    promise, statement = DAMAGES[damage]
    async with transaction() as connection:
        await connection.execute(statement)
    report = await prove()
    found = [breach for breach in report.breaches if promise in breach.promise]
    assert found, [breach.promise for breach in report.breaches]
    assert all(breach.rows > 0 and breach.first for breach in found)


def test_every_check_is_broken_by_some_damage() -> None:
    promises = [one.promise for one in (*audit_checks.CHECKS, *audit_walks.WALKS)]
    unbroken = [
        promise
        for promise in promises
        if not any(damaged in promise for damaged, _ in DAMAGES.values())
    ]
    assert unbroken == []
