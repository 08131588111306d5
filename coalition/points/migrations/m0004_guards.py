"""Guard rules, what they count, and the cases that they open."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0004"
VERSION = "1.38.0"
DESCRIPTION = "Fraud guards of the till"

RULES = """
CREATE TABLE guard_rule (
    no int4 PRIMARY KEY,
    name text NOT NULL,
    version int4 NOT NULL,
    document text NOT NULL,
    active_from timestamptz NOT NULL,
    retired_at timestamptz,
    proposed_by text NOT NULL,
    approved_by text NOT NULL,
    retired_by text,
    CONSTRAINT a_guard_counts_its_versions UNIQUE (name, version),
    CONSTRAINT a_guard_number_is_positive CHECK (no >= 1 AND version >= 1),
    CONSTRAINT a_guard_needs_a_second_person
        CHECK (proposed_by <> approved_by OR proposed_by LIKE 'system:%'),
    CONSTRAINT a_retired_guard_names_who CHECK ((retired_at IS NULL) = (retired_by IS NULL))
);
CREATE UNIQUE INDEX a_guard_has_one_active_version ON guard_rule (name) WHERE retired_at IS NULL;
"""

# What was counted, by slot of time. Slot -1 is the head of a subject: it is locked before the slots
# are added up, so that two tills whose acts fall into different slots still come one after the
# other. Its `total` is the latest slot. Subjects are digests, spread by their own bucket.
COUNTS = """
CREATE TABLE guard_count (
    bucket int2 NOT NULL,
    rule_no int4 NOT NULL,
    subject uuid NOT NULL,
    slot int4 NOT NULL,
    total int8 NOT NULL,
    part int8 NOT NULL,
    PRIMARY KEY (bucket, rule_no, subject, slot),
    CONSTRAINT a_guard_counts_upwards CHECK (total >= 0 AND part >= 0)
) WITH (fillfactor = 70);

CREATE TABLE guard_sighting (
    bucket int2 NOT NULL,
    rule_no int4 NOT NULL,
    subject uuid NOT NULL,
    slot int4 NOT NULL,
    thing uuid NOT NULL,
    PRIMARY KEY (bucket, rule_no, subject, slot, thing)
);

CREATE TABLE guard_batch (
    id uuid PRIMARY KEY,
    counted_at timestamptz NOT NULL
);
"""

CASES = """
CREATE TABLE guard_case (
    id uuid PRIMARY KEY,
    rule_no int4 NOT NULL,
    subject text NOT NULL,
    member_id uuid,
    partner_no int4 NOT NULL,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    last_hit_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text,
    note text,
    CONSTRAINT a_case_has_a_rule FOREIGN KEY (rule_no) REFERENCES guard_rule (no),
    CONSTRAINT a_case_is_open_cleared_or_confirmed
        CHECK (state IN ('open', 'cleared', 'confirmed')),
    CONSTRAINT a_decided_case_names_who_and_why CHECK (
        (state = 'open') = (decided_at IS NULL)
        AND (decided_at IS NULL) = (decided_by IS NULL)
        AND (decided_at IS NULL) = (note IS NULL))
);
CREATE UNIQUE INDEX a_subject_has_one_open_case_of_a_rule ON guard_case (rule_no, subject)
    WHERE state = 'open';
CREATE INDEX cases_of_a_member ON guard_case (member_id);

CREATE TABLE guard_hit (
    case_id uuid NOT NULL,
    slot int4 NOT NULL,
    outcome text NOT NULL,
    seen_from timestamptz NOT NULL,
    seen_until timestamptz NOT NULL,
    reached int8 NOT NULL,
    most int8 NOT NULL,
    acts int4 NOT NULL,
    postings uuid[] NOT NULL,
    cashiers text[] NOT NULL,
    confirmed_by text[] NOT NULL,
    PRIMARY KEY (case_id, slot, outcome),
    CONSTRAINT a_hit_belongs_to_a_case FOREIGN KEY (case_id) REFERENCES guard_case (id),
    CONSTRAINT a_hit_has_a_known_outcome
        CHECK (outcome IN ('reported', 'frozen', 'asked', 'confirmed', 'refused'))
);
"""

# Numbers that an honest till hardly reaches. They only report; who wants them otherwise proposes
# another version under the same name.
SHIPPED = """
INSERT INTO guard_rule
    (no, name, version, document, active_from, proposed_by, approved_by)
SELECT row_number() OVER (ORDER BY place), document::jsonb ->> 'name', 1, document,
       timestamptz '2000-01-01 00:00:00+00', 'system:shipped', 'system:shipped'
FROM unnest(ARRAY[
    '{"name":"member-redemptions-hour","measure":"redemptions","subject":["member"],"window":{"hours":1},"most":5}',
    '{"name":"card-issues-hour","measure":"issues","subject":["card"],"window":{"hours":1},"most":6}',
    '{"name":"cashier-manual-points-day","measure":"manual_points","subject":["cashier"],"window":{"days":1},"most":5000}',
    '{"name":"cashier-to-one-member-week","measure":"issues","subject":["cashier","member"],"window":{"days":7},"most":10}',
    '{"name":"cashier-reversals-week","measure":"reversal_percent","subject":["cashier"],"window":{"days":7},"most":20,"at_least":20}',
    '{"name":"store-redemptions-minutes","measure":"redemptions","subject":["store"],"window":{"minutes":10},"most":300}',
    '{"name":"large-redemption","measure":"points_of_one_redemption","subject":["member"],"most":20000}',
    '{"name":"just-under-a-large-redemption","measure":"redemptions","subject":["member"],"window":{"days":7},"most":2,"points_from":18000,"points_to":20000}',
    '{"name":"member-many-stores-day","measure":"distinct_stores","subject":["member"],"window":{"days":1},"most":6}',
    '{"name":"duplicate-receipts-hour","measure":"duplicate_receipts","subject":["store"],"window":{"hours":1},"most":10}'
]) WITH ORDINALITY AS shipped (document, place);
"""

# The poster counts what it judges. Cases are the operator's: no partner reads them.
RIGHTS = """
GRANT SELECT ON guard_rule TO coalition_poster;
GRANT SELECT, INSERT ON guard_count TO coalition_poster;
GRANT UPDATE (total, part) ON guard_count TO coalition_poster;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="points", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(RULES + COUNTS + CASES + SHIPPED + RIGHTS)

    manager.add_raw(run)
    return manager
