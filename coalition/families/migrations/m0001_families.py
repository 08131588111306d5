"""Rule sets, groups and who belongs to them, transfers, and what was used of limits."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Groups that pool points and members that move them"

# The document is canonical JSON text, so that what was approved can be compared byte for byte. A
# version holds from `valid_from` until the next one does; an earlier one is never changed.
RULE_SETS = """
CREATE TABLE rule_set (
    no int4 PRIMARY KEY,
    name text NOT NULL,
    CONSTRAINT a_rule_set_has_a_name_of_its_own UNIQUE (name),
    CONSTRAINT a_rule_set_number_is_positive CHECK (no >= 1)
);

CREATE TABLE rule_set_version (
    rule_set_no int4 NOT NULL REFERENCES rule_set (no),
    version int4 NOT NULL,
    document text NOT NULL,
    valid_from timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (rule_set_no, version),
    CONSTRAINT versions_of_a_rule_set_count_from_one CHECK (version >= 1),
    CONSTRAINT a_rule_set_is_never_retroactive CHECK (valid_from >= made_at),
    CONSTRAINT a_rule_set_takes_two_persons CHECK (prepared_by <> approved_by)
);

-- What acts run under: `p2p` is the rule set of transfers between members who share no group with
-- rules for them; any other kind is a kind of group. The last row that holds counts.
CREATE TABLE rule_binding (
    no int4 PRIMARY KEY,
    kind text NOT NULL,
    rule_set_no int4 REFERENCES rule_set (no),
    valid_from timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT a_kind_is_a_word CHECK (kind ~ '^[a-z][a-z0-9_-]{0,39}$'),
    CONSTRAINT a_binding_is_never_retroactive CHECK (valid_from >= made_at),
    CONSTRAINT a_binding_takes_two_persons CHECK (prepared_by <> approved_by)
);
REVOKE UPDATE, DELETE, TRUNCATE ON rule_set, rule_set_version, rule_binding FROM CURRENT_USER;
GRANT UPDATE (no) ON rule_set TO CURRENT_USER;
"""

# A group lives in the bucket of its own random id. What its members need to be found by, and locked
# with, lies in theirs (`group_of_member`), with whether its members spend or earn for each other at
# the till (`shares`). `pool` is the ledger's holder of a pool's account.
# `turns_adult_on` is the eighteenth birthday of who joined younger than some rule asks: birth dates
# are sealed, and a job has to find who has grown up.
GROUPS = """
CREATE TABLE family_group (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    rule_set_no int4 NOT NULL,
    rule_version int4 NOT NULL,
    currency_no int2 NOT NULL,
    head uuid NOT NULL,
    pool uuid,
    state text NOT NULL,
    formed_at timestamptz NOT NULL,
    change_session_at timestamptz,
    closed_at timestamptz,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_group_lives_in_one_of_1024_buckets CHECK (bucket BETWEEN 0 AND 1023),
    CONSTRAINT a_group_is_active_separating_or_closed
        CHECK (state IN ('active', 'separating', 'closed')),
    CONSTRAINT only_a_closed_group_has_closed CHECK ((state = 'closed') = (closed_at IS NOT NULL))
);

CREATE TABLE group_member (
    bucket int2 NOT NULL,
    group_id uuid NOT NULL,
    no int4 NOT NULL,
    member_id uuid,
    nominee bytea,
    role text NOT NULL,
    kind text NOT NULL,
    future_percent int2 NOT NULL,
    may_spend bool NOT NULL,
    joined_at timestamptz NOT NULL,
    turns_adult_on date,
    left_at timestamptz,
    leaving text,
    took int8,
    PRIMARY KEY (bucket, group_id, no),
    CONSTRAINT a_place_belongs_to_a_group
        FOREIGN KEY (bucket, group_id) REFERENCES family_group (bucket, id),
    CONSTRAINT a_place_is_of_a_member_or_of_a_nominee
        CHECK ((member_id IS NULL) = (kind = 'nominee')),
    CONSTRAINT a_place_has_a_known_kind CHECK (kind IN ('adult', 'minor', 'infant', 'nominee')),
    CONSTRAINT a_share_of_earnings_is_a_percentage CHECK (future_percent BETWEEN 0 AND 100),
    CONSTRAINT nobody_leaves_before_joining CHECK (left_at >= joined_at),
    CONSTRAINT whoever_left_did_so_for_a_reason CHECK ((left_at IS NULL) = (leaving IS NULL)),
    CONSTRAINT only_who_has_left_took_something
        CHECK (took IS NULL OR (took >= 0 AND left_at IS NOT NULL))
);
CREATE UNIQUE INDEX a_member_belongs_to_a_group_once
    ON group_member (bucket, group_id, member_id) WHERE left_at IS NULL;
CREATE INDEX places_of_the_young
    ON group_member (turns_adult_on) WHERE left_at IS NULL AND turns_adult_on IS NOT NULL;
CREATE INDEX places_of_minors
    ON group_member (turns_adult_on) WHERE left_at IS NULL AND kind = 'minor';
CREATE INDEX places_of_infants
    ON group_member (turns_adult_on) WHERE left_at IS NULL AND kind = 'infant';

CREATE TABLE group_of_member (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    group_id uuid NOT NULL,
    no int4 NOT NULL,
    kind text NOT NULL,
    shares bool NOT NULL,
    joined_at timestamptz NOT NULL,
    left_at timestamptz,
    PRIMARY KEY (bucket, member_id, group_id, no),
    CONSTRAINT a_membership_of_a_group_has_a_holder
        FOREIGN KEY (bucket, member_id) REFERENCES holder (bucket, id)
);

CREATE TABLE invitation (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    group_id uuid NOT NULL,
    member_id uuid NOT NULL,
    role text NOT NULL,
    kind text NOT NULL,
    future_percent int2 NOT NULL,
    relationship text,
    invited_by uuid NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    guardian_accepted_at timestamptz,
    state text NOT NULL,
    PRIMARY KEY (bucket, id),
    CONSTRAINT an_invitation_is_into_a_group
        FOREIGN KEY (bucket, group_id) REFERENCES family_group (bucket, id),
    CONSTRAINT an_invitation_is_open_or_done
        CHECK (state IN ('open', 'joined', 'declined', 'withdrawn', 'expired')),
    CONSTRAINT an_invitation_has_an_end CHECK (expires_at > made_at)
);
CREATE UNIQUE INDEX a_member_is_invited_once
    ON invitation (bucket, group_id, member_id) WHERE state = 'open';
CREATE INDEX invitations_of_a_member ON invitation (member_id) WHERE state = 'open';

CREATE TABLE separation (
    bucket int2 NOT NULL,
    group_id uuid NOT NULL,
    no int4 NOT NULL,
    member_id uuid NOT NULL,
    begun_at timestamptz NOT NULL,
    begun_by text NOT NULL,
    head_wants text,
    member_wants text,
    outcome text,
    settled_at timestamptz,
    settled_by text,
    PRIMARY KEY (bucket, group_id, no),
    CONSTRAINT a_separation_is_of_a_group
        FOREIGN KEY (bucket, group_id) REFERENCES family_group (bucket, id),
    CONSTRAINT a_separation_has_a_known_outcome CHECK (outcome IN ('leave', 'close', 'stay')),
    CONSTRAINT a_separation_is_settled_by_somebody
        CHECK (num_nulls(outcome, settled_at, settled_by) IN (0, 3))
);
CREATE UNIQUE INDEX a_group_is_separated_once
    ON separation (bucket, group_id) WHERE outcome IS NULL;

CREATE TABLE guardianship (
    bucket int2 NOT NULL,
    minor uuid NOT NULL,
    guardian uuid NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz,
    source text NOT NULL,
    turns_adult_on date,
    frozen_at timestamptz,
    PRIMARY KEY (bucket, minor, guardian, since),
    CONSTRAINT a_minor_has_a_holder FOREIGN KEY (bucket, minor) REFERENCES holder (bucket, id),
    CONSTRAINT nobody_guards_itself CHECK (minor <> guardian),
    CONSTRAINT a_guardianship_ends_after_it_began CHECK (until >= since)
);
CREATE INDEX minors_of_a_guardian ON guardianship (guardian) WHERE until IS NULL;
CREATE INDEX guardianships_that_end ON guardianship (turns_adult_on) WHERE until IS NULL;

CREATE TABLE relationship (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    other_id uuid NOT NULL,
    relationship text NOT NULL,
    declared_at timestamptz NOT NULL,
    evidence_asked_at timestamptz,
    proved_at timestamptz,
    PRIMARY KEY (bucket, member_id, other_id),
    CONSTRAINT a_relationship_has_a_holder
        FOREIGN KEY (bucket, member_id) REFERENCES holder (bucket, id)
);
"""

# A transfer lives with its sender, and begins with what it reserves there. `posting` is the half
# that left. States are told as facts in `transfer_event`; the row has the last of them.
TRANSFERS = """
CREATE TABLE transfer (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    sender uuid NOT NULL,
    receiver uuid NOT NULL,
    requested_by text NOT NULL,
    group_id uuid,
    rule_set_no int4 NOT NULL,
    rule_version int4 NOT NULL,
    currency_no int2 NOT NULL,
    points int4 NOT NULL,
    fee_points int4 NOT NULL,
    fee_minor int8 NOT NULL,
    fee_currency text,
    fee_paid_at timestamptz,
    purpose text,
    channel text NOT NULL,
    device bytea,
    state text NOT NULL,
    requested_at timestamptz NOT NULL,
    day date NOT NULL,
    expires_at timestamptz,
    hold_hours int4 NOT NULL,
    held_until timestamptz,
    undo_hours int4 NOT NULL,
    undo_until timestamptz,
    hold uuid,
    posting uuid,
    fee_posting uuid,
    undone_by uuid,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_transfer_has_a_sender FOREIGN KEY (bucket, sender) REFERENCES holder (bucket, id),
    CONSTRAINT a_transfer_moves_points CHECK (points > 0),
    CONSTRAINT a_fee_is_never_negative CHECK (fee_points >= 0 AND fee_minor >= 0),
    CONSTRAINT a_fee_in_money_has_a_currency CHECK ((fee_minor > 0) = (fee_currency IS NOT NULL)),
    CONSTRAINT nobody_sends_to_itself CHECK (sender <> receiver),
    CONSTRAINT a_transfer_has_a_known_state CHECK (state IN ('requested', 'approved',
        'awaiting_payment', 'held', 'completed', 'rejected', 'undone', 'expired')),
    CONSTRAINT what_has_moved_has_a_posting
        CHECK ((state IN ('completed', 'undone')) = (posting IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX transfers_of_a_sender ON transfer (bucket, sender, id);
CREATE INDEX transfers_to_a_receiver ON transfer (receiver, id);
CREATE INDEX transfers_that_wait ON transfer (least(expires_at, held_until))
    WHERE state IN ('requested', 'awaiting_payment', 'held');

CREATE TABLE transfer_event (
    bucket int2 NOT NULL,
    transfer uuid NOT NULL,
    no int4 NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    reason text,
    PRIMARY KEY (bucket, transfer, no),
    CONSTRAINT an_event_belongs_to_a_transfer
        FOREIGN KEY (bucket, transfer) REFERENCES transfer (bucket, id)
);

CREATE TABLE transfer_approval (
    bucket int2 NOT NULL,
    transfer uuid NOT NULL,
    approver text NOT NULL,
    member_id uuid,
    given_at timestamptz,
    given_by text,
    PRIMARY KEY (bucket, transfer, approver),
    CONSTRAINT an_approval_belongs_to_a_transfer
        FOREIGN KEY (bucket, transfer) REFERENCES transfer (bucket, id),
    CONSTRAINT an_approver_is_known CHECK (approver IN ('receiver', 'guardian', 'head', 'staff')),
    CONSTRAINT an_approval_is_given_by_somebody CHECK ((given_at IS NULL) = (given_by IS NULL))
);
CREATE INDEX approvals_that_wait ON transfer_approval (member_id) WHERE given_at IS NULL;

CREATE TABLE known_device (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    device bytea NOT NULL,
    first_seen_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, device),
    CONSTRAINT a_device_has_a_holder FOREIGN KEY (bucket, member_id) REFERENCES holder (bucket, id)
);
"""

# One row per subject, its side, the event, the other member and the local day, and one under the
# first day of all for the whole time. A window sums a few of them.
USAGE = """
CREATE TABLE family_usage (
    bucket int2 NOT NULL,
    subject uuid NOT NULL,
    side text NOT NULL,
    event text NOT NULL,
    day date NOT NULL,
    other uuid NOT NULL,
    amount int8 NOT NULL,
    times int4 NOT NULL,
    PRIMARY KEY (bucket, subject, side, event, day, other),
    CONSTRAINT usage_is_never_negative CHECK (amount >= 0 AND times >= 0),
    CONSTRAINT usage_has_a_known_side CHECK (side IN ('sender', 'receiver', 'member', 'group'))
) WITH (fillfactor = 80);
"""

# Tills ask who spends together and count what rules limit of that; they lock a group by its id,
# which stays as it is. All else is written by families themselves, as the owner.
RIGHTS = """
GRANT SELECT ON rule_set, rule_set_version, rule_binding, family_group, group_member,
    group_of_member, guardianship, family_usage TO coalition_poster;
GRANT INSERT ON family_usage TO coalition_poster;
GRANT UPDATE (amount, times) ON family_usage TO coalition_poster;
GRANT UPDATE (id) ON family_group TO coalition_poster;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="families", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (RULE_SETS, GROUPS, TRANSFERS, USAGE, RIGHTS):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
