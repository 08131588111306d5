"""Members sign in: their logins, how often somebody tried, and the staff who see families."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0004"
VERSION = "1.38.0"
DESCRIPTION = "Logins of members"

# Attempts are counted per address whether or not there is a login for it, so that being made to
# wait tells nothing of who is a member. Members live above, so no foreign key leads to them.
LOGINS = """
CREATE TABLE login (
    id uuid PRIMARY KEY,
    email_digest bytea NOT NULL,
    member_id uuid NOT NULL,
    password_hash text,
    password_set_at timestamptz,
    code_digest bytea,
    code_ends_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT an_address_has_one_login UNIQUE (email_digest),
    CONSTRAINT a_member_has_one_login UNIQUE (member_id),
    CONSTRAINT a_code_opens_one_login UNIQUE (code_digest),
    CONSTRAINT a_login_is_kept_under_16_bytes_of_digest CHECK (octet_length(email_digest) = 16),
    CONSTRAINT a_password_is_kept_as_argon2id CHECK (password_hash LIKE '$argon2id$%'),
    CONSTRAINT a_password_has_its_time CHECK (
        (password_hash IS NULL) = (password_set_at IS NULL)
    ),
    CONSTRAINT a_code_is_kept_as_32_bytes_of_hash CHECK (octet_length(code_digest) = 32),
    CONSTRAINT a_code_has_its_end CHECK ((code_digest IS NULL) = (code_ends_at IS NULL))
);

CREATE TABLE sign_in_attempt (
    email_digest bytea PRIMARY KEY,
    failures int4 NOT NULL,
    last_at timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL,
    CONSTRAINT attempts_are_counted_from_one CHECK (failures >= 1)
);
CREATE INDEX sign_in_attempt_over ON sign_in_attempt (last_at);

ALTER TABLE revocation ALTER COLUMN client_no DROP NOT NULL;

REVOKE ALL ON login, sign_in_attempt FROM PUBLIC;
ALTER TABLE login ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_attempt ENABLE ROW LEVEL SECURITY;
"""

SCOPES = """
ALTER TABLE client
    DROP CONSTRAINT a_client_holds_scopes_of_its_side,
    ADD CONSTRAINT a_client_holds_scopes_of_its_side CHECK (
        NOT 'member' = ANY (scopes) AND CASE partner_no
            WHEN 0 THEN scopes <@ ARRAY['settlement:read', 'settlement:prepare',
                'settlement:approve', 'audit:read', 'rules:read', 'rules:prepare', 'rules:approve',
                'families:read', 'families:decide']
            ELSE NOT scopes && ARRAY['settlement:read', 'settlement:prepare',
                'settlement:approve', 'audit:read', 'rules:read', 'rules:prepare', 'rules:approve',
                'families:read', 'families:decide']
        END
    );
"""


async def forwards() -> MigrationManager:
    """Make the tables of logins, and let clients of the operator see and decide of families."""
    manager = MigrationManager(migration_id=ID, app_name="access", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(LOGINS + SCOPES)

    manager.add_raw(run)
    return manager
