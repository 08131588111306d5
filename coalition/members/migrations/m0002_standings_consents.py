"""What a member is to the coalition for a time, and what the member has agreed to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Standings and consents, both as facts that are only added"

# `given_as` is the member of before a merge: such a copy stands behind the survivor's own facts.
# Rows are removed by the erasure of their member alone, and never changed.
STANDINGS = """
CREATE TABLE standing (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    no int4 NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    held bool NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    source text NOT NULL,
    made_at timestamptz NOT NULL,
    given_as uuid,
    PRIMARY KEY (bucket, member_id, no),
    CONSTRAINT a_standing_has_a_member FOREIGN KEY (bucket, member_id)
        REFERENCES member (bucket, id),
    CONSTRAINT a_standing_is_tier_plan_segment_or_flag
        CHECK (kind IN ('tier', 'plan', 'segment', 'flag')),
    CONSTRAINT a_standing_has_a_short_value CHECK (length(value) BETWEEN 1 AND 60),
    CONSTRAINT a_standing_holds_for_a_time CHECK (valid_until > valid_from),
    CONSTRAINT a_standing_names_its_source CHECK (length(source) BETWEEN 1 AND 100)
);
REVOKE UPDATE, TRUNCATE ON standing FROM CURRENT_USER;
"""

# Of consents the note alone can change: it is free text, which the erasure of the member blanks.
# What was agreed to and when stays as proof, under an id that then says nothing about anyone.
CONSENTS = """
CREATE TABLE consent (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    no int4 NOT NULL,
    purpose text NOT NULL,
    channel text,
    recipient_no int4,
    granted bool NOT NULL,
    text_version text NOT NULL,
    source text NOT NULL,
    through_partner_no int4,
    note text,
    given_at timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    given_as uuid,
    PRIMARY KEY (bucket, member_id, no),
    CONSTRAINT a_consent_has_a_member FOREIGN KEY (bucket, member_id)
        REFERENCES member (bucket, id),
    CONSTRAINT a_consent_has_a_short_purpose CHECK (purpose ~ '^[a-z][a-z0-9_]{0,39}$'),
    CONSTRAINT a_consent_is_for_a_known_channel
        CHECK (channel IN ('email', 'sms', 'push', 'post')),
    CONSTRAINT sharing_has_a_recipient CHECK ((purpose = 'sharing') = (recipient_no IS NOT NULL)),
    CONSTRAINT a_consent_names_its_text CHECK (length(text_version) BETWEEN 1 AND 60),
    CONSTRAINT a_consent_names_its_source CHECK (length(source) BETWEEN 1 AND 100),
    CONSTRAINT a_note_is_short CHECK (length(note) BETWEEN 1 AND 500),
    CONSTRAINT a_consent_is_not_of_the_future CHECK (given_at <= made_at)
);
REVOKE UPDATE, DELETE, TRUNCATE ON consent FROM CURRENT_USER;
GRANT UPDATE (note) ON consent TO CURRENT_USER;
"""

# The poster reads standings for earning rules. A tenant reads what members it knows have agreed to,
# but neither notes nor through whom, which would tell which other partners know the member.
RIGHTS = """
GRANT SELECT ON standing TO coalition_poster;
GRANT SELECT (bucket, member_id, no, purpose, channel, recipient_no, granted, text_version,
    given_at) ON consent TO coalition_tenant;
ALTER TABLE consent ENABLE ROW LEVEL SECURITY;
CREATE POLICY related_members_only ON consent TO coalition_tenant
    USING ((recipient_no IS NULL
            OR recipient_no = current_setting('coalition.partner_no')::int)
        AND EXISTS (
            SELECT FROM partner_member AS relation
            WHERE relation.bucket = consent.bucket
                AND relation.member_id = consent.member_id
                AND relation.partner_no = current_setting('coalition.partner_no')::int));
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="members", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(STANDINGS + CONSENTS + RIGHTS)

    manager.add_raw(run)
    return manager
