"""The catalogue of the database obeys the rules that later scale depends on.

Member-owned tables lead with `bucket` in every key, unique index and foreign key, so that the same
schema can be distributed; reference tables hold no foreign keys to them.
"""

from datetime import datetime

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.ledger.partitions import ensure_partition
from server import distribution

pytestmark = pytest.mark.usefixtures("database")

_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""

_BUCKETED = """
SELECT attrelid::regclass::text, atttypid::regtype::text, attnotnull FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid
WHERE attname = 'bucket' AND relkind IN ('r', 'p') AND NOT relispartition
  AND relnamespace = 'public'::regnamespace
"""

_UNIQUE = """
SELECT indrelid::regclass::text AS of_table, indexrelid::regclass::text AS name,
       (SELECT attname FROM pg_attribute WHERE attrelid = indrelid AND attnum = indkey[0]) AS first
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE indisunique AND relkind IN ('r', 'p') AND NOT relispartition
  AND relnamespace = 'public'::regnamespace
"""

_FOREIGN = """
SELECT conname, conrelid::regclass::text AS of_table, confrelid::regclass::text AS to_table,
       confdeltype::text AS on_delete, pg_get_constraintdef(oid) AS said,
       (SELECT array_agg(attname::text) FROM pg_attribute
        WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conparentid = 0
ORDER BY 1, 2
"""

_TRIGGERS = """
SELECT tgrelid::regclass::text AS of_table, tgname FROM pg_trigger WHERE NOT tgisinternal
"""

_SEQUENCES = """
SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'
"""

NOT_OURS = ("migration", "pgqueuer")


def is_ours(table: str) -> bool:
    """Tell whether `table` is of our own schema, not Piccolo's record or the job queue's."""
    return not table.startswith(NOT_OURS)


async def test_every_table_is_declared_distributed_reference_or_local() -> None:
    async with transaction() as connection:
        tables = {row[0] for row in await connection.fetch(_TABLES) if is_ours(row[0])}
    declared = distribution.BY_BUCKET.keys() | set(distribution.REFERENCE) | set(distribution.LOCAL)
    assert tables == declared


async def test_distributed_tables_lead_with_bucket_in_every_unique_key() -> None:
    async with transaction() as connection:
        columns = {row[0]: (row[1], row[2]) for row in await connection.fetch(_BUCKETED)}
        keys = [row for row in await connection.fetch(_UNIQUE) if row["of_table"] in columns]
    assert columns.keys() == distribution.BY_BUCKET.keys()
    assert set(columns.values()) == {("smallint", True)}
    assert {row["of_table"] for row in keys} == columns.keys(), "each has a primary key"
    assert {row["first"] for row in keys} == {"bucket"}


async def test_foreign_keys_stay_within_a_bucket_and_never_cascade() -> None:
    async with transaction() as connection:
        keys = [row for row in await connection.fetch(_FOREIGN) if is_ours(row["of_table"])]
    assert keys
    for key in keys:
        assert key["on_delete"] in ("a", "r"), f"{key['conname']} cascades"
        if key["of_table"] in distribution.BY_BUCKET:
            to_member_owned = key["to_table"] in distribution.BY_BUCKET
            assert to_member_owned == ("bucket" in key["columns"]), key["conname"]
        else:
            assert key["to_table"] not in distribution.BY_BUCKET, key["conname"]


async def test_no_trigger_and_no_sequence_carries_correctness() -> None:
    async with transaction() as connection:
        triggers = [row for row in await connection.fetch(_TRIGGERS) if is_ours(row["of_table"])]
        sequences = [row[0] for row in await connection.fetch(_SEQUENCES) if is_ours(row[0])]
    assert triggers == []
    assert sequences == []


async def test_the_schema_is_distributed_where_the_extension_is_there(
    database: Engine, at: datetime
) -> None:
    """The extension itself is not here: stand-ins for its two functions record the calls."""
    await ensure_partition(at)
    async with transaction() as connection:
        await connection.execute(
            """
            CREATE TABLE distributed (kind text, name text, by text, beside text, shards text);
            CREATE FUNCTION create_distributed_table(name regclass, by text, colocate_with text)
                RETURNS void LANGUAGE sql
                AS $$ INSERT INTO distributed VALUES (
                    'bucket', name::text, by, colocate_with, current_setting('citus.shard_count'))
                $$;
            CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql
                AS $$ INSERT INTO distributed VALUES ('reference', name::text) $$;
            """
        )
        keys = await connection.fetch(_FOREIGN)
        await distribution.distribute(connection)
        calls = await connection.fetch("SELECT * FROM distributed")
        kept = await connection.fetch(_FOREIGN)
        looking_elsewhere = await connection.fetch(
            distribution.LOOKING_ELSEWHERE, list(distribution.BY_BUCKET)
        )
    to_nodes = distribution.BY_BUCKET.keys() | set(distribution.REFERENCE)
    assert kept == [
        key for key in keys if key["of_table"] in to_nodes or key["to_table"] not in to_nodes
    ], "each is put back as it was, but those that would move a table off the coordinator"
    by_bucket = [row for row in calls if row["kind"] == "bucket"]
    assert {row["name"] for row in by_bucket} == distribution.BY_BUCKET.keys()
    assert {(row["by"], row["shards"]) for row in by_bucket} == {("bucket", "1")}
    names = [row["name"] for row in calls]
    assert set(distribution.REFERENCE) <= set(names)
    assert names.index("holder") < names.index("lot"), "what is referred to comes first"
    assert looking_elsewhere == [], "no policy of a distributed table has a subquery"


async def test_without_the_extension_nothing_is_distributed(database: Engine) -> None:
    assert not database.spreads
