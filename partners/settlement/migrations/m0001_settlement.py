"""Periods, what was drained into them, statements, clearing."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Settlement"

# Partner 0 is the operator. Periods of a partner follow each other without a gap: each is written
# once, by the contract in force when it begins, and never changed; so a new calendar takes effect
# with the next one.
PERIODS = """
CREATE TABLE settlement_period (
    partner_no int4 NOT NULL,
    no int4 NOT NULL,
    name text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    cut_off_at timestamptz NOT NULL,
    calendar text NOT NULL,
    timezone text NOT NULL,
    PRIMARY KEY (partner_no, no),
    CONSTRAINT a_period_is_named_once_per_partner UNIQUE (name, partner_no),
    CONSTRAINT a_period_number_is_positive CHECK (no >= 1),
    CONSTRAINT a_period_ends_after_it_starts CHECK (ends_at > starts_at),
    CONSTRAINT a_cut_off_is_not_before_the_end CHECK (cut_off_at >= ends_at)
);
CREATE INDEX settlement_period_by_end ON settlement_period (ends_at);
REVOKE UPDATE, DELETE, TRUNCATE ON settlement_period FROM CURRENT_USER;
GRANT UPDATE (no) ON settlement_period TO CURRENT_USER;

CREATE TABLE settlement_shard (
    no int2 PRIMARY KEY,
    CONSTRAINT a_settlement_shard_is_one_of_16 CHECK (no BETWEEN 0 AND 15)
);
INSERT INTO settlement_shard SELECT generate_series(0, 15);

CREATE TABLE first_open (
    shard int2 NOT NULL,
    partner_no int4 NOT NULL,
    period_no int4 NOT NULL,
    PRIMARY KEY (shard, partner_no),
    FOREIGN KEY (partner_no, period_no) REFERENCES settlement_period (partner_no, no)
) WITH (fillfactor = 70);
"""

# A drain turns the moves of points in some batches of one shard into money, once. Moves that no
# price can tell apart lie together in a block: posting ids and points, twenty bytes each, in the
# order of ids. A tariff is what charges have in common that are priced and settled alike; a block
# counts for each tariff that `block_tariff` ties it to, with amount = points x unit price, exactly.
# Ids do not compress, and a page reads a slice of what is stored plain. Who unpacks a block reads
# it whole once (`|| ''`): asked for by the posting, it would be fetched again for each.
DRAINS = """
CREATE TABLE drain (
    id uuid PRIMARY KEY,
    shard int2 NOT NULL REFERENCES settlement_shard (no),
    made_at timestamptz NOT NULL,
    postings int4 NOT NULL
);

CREATE TABLE drained (
    shard int2 NOT NULL,
    batch uuid NOT NULL,
    drain uuid NOT NULL REFERENCES drain (id),
    CONSTRAINT a_batch_is_drained_once_per_shard PRIMARY KEY (shard, batch)
);
CREATE INDEX drained_by_drain ON drained (drain);

CREATE TABLE tariff (
    id uuid PRIMARY KEY,
    partner_no int4 NOT NULL,
    period_no int4 NOT NULL,
    origin_no int4 NOT NULL,
    kind int2 NOT NULL,
    contract_no int4 NOT NULL,
    currency text NOT NULL,
    vat_code text NOT NULL,
    vat_rate numeric(9, 6) NOT NULL,
    unit_price numeric(30, 12) NOT NULL,
    counts_points bool NOT NULL,
    CONSTRAINT a_tariff_is_written_once UNIQUE
        (partner_no, period_no, origin_no, kind, contract_no, currency, unit_price, counts_points),
    FOREIGN KEY (partner_no, period_no) REFERENCES settlement_period (partner_no, no),
    FOREIGN KEY (partner_no, origin_no) REFERENCES settlement_period (partner_no, no),
    CONSTRAINT a_charge_has_a_known_kind CHECK (kind BETWEEN 1 AND 8),
    CONSTRAINT nothing_is_settled_before_it_happened CHECK (origin_no <= period_no),
    CONSTRAINT a_vat_rate_is_a_rate CHECK (vat_rate >= 0 AND vat_rate < 1)
);

CREATE TABLE tariff_total (
    tariff uuid NOT NULL REFERENCES tariff (id),
    shard int2 NOT NULL,
    points int8 NOT NULL,
    charges int8 NOT NULL,
    PRIMARY KEY (tariff, shard)
) WITH (fillfactor = 70);

CREATE TABLE block (
    drain uuid NOT NULL REFERENCES drain (id),
    no int4 NOT NULL,
    postings int4 NOT NULL,
    points int8 NOT NULL,
    moves bytea NOT NULL,
    PRIMARY KEY (drain, no),
    CONSTRAINT a_move_takes_twenty_bytes CHECK (octet_length(moves) = 20 * postings)
);

ALTER TABLE block ALTER COLUMN moves SET STORAGE EXTERNAL;

CREATE TABLE block_tariff (
    tariff uuid NOT NULL REFERENCES tariff (id),
    drain uuid NOT NULL,
    no int4 NOT NULL,
    PRIMARY KEY (tariff, drain, no),
    FOREIGN KEY (drain, no) REFERENCES block (drain, no)
);
CREATE INDEX block_tariff_by_drain ON block_tariff (drain, no);

CREATE TABLE drain_digest (
    partner_no int4 NOT NULL,
    period_no int4 NOT NULL,
    drain uuid NOT NULL REFERENCES drain (id),
    digest bytea NOT NULL,
    PRIMARY KEY (partner_no, period_no, drain),
    CONSTRAINT a_digest_has_32_bytes CHECK (octet_length(digest) = 32)
);

CREATE VIEW charge AS
SELECT block_tariff.tariff, block_tariff.drain, block_tariff.no AS block,
       encode(substring(whole.moves FROM step * 20 + 1 FOR 16), 'hex')::uuid AS posting,
       ('x' || encode(substring(whole.moves FROM step * 20 + 17 FOR 4), 'hex'))::bit(32)::int4
           AS points
FROM block_tariff
JOIN block ON block.drain = block_tariff.drain AND block.no = block_tariff.no
CROSS JOIN LATERAL (SELECT block.moves || ''::bytea AS moves OFFSET 0) AS whole
CROSS JOIN LATERAL generate_series(0, block.postings - 1) AS step;

REVOKE UPDATE, DELETE, TRUNCATE ON drain, drained, tariff, block, block_tariff, drain_digest
    FROM CURRENT_USER;
GRANT UPDATE (id) ON drain, tariff TO CURRENT_USER;
GRANT UPDATE (no) ON block TO CURRENT_USER;
"""

# Manual adjustments of money, by two persons, in the open period of their day. They belong to no
# shard: sealing counts them under the lock of the statement.
ADJUSTMENTS = """
CREATE TABLE settlement_adjustment (
    id uuid PRIMARY KEY,
    partner_no int4 NOT NULL,
    period_no int4 NOT NULL,
    origin_no int4 NOT NULL,
    contract_no int4 NOT NULL,
    currency text NOT NULL,
    vat_code text NOT NULL,
    vat_rate numeric(9, 6) NOT NULL,
    amount_minor int8 NOT NULL,
    reason text NOT NULL,
    statement_line uuid,
    made_at timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    FOREIGN KEY (partner_no, period_no) REFERENCES settlement_period (partner_no, no),
    FOREIGN KEY (partner_no, origin_no) REFERENCES settlement_period (partner_no, no),
    CONSTRAINT an_adjustment_is_of_some_money CHECK (amount_minor <> 0),
    CONSTRAINT an_adjustment_of_money_has_two_persons CHECK (prepared_by <> approved_by)
);
CREATE INDEX settlement_adjustment_of_a_period ON settlement_adjustment (partner_no, period_no);
REVOKE UPDATE, DELETE, TRUNCATE ON settlement_adjustment FROM CURRENT_USER;
"""

# A statement row is made when its period is sealed; before that the statement is live only. What
# is frozen at the close is never changed: lines, totals, control totals and digest.
STATEMENTS = """
CREATE TABLE statement (
    id uuid PRIMARY KEY,
    partner_no int4 NOT NULL,
    period_no int4 NOT NULL,
    state text NOT NULL,
    sealed_at timestamptz,
    closed_at timestamptz,
    approved_at timestamptz,
    closed_by text,
    approved_by text,
    number int8,
    charges int8,
    digest bytea,
    CONSTRAINT a_period_has_one_statement UNIQUE (partner_no, period_no),
    CONSTRAINT a_statement_number_is_used_once UNIQUE (number),
    FOREIGN KEY (partner_no, period_no) REFERENCES settlement_period (partner_no, no),
    CONSTRAINT a_statement_state_is_known
        CHECK (state IN ('cut_off', 'provisional', 'closed', 'approved', 'paid')),
    CONSTRAINT a_closed_statement_has_two_persons
        CHECK (closed_by IS NULL OR closed_by <> approved_by),
    CONSTRAINT what_is_closed_is_frozen_whole CHECK (
        (state IN ('closed', 'approved', 'paid')) = (closed_at IS NOT NULL)
        AND (closed_at IS NULL) = (number IS NULL)
        AND (closed_at IS NULL) = (charges IS NULL)
        AND (closed_at IS NULL) = (digest IS NULL)
        AND (closed_at IS NULL) = (closed_by IS NULL)
        AND (closed_at IS NULL) = (approved_by IS NULL))
);

CREATE TABLE statement_line (
    id uuid PRIMARY KEY,
    statement uuid NOT NULL REFERENCES statement (id),
    no int4 NOT NULL,
    partner_no int4 NOT NULL,
    kind int2 NOT NULL,
    contract_no int4 NOT NULL,
    currency text NOT NULL,
    vat_code text NOT NULL,
    vat_rate numeric(9, 6) NOT NULL,
    origin_no int4 NOT NULL,
    points int8 NOT NULL,
    charges int8 NOT NULL,
    exact numeric(38, 12) NOT NULL,
    booked numeric(38, 12) NOT NULL,
    booked_vat numeric(38, 12) NOT NULL,
    amount_minor int8 NOT NULL,
    vat_minor int8 NOT NULL,
    CONSTRAINT a_statement_line_is_numbered_once UNIQUE (statement, no),
    CONSTRAINT charges_settled_alike_make_one_line
        UNIQUE (statement, kind, contract_no, currency, vat_code, vat_rate, origin_no)
);
CREATE INDEX statement_line_of_a_partner ON statement_line (partner_no, origin_no);

CREATE TABLE statement_total (
    statement uuid NOT NULL REFERENCES statement (id),
    partner_no int4 NOT NULL,
    currency text NOT NULL,
    amount_minor int8 NOT NULL,
    vat_minor int8 NOT NULL,
    net_minor int8 NOT NULL,
    points_funded int8 NOT NULL,
    points_redeemed int8 NOT NULL,
    PRIMARY KEY (statement, currency),
    CONSTRAINT a_total_is_amount_and_vat CHECK (net_minor = amount_minor + vat_minor)
);

CREATE TABLE statement_counter (
    no int2 PRIMARY KEY,
    last_number int8 NOT NULL,
    CONSTRAINT there_is_one_statement_counter CHECK (no = 1)
);
INSERT INTO statement_counter VALUES (1, 0);
REVOKE UPDATE, DELETE, TRUNCATE ON statement_line, statement_total FROM CURRENT_USER;
REVOKE DELETE, TRUNCATE ON statement, statement_counter FROM CURRENT_USER;
GRANT UPDATE (id) ON statement_line TO CURRENT_USER;
"""

# A cycle is written when its second person approves it; until then it is a payload. A statement is
# in one cycle per currency at most. What a default changes is a later version of the cycle's legs;
# all are kept, and all are facts.
CLEARING = """
CREATE TABLE clearing_cycle (
    id uuid PRIMARY KEY,
    currency text NOT NULL,
    periods text[] NOT NULL,
    prepared_at timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_at timestamptz NOT NULL,
    approved_by text NOT NULL,
    CONSTRAINT a_cycle_has_two_persons CHECK (approved_by <> prepared_by)
);

CREATE TABLE clearing_statement (
    statement uuid NOT NULL REFERENCES statement (id),
    currency text NOT NULL,
    cycle uuid NOT NULL REFERENCES clearing_cycle (id),
    CONSTRAINT a_statement_is_cleared_once_per_currency PRIMARY KEY (statement, currency)
);
CREATE INDEX clearing_statement_of_a_cycle ON clearing_statement (cycle);

CREATE TABLE clearing_leg (
    cycle uuid NOT NULL REFERENCES clearing_cycle (id),
    version int4 NOT NULL,
    partner_no int4 NOT NULL,
    amount_minor int8 NOT NULL,
    PRIMARY KEY (cycle, version, partner_no)
);

CREATE TABLE clearing_default (
    cycle uuid NOT NULL REFERENCES clearing_cycle (id),
    version int4 NOT NULL,
    defaulter_no int4 NOT NULL,
    loss_minor int8 NOT NULL,
    guarantee_minor int8 NOT NULL,
    is_prepaid bool NOT NULL,
    reserve_minor int8 NOT NULL,
    haircut_minor int8 NOT NULL,
    made_at timestamptz NOT NULL,
    prepared_by text NOT NULL,
    approved_by text NOT NULL,
    PRIMARY KEY (cycle, version),
    CONSTRAINT a_partner_defaults_once_per_cycle UNIQUE (cycle, defaulter_no),
    CONSTRAINT a_loss_is_covered_whole
        CHECK (loss_minor = guarantee_minor + reserve_minor + haircut_minor)
);

CREATE TABLE clearing_claim (
    cycle uuid NOT NULL,
    version int4 NOT NULL,
    creditor_no int4 NOT NULL,
    defaulter_no int4 NOT NULL,
    amount_minor int8 NOT NULL,
    PRIMARY KEY (cycle, version, creditor_no),
    FOREIGN KEY (cycle, version) REFERENCES clearing_default (cycle, version),
    CONSTRAINT a_claim_is_of_some_money CHECK (amount_minor > 0)
);
REVOKE UPDATE, DELETE, TRUNCATE ON clearing_cycle, clearing_statement, clearing_leg,
    clearing_default, clearing_claim FROM CURRENT_USER;
GRANT UPDATE (id) ON clearing_cycle TO CURRENT_USER;
GRANT UPDATE (version) ON clearing_default TO CURRENT_USER;
"""

# A partner reads its own periods, statements and charges; row-level security shows it no others. A
# block of moves is seen by all whom it charges. Drains tell how much all partners do, so no partner
# reads them.
RIGHTS = """
GRANT SELECT ON settlement_period, tariff, tariff_total, block, block_tariff, drain_digest, charge,
    settlement_adjustment, statement, statement_line, statement_total
    TO coalition_tenant;
ALTER TABLE settlement_period ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON settlement_period TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER TABLE tariff ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON tariff TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER TABLE tariff_total ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON tariff_total TO coalition_tenant
    USING (EXISTS (SELECT FROM tariff WHERE tariff.id = tariff_total.tariff));
ALTER TABLE block_tariff ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON block_tariff TO coalition_tenant
    USING (EXISTS (SELECT FROM tariff WHERE tariff.id = block_tariff.tariff));
ALTER TABLE block ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON block TO coalition_tenant
    USING (EXISTS (SELECT FROM block_tariff
        WHERE block_tariff.drain = block.drain AND block_tariff.no = block.no));
ALTER TABLE drain_digest ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON drain_digest TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER TABLE settlement_adjustment ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON settlement_adjustment TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER TABLE statement ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON statement TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER TABLE statement_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON statement_line TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER TABLE statement_total ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON statement_total TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
ALTER VIEW charge SET (security_invoker = true);
"""


async def forwards() -> MigrationManager:
    """Make the tables of settlement."""
    manager = MigrationManager(migration_id=ID, app_name="settlement", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(
                PERIODS + DRAINS + ADJUSTMENTS + STATEMENTS + CLEARING + RIGHTS
            )

    manager.add_raw(run)
    return manager
