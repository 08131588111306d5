"""Sessions of the pages: whoever signed in there stays so for a working day at most."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0006"
VERSION = "1.38.0"
DESCRIPTION = "Sessions of the pages"

# A session holds while its login has the password by which it was opened.
SESSIONS = """
CREATE TABLE page_session (
    digest bytea PRIMARY KEY,
    login_id uuid NOT NULL,
    password_no int4 NOT NULL,
    member_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    CONSTRAINT a_session_is_kept_as_32_bytes_of_hash CHECK (octet_length(digest) = 32),
    CONSTRAINT a_session_ends_after_it_begins CHECK (ends_at > created_at),
    CONSTRAINT a_session_is_of_a_login FOREIGN KEY (login_id) REFERENCES login (id)
        ON DELETE RESTRICT
);
CREATE INDEX page_session_of_member ON page_session (member_id);
CREATE INDEX page_session_over ON page_session (ends_at);
REVOKE ALL ON page_session FROM PUBLIC;
ALTER TABLE page_session ENABLE ROW LEVEL SECURITY;
"""


async def forwards() -> MigrationManager:
    """Make the table of sessions."""
    manager = MigrationManager(migration_id=ID, app_name="access", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(SESSIONS)

    manager.add_raw(run)
    return manager
