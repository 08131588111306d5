"""A close and a live statement read their own periods by key, however long the history is."""

from datetime import datetime, timedelta

import pytest

from coalition.federation.terms import Calendar
from coalition.kernel.database import transaction
from partners.settlement import closing, draining, sealing, statements
from tests.ledger.plans import Plan, start_watching, watched
from tests.partners.settlement.world import ANNA, BO, OCTOBER, make_world

pytestmark = pytest.mark.usefixtures("database")

PERIODS = 300
GROWING = ("tariff", "tariff_total", "drain_digest", "statement_line", "settlement_period")
"""Tables that grow with history."""

# A statement a day, each with three tariffs in sixteen shards, and twenty drains.
_HISTORY = """
INSERT INTO drain SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 0, $1, 1
FROM generate_series(1, 20) AS n;
"""
_DAYS = """
WITH days AS (
    SELECT no FROM settlement_period WHERE partner_no = 1 AND ends_at <= $1
), tariffs AS (
    INSERT INTO tariff
    SELECT md5(no || ':' || kind)::uuid, 1, no, no, kind, 1, 'EUR', 'none', 0, 0.01, true
    FROM days, generate_series(1, 3) AS kind RETURNING id
), totals AS (
    INSERT INTO tariff_total SELECT id, shard, 100, 1 FROM tariffs, generate_series(0, 15) AS shard
)
INSERT INTO drain_digest SELECT 1, no, id, sha256('') FROM days, drain
"""


async def history() -> datetime:
    """Let most of a year pass, closed by hand but for its last day; return its end."""
    at = OCTOBER + timedelta(days=PERIODS)
    await make_world({"A": {"calendar": Calendar.DAILY}})
    await sealing.seal_due(at)
    async with transaction() as connection:
        await connection.execute(_HISTORY.replace("$1", f"'{at.isoformat()}'"))
        await connection.execute(_DAYS, at)
        await connection.execute(
            "UPDATE statement SET state = 'closed', closed_at = $1, number = period_no,"
            " charges = 0, digest = '', closed_by = 'a', approved_by = 'b'"
            " WHERE partner_no = 1 AND period_no < ("
            "  SELECT max(period_no) FROM statement WHERE partner_no = 1)",
            at,
        )
        await connection.execute("UPDATE statement_counter SET last_number = 1000")
    async with transaction() as connection:
        await connection.execute("ANALYZE")
    return at


def faults(plans: list[Plan]) -> list[str]:
    """Return what reads a table that grows as a whole, or much of it."""
    found = []
    seen = set()
    for plan in plans:
        kept = [step for step in plan.steps if step.relation in GROWING]
        seen |= {step.relation for step in kept}
        found += Plan(plan.query, kept).faults(most_rows=100)
    assert {"tariff", "tariff_total", "settlement_period"} <= seen, "nothing was watched"
    return found


async def test_a_close_reads_its_own_period_only() -> None:
    at = await history()
    async with transaction() as connection:
        last = await connection.fetchval(
            "SELECT name FROM settlement_period JOIN statement"
            " ON (statement.partner_no, period_no) = (settlement_period.partner_no, no)"
            " WHERE statement.partner_no = 1 AND state = 'provisional'"
        )
        await start_watching(connection)
        with watched(connection) as plans:
            approval = await closing.prepare(period=last, prepared_by=ANNA, at=at)
            [closed] = await closing.approve(approval, approved_by=BO, at=at)
    assert [position.net_minor for position in closed.net] == [3 * 1600]
    assert faults(plans) == []


async def test_a_live_statement_reads_what_is_open_only() -> None:
    at = await history()
    async with transaction() as connection:
        await draining.read_book(connection)  # it stays in memory
        await start_watching(connection)
        with watched(connection) as plans:
            live = await statements.live(1, at)
    assert len(live.statements) == 2
    assert faults(plans) == []
