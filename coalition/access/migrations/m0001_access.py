"""Clients, their credentials, signing keys, used assertions and revoked tokens."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Clients and tokens"

# The partner stands in every tenant row, also where the client would tell it, so that row-level
# security needs no join; the foreign key keeps the two in agreement.
CLIENTS = """
CREATE TABLE client (
    no int4 PRIMARY KEY,
    client_id text NOT NULL,
    partner_no int4 NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    store_no int4,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT a_client_number_is_positive CHECK (no >= 1),
    CONSTRAINT a_client_id_names_one_client UNIQUE (client_id),
    CONSTRAINT a_client_is_numbered_with_its_partner UNIQUE (no, partner_no),
    CONSTRAINT a_client_belongs_to_a_partner FOREIGN KEY (partner_no) REFERENCES partner (no),
    CONSTRAINT a_till_belongs_to_a_store FOREIGN KEY (store_no) REFERENCES store (no),
    CONSTRAINT a_client_has_a_name CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT a_client_has_a_scope CHECK (cardinality(scopes) >= 1),
    CONSTRAINT a_client_is_active_or_revoked CHECK (state IN ('active', 'revoked')),
    CONSTRAINT a_revoked_client_has_its_time CHECK ((state = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE INDEX client_of_partner ON client (partner_no);
CREATE INDEX client_revoked ON client (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE client_secret (
    id uuid PRIMARY KEY,
    client_no int4 NOT NULL,
    partner_no int4 NOT NULL,
    hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT a_secret_belongs_to_a_client
        FOREIGN KEY (client_no, partner_no) REFERENCES client (no, partner_no),
    CONSTRAINT a_secret_is_kept_as_32_bytes_of_hash CHECK (octet_length(hash) = 32),
    CONSTRAINT a_secret_expires_after_it_is_made CHECK (expires_at > created_at)
);
CREATE INDEX client_secret_of_client ON client_secret (client_no);

CREATE TABLE client_key (
    id uuid PRIMARY KEY,
    client_no int4 NOT NULL,
    partner_no int4 NOT NULL,
    kid text NOT NULL,
    algorithm text NOT NULL,
    public_key bytea NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT a_key_belongs_to_a_client
        FOREIGN KEY (client_no, partner_no) REFERENCES client (no, partner_no),
    CONSTRAINT a_client_has_one_key_of_a_name UNIQUE (client_no, kid),
    CONSTRAINT a_key_has_a_name_of_1_to_200_signs CHECK (length(kid) BETWEEN 1 AND 200),
    CONSTRAINT a_key_is_for_a_known_algorithm CHECK (algorithm IN ('EdDSA', 'ES256', 'RS256'))
);
"""

# Whether a key is next, active or retired follows from its times, so no job has to turn it over at
# the right second: it is published from created_at, signs from signs_from until a later one does,
# and what it signed is good until trusted_until.
TOKENS = """
CREATE TABLE signing_key (
    kid text PRIMARY KEY,
    public_key bytea NOT NULL,
    private_key bytea,
    created_at timestamptz NOT NULL,
    signs_from timestamptz NOT NULL,
    trusted_until timestamptz,
    CONSTRAINT a_signing_key_is_published_before_it_signs CHECK (signs_from >= created_at),
    CONSTRAINT an_ed25519_public_key_has_32_bytes CHECK (octet_length(public_key) = 32),
    CONSTRAINT a_signing_key_without_private_half_is_over CHECK (
        private_key IS NOT NULL OR trusted_until IS NOT NULL
    )
);

CREATE TABLE client_assertion (
    client_no int4 NOT NULL,
    digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_no, digest),
    CONSTRAINT an_assertion_is_used_by_a_client FOREIGN KEY (client_no) REFERENCES client (no)
);

CREATE TABLE revocation (
    token_id text PRIMARY KEY,
    client_no int4 NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT a_revoked_token_was_a_clients FOREIGN KEY (client_no) REFERENCES client (no)
);
CREATE INDEX revocation_ended ON revocation (expires_at);
"""

# A partner may see its clients and which credentials they have, never a hash; the other tables are
# closed to it: row-level security without a policy shows nothing even if a grant slips in.
RIGHTS = """
REVOKE ALL ON client, client_secret, client_key, signing_key, client_assertion, revocation
    FROM PUBLIC;
GRANT SELECT ON client, client_key TO coalition_tenant;
GRANT SELECT (id, client_no, partner_no, created_at, expires_at, revoked_at)
    ON client_secret TO coalition_tenant;
ALTER TABLE client ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON client TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER TABLE client_secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON client_secret TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER TABLE client_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON client_key TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER TABLE signing_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE client_assertion ENABLE ROW LEVEL SECURITY;
ALTER TABLE revocation ENABLE ROW LEVEL SECURITY;
"""


async def forwards() -> MigrationManager:
    """Make the tables of access."""
    manager = MigrationManager(migration_id=ID, app_name="access", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(CLIENTS + TOKENS + RIGHTS)

    manager.add_raw(run)
    return manager
