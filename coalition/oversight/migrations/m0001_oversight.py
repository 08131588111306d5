"""The audit log with its head, and approvals."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Audit log and approvals"

# Facts are text, not jsonb: the hash is over the very bytes, and jsonb would write them anew. The
# owner gives up its own right to change or remove rows too, so that a slip of ours is stopped by
# the database; a superuser is stopped by nothing, and is found by `audit_log.verify`.
AUDIT_LOG = """
CREATE TABLE audit_log (
    no int8 PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    facts text NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_numbers_start_at_one CHECK (no >= 1),
    CONSTRAINT an_audit_row_says_who_did_what_to_what CHECK (
        actor <> '' AND action <> '' AND subject <> ''
    ),
    CONSTRAINT an_audit_hash_has_32_bytes CHECK (
        octet_length(previous_hash) = 32 AND octet_length(hash) = 32
    )
);
CREATE INDEX audit_log_by_subject ON audit_log (subject, no);

CREATE TABLE audit_log_head (
    no int2 PRIMARY KEY,
    last_no int8 NOT NULL,
    last_hash bytea NOT NULL,
    CONSTRAINT the_audit_log_has_one_head CHECK (no = 1)
);
INSERT INTO audit_log_head (no, last_no, last_hash)
VALUES (1, 0, decode(repeat('00', 32), 'hex'));

REVOKE ALL ON audit_log, audit_log_head FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM CURRENT_USER;
REVOKE DELETE, TRUNCATE ON audit_log_head FROM CURRENT_USER;
"""

APPROVALS = """
CREATE TABLE approval (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    payload text NOT NULL,
    state text NOT NULL,
    prepared_by text NOT NULL,
    prepared_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    reason text,
    CONSTRAINT an_approval_is_prepared_applied_or_rejected CHECK (
        state IN ('prepared', 'applied', 'rejected')
    ),
    CONSTRAINT an_approval_expires_after_it_is_prepared CHECK (expires_at > prepared_at),
    CONSTRAINT a_decision_has_a_person_and_a_time CHECK (
        (state = 'prepared') = (decided_by IS NULL) AND (state = 'prepared') = (decided_at IS NULL)
    ),
    CONSTRAINT an_approval_needs_a_second_person CHECK (
        state <> 'applied' OR decided_by <> prepared_by
    ),
    CONSTRAINT an_approval_is_not_applied_late CHECK (
        state <> 'applied' OR decided_at < expires_at
    )
);
CREATE INDEX approval_waiting ON approval (kind, expires_at) WHERE state = 'prepared';
REVOKE ALL ON approval FROM PUBLIC;
"""


async def forwards() -> MigrationManager:
    """Make the tables of oversight."""
    manager = MigrationManager(migration_id=ID, app_name="oversight", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(AUDIT_LOG + APPROVALS)

    manager.add_raw(run)
    return manager
