"""Members, their keys and sealed personal data, the index of contacts, the relation to partners."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "People, apart from the points they hold"

# Erasing a person deletes the rows of contact_index, partner_member, personal_data and member_key;
# what stays is the random id of `member`, which the ledger refers to and which then says nothing
# about anyone.
MEMBERS = """
CREATE TABLE member (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    state text NOT NULL,
    state_since timestamptz NOT NULL,
    enrolled_by int4 NOT NULL,
    enrolled_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_member_lives_in_one_of_1024_buckets CHECK (bucket BETWEEN 0 AND 1023),
    CONSTRAINT a_member_is_active_frozen_or_closed CHECK (state IN ('active', 'frozen', 'closed'))
);

CREATE TABLE member_key (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    wrapped_key bytea NOT NULL,
    PRIMARY KEY (bucket, member_id),
    CONSTRAINT a_key_has_a_member FOREIGN KEY (bucket, member_id) REFERENCES member (bucket, id),
    CONSTRAINT a_wrapped_key_is_nonce_key_and_tag CHECK (octet_length(wrapped_key) = 60)
);

CREATE TABLE personal_data (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    version int4 NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    PRIMARY KEY (bucket, member_id),
    CONSTRAINT personal_data_has_a_key FOREIGN KEY (bucket, member_id)
        REFERENCES member_key (bucket, member_id),
    CONSTRAINT versions_of_personal_data_count_from_one CHECK (version >= 1),
    CONSTRAINT a_nonce_has_96_bits CHECK (octet_length(nonce) = 12),
    CONSTRAINT personal_data_carries_its_tag CHECK (octet_length(ciphertext) >= 16)
);
"""

# The bucket of a contact comes from its own digest, not from the member: a card or an address
# belongs to one member among all. So it can hold no foreign key to `member`.
CONTACTS = """
CREATE TABLE contact_index (
    bucket int2 NOT NULL,
    digest bytea NOT NULL,
    kind text NOT NULL,
    member_id uuid NOT NULL,
    CONSTRAINT a_contact_belongs_to_one_member PRIMARY KEY (bucket, digest),
    CONSTRAINT a_contact_lives_in_one_of_1024_buckets CHECK (bucket BETWEEN 0 AND 1023),
    CONSTRAINT a_digest_has_128_bits CHECK (octet_length(digest) = 16),
    CONSTRAINT a_contact_is_card_email_or_phone CHECK (kind IN ('card', 'email', 'phone'))
);
CREATE INDEX contacts_of_a_member ON contact_index (member_id);

CREATE TABLE partner_member (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    partner_no int4 NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, partner_no),
    CONSTRAINT a_relation_has_a_member FOREIGN KEY (bucket, member_id)
        REFERENCES member (bucket, id)
);
"""

# A tenant finds any member by exact value, but reads personal data only of those it has a relation
# to, and never learns who else has one. The poster resolves cards and adds relations, nothing more.
RIGHTS = """
GRANT SELECT (bucket, id, state, state_since) ON member TO coalition_tenant;
GRANT SELECT ON contact_index, partner_member, personal_data, member_key TO coalition_tenant;
GRANT SELECT ON contact_index, partner_member TO coalition_poster;
GRANT INSERT ON partner_member TO coalition_poster;

ALTER TABLE partner_member ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON partner_member TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON partner_member TO coalition_poster USING (true) WITH CHECK (true);

ALTER TABLE personal_data ENABLE ROW LEVEL SECURITY;
CREATE POLICY related_members_only ON personal_data TO coalition_tenant
    USING (EXISTS (
        SELECT FROM partner_member AS relation
        WHERE relation.bucket = personal_data.bucket
            AND relation.member_id = personal_data.member_id
            AND relation.partner_no = current_setting('coalition.partner_no')::int));
ALTER TABLE member_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY related_members_only ON member_key TO coalition_tenant
    USING (EXISTS (
        SELECT FROM partner_member AS relation
        WHERE relation.bucket = member_key.bucket
            AND relation.member_id = member_key.member_id
            AND relation.partner_no = current_setting('coalition.partner_no')::int));
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="members", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(MEMBERS + CONTACTS + RIGHTS)

    manager.add_raw(run)
    return manager
