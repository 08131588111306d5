"""Earning rules as versioned documents, and what single members earn beyond them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Rule versions and earning bonuses"

# The document is canonical JSON text, so that what was approved can be compared byte for byte.
RULE_VERSIONS = """
CREATE TABLE rule_version (
    no int4 PRIMARY KEY,
    root_no int4 NOT NULL,
    code text NOT NULL,
    version int4 NOT NULL,
    document text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT a_rules_versions_are_counted UNIQUE (code, version),
    CONSTRAINT a_first_version_is_its_own_root CHECK (
        (version = 1) = (root_no = no) AND version >= 1),
    CONSTRAINT a_rule_ends_after_it_begins CHECK (valid_until >= valid_from),
    CONSTRAINT a_rule_is_never_retroactive CHECK (valid_from >= made_at),
    CONSTRAINT a_rule_takes_two_persons CHECK (prepared_by <> approved_by)
);
REVOKE UPDATE, DELETE, TRUNCATE ON rule_version FROM CURRENT_USER;
GRANT SELECT ON rule_version TO coalition_poster;
"""

# The source names what the bonus was given for, once per member, so that giving it twice is giving
# it once. What is set later is only that it ended before its time.
EARNING_BONUSES = """
CREATE TABLE earning_bonus (
    bucket int2 NOT NULL,
    holder uuid NOT NULL,
    source text NOT NULL,
    kind text NOT NULL,
    factor numeric(10, 6),
    points int4,
    partner_no int4,
    category text,
    funding text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    ended_at timestamptz,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, holder, source),
    CONSTRAINT a_bonus_has_a_holder FOREIGN KEY (bucket, holder) REFERENCES holder (bucket, id),
    CONSTRAINT a_bonus_multiplies_or_adds CHECK (
        (kind = 'multiplier' AND factor > 1 AND points IS NULL)
        OR (kind = 'extra' AND points > 0 AND factor IS NULL)),
    CONSTRAINT a_bonus_ends_after_it_begins CHECK (valid_until > valid_from)
);
GRANT SELECT ON earning_bonus TO coalition_poster;
REVOKE UPDATE, TRUNCATE ON earning_bonus FROM CURRENT_USER;
GRANT UPDATE (ended_at) ON earning_bonus TO CURRENT_USER;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="points", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(RULE_VERSIONS)
            await connection.execute(EARNING_BONUSES)

    manager.add_raw(run)
    return manager
