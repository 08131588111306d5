"""Batches and their chunks: the lines that wait, the answers that were given."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Batches of lines"

# The bucket comes from the batch's own id. `records` and `results` are compressed before they come
# here, so the server shall not try again.
SQL = """
CREATE TABLE batch (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    partner_no int4 NOT NULL,
    client_no int4 NOT NULL,
    store_no int4,
    scopes text[] NOT NULL,
    media_type text NOT NULL,
    columns text[] NOT NULL,
    state text NOT NULL,
    lines int4 NOT NULL,
    posted int4 NOT NULL,
    refused int4 NOT NULL,
    received_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_batch_lives_in_one_of_1024_buckets CHECK (bucket BETWEEN 0 AND 1023),
    CONSTRAINT a_batch_is_queued_running_or_done CHECK (state IN ('queued', 'running', 'done')),
    CONSTRAINT a_batch_has_lines CHECK (lines > 0),
    CONSTRAINT a_line_is_posted_or_refused_once
        CHECK (posted >= 0 AND refused >= 0 AND posted + refused <= lines),
    CONSTRAINT a_batch_that_is_done_has_answered_every_line
        CHECK ((state = 'done') = (posted + refused = lines)),
    CONSTRAINT a_batch_that_is_done_has_a_finish
        CHECK ((state = 'done') = (finished_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX batch_by_partner ON batch (partner_no, id);

CREATE TABLE batch_chunk (
    bucket int2 NOT NULL,
    batch uuid NOT NULL,
    first_line int4 NOT NULL,
    lines int4 NOT NULL,
    partner_no int4 NOT NULL,
    records bytea,
    results bytea,
    PRIMARY KEY (bucket, batch, first_line),
    CONSTRAINT a_chunk_belongs_to_a_batch FOREIGN KEY (bucket, batch) REFERENCES batch (bucket, id),
    CONSTRAINT a_chunk_has_lines CHECK (first_line > 0 AND lines > 0),
    CONSTRAINT a_chunk_waits_or_is_answered CHECK ((records IS NULL) <> (results IS NULL))
);
ALTER TABLE batch_chunk ALTER records SET STORAGE EXTERNAL, ALTER results SET STORAGE EXTERNAL;

GRANT SELECT ON batch, batch_chunk TO coalition_tenant;
GRANT SELECT, INSERT ON batch, batch_chunk TO coalition_poster;
GRANT UPDATE (state, posted, refused, finished_at) ON batch TO coalition_poster;
GRANT UPDATE (records, results) ON batch_chunk TO coalition_poster;
ALTER TABLE batch ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON batch TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON batch TO coalition_poster USING (true) WITH CHECK (true);
ALTER TABLE batch_chunk ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON batch_chunk TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON batch_chunk TO coalition_poster USING (true) WITH CHECK (true);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="batches", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SQL)

    manager.add_raw(run)
    return manager
