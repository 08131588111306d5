"""No partner reads who of the operator's staff decided something: the database would not tell."""

import asyncpg
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.database.transactions import TENANT_ROLE

pytestmark = pytest.mark.usefixtures("database")

# Persons of the staff stand in columns that end so: prepared_by, approved_by, closed_by, made_by.
_READABLE = """
SELECT relation.relname || '.' || attribute.attname
FROM pg_class AS relation
JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid
WHERE relation.relnamespace = 'public'::regnamespace AND relation.relkind IN ('r', 'p', 'v')
  AND attribute.attnum > 0 AND NOT attribute.attisdropped
  AND attribute.attname LIKE '%\\_by'
  AND ($1::text IS NULL
       OR has_column_privilege($1, relation.oid, attribute.attnum, 'SELECT'))
ORDER BY 1
"""


async def test_no_column_that_names_staff_is_readable_by_tenants() -> None:
    async with transaction() as connection:
        named = await connection.fetch(_READABLE, None)
        readable = await connection.fetch(_READABLE, TENANT_ROLE)
    assert {"contract.approved_by", "statement.closed_by"} <= {row[0] for row in named}
    assert [row[0] for row in readable] == []


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("contract", "prepared_by"),
        ("contract", "approved_by"),
        ("statement", "closed_by"),
        ("statement", "approved_by"),
        ("settlement_adjustment", "prepared_by"),
        ("settlement_adjustment", "approved_by"),
        ("earning_rule", "made_by"),
    ],
)
async def test_a_tenant_that_asks_who_it_was_is_refused(table: str, column: str) -> None:
    for wanted in (column, "*"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(role=TENANT_ROLE, partner_no=1) as connection:
                await connection.fetch(f"SELECT {wanted} FROM {table}")
    async with transaction(role=TENANT_ROLE, partner_no=1) as connection:
        assert await connection.fetch(f"SELECT partner_no FROM {table}") == []
