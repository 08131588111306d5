"""Row-level security of the ledger: a tenant's session sees its own rows and nothing of others."""

from datetime import datetime, timedelta

import asyncpg
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.ledger.drafts import Hold, Posted
from tests.support.ledger import (
    FUEL,
    GROCER,
    issue,
    open_holder,
    post,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")

OF_THE_LEDGER = (
    *("holder", "lot", "lot_history", "posting", "leg", "reversed_leg", "hold", "hold_leg"),
    *("receipt_claim", "settlement_queue", "partner_delta", "partner_total"),
    *("lot_leg", "entry", "every_lot"),
)

_UNGUARDED = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1)
  AND has_table_privilege('coalition_tenant', oid, 'SELECT') AND NOT relrowsecurity
"""

_WRITABLE = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1)
  AND (has_table_privilege('coalition_tenant', oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
       OR has_any_column_privilege('coalition_tenant', oid, 'INSERT, UPDATE'))
"""


async def write_a_history(at: datetime) -> None:
    """Write postings, returns and holds of two partners; the legs are many."""
    anna = await open_holder(at)
    soon = (at + timedelta(days=1)).date()
    await post(
        [
            issue(anna, 50, at),
            issue(anna, 50, at, partner_no=FUEL),
            issue(anna, 9, at, expires_on=soon),
        ],
        at,
    )
    spent = await post([redeem(anna, 70, at), redeem(anna, 5, at, partner_no=GROCER)], at)
    for outcome, partner_no in zip(spent, (FUEL, GROCER), strict=True):
        assert isinstance(outcome, Posted)
        await post([reverse(outcome.posting, at, partner_no=partner_no)], at)
    holds = [
        Hold(anna, till(partner_no, at, "h"), 1, 60, at + timedelta(hours=1))
        for partner_no in (FUEL,)
    ]
    await post(holds, at)


async def counts(partner_no: int) -> dict[str, int]:
    tables = ("posting", "leg", "reversed_leg", "hold")
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables
        }


async def test_a_tenant_sees_its_own_postings_legs_returns_and_holds(at: datetime) -> None:
    await write_a_history(at)
    assert await counts(GROCER) == {"posting": 4, "leg": 0, "reversed_leg": 1, "hold": 0}
    assert await counts(FUEL) == {"posting": 3, "leg": 6, "reversed_leg": 3, "hold": 1}
    assert set((await counts(99)).values()) == {0}


async def test_what_a_tenant_may_read_of_the_ledger_is_guarded_row_by_row(at: datetime) -> None:
    async with transaction() as connection:
        assert await connection.fetch(_UNGUARDED, OF_THE_LEDGER) == []
        assert await connection.fetch(_WRITABLE, OF_THE_LEDGER) == []


@pytest.mark.parametrize("column", ["holder", "points_in", "held", "issue_price", "*"])
async def test_a_tenant_reads_of_lots_only_where_points_came_from(
    at: datetime, column: str
) -> None:
    await write_a_history(at)
    for table in ("lot", "lot_history"):
        async with transaction(role=TENANT_ROLE, partner_no=FUEL) as connection:
            await connection.fetch(f"SELECT bucket, id, issuer_no, expires_on FROM {table}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT {column} FROM {table}")
            await connection.execute("ROLLBACK; BEGIN")


@pytest.mark.parametrize("table", ["posting_2026_11", "holder", "lot_leg", "entry", "hold_leg"])
async def test_nothing_else_can_be_read_round_the_guard(at: datetime, table: str) -> None:
    await write_a_history(at)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(role=TENANT_ROLE, partner_no=FUEL) as connection:
            await connection.fetch(f"SELECT * FROM {table}")


async def test_a_session_that_names_no_partner_sees_nothing(at: datetime) -> None:
    await write_a_history(at)
    for _ in range(2):
        with pytest.raises(asyncpg.PostgresError):
            async with transaction(role=TENANT_ROLE) as connection:
                await connection.fetch("SELECT * FROM posting")
        await counts(FUEL)
