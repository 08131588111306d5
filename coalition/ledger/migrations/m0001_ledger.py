"""Holders, lots, postings, holds, claims of receipts and the settlement feed."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "The double entry of points"

# Lots: only counters change and none of them is indexed, so an update stays on its page (HOT) when
# half of the page is left free. The id is derived (see provenance.py), so the primary key is the
# upsert key, the list of a holder's lots and the spending order in one.
LOTS = """
CREATE TABLE holder (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    state int2 NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_bucket_is_one_of_1024 CHECK (bucket BETWEEN 0 AND 1023),
    CONSTRAINT a_holder_is_active_frozen_or_closed CHECK (state BETWEEN 1 AND 3)
) WITH (fillfactor = 80);

CREATE TABLE lot (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    holder uuid NOT NULL,
    contributor uuid NOT NULL,
    currency_no int2 NOT NULL,
    issuer_no int4 NOT NULL,
    contract_no int4 NOT NULL,
    funder_no int4 NOT NULL,
    earned_month int4 NOT NULL,
    expires_on date,
    clock_no int2 NOT NULL,
    class_no int2 NOT NULL,
    issue_price numeric(18, 9) NOT NULL,
    prefunded_share numeric(7, 6) NOT NULL,
    points_in int8 NOT NULL,
    points_out int8 NOT NULL,
    held int8 NOT NULL,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_lot_has_a_holder FOREIGN KEY (bucket, holder) REFERENCES holder (bucket, id),
    CONSTRAINT points_out_are_never_negative CHECK (points_out >= 0),
    CONSTRAINT held_points_are_never_negative CHECK (held >= 0),
    CONSTRAINT spendable_points_are_never_negative CHECK (points_out + held <= points_in),
    CONSTRAINT a_prefunded_share_is_a_share CHECK (prefunded_share BETWEEN 0 AND 1),
    CONSTRAINT an_issue_price_is_not_negative CHECK (issue_price >= 0)
) WITH (fillfactor = 50);

CREATE TABLE lot_history (LIKE lot INCLUDING CONSTRAINTS);
ALTER TABLE lot_history ADD PRIMARY KEY (bucket, id);

CREATE VIEW every_lot AS
SELECT bucket, id, min(holder::text)::uuid AS holder, min(currency_no) AS currency_no,
       min(issuer_no) AS issuer_no, min(contract_no) AS contract_no, min(funder_no) AS funder_no,
       min(earned_month) AS earned_month, min(expires_on) AS expires_on,
       sum(points_in)::int8 AS points_in, sum(points_out)::int8 AS points_out,
       sum(held)::int8 AS held
FROM (SELECT * FROM lot UNION ALL SELECT * FROM lot_history) AS kept
GROUP BY bucket, id;
"""

# A posting that touches one lot is one row; one that touches more has its lots in `leg`. Both are
# partitioned by month of the time-ordered posting id; partitions are made on demand.
POSTINGS = """
CREATE TABLE posting (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    batch uuid NOT NULL,
    kind int2 NOT NULL,
    holder uuid NOT NULL,
    partner_no int4 NOT NULL,
    store_no int4,
    client_no int4,
    receipt text,
    occurred_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL,
    currency_no int2 NOT NULL,
    points int4 NOT NULL,
    direction int2 NOT NULL,
    lot uuid,
    account int2 NOT NULL,
    account_partner_no int4 NOT NULL,
    reverses uuid,
    purchase_minor int8,
    purchase_currency text,
    rule_no int4,
    reason text,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_posting_moves_points CHECK (points > 0),
    CONSTRAINT points_go_into_lots_or_out_of_them CHECK (direction IN (1, -1)),
    CONSTRAINT a_posting_has_a_known_kind CHECK (kind BETWEEN 1 AND 4),
    CONSTRAINT only_a_reversal_reverses CHECK ((reverses IS NOT NULL) = (kind = 3))
) PARTITION BY RANGE (id);
CREATE INDEX posting_by_commit_time ON posting USING brin (committed_at);
CREATE INDEX posting_by_partner ON posting (partner_no, id);

CREATE TABLE leg (
    bucket int2 NOT NULL,
    posting uuid NOT NULL,
    no int2 NOT NULL,
    lot uuid NOT NULL,
    points int4 NOT NULL,
    direction int2 NOT NULL,
    origin_lot uuid,
    PRIMARY KEY (bucket, posting, no),
    CONSTRAINT a_leg_moves_points CHECK (points > 0),
    CONSTRAINT a_leg_goes_into_a_lot_or_out_of_it CHECK (direction IN (1, -1))
) PARTITION BY RANGE (posting);

CREATE TABLE reversed_leg (
    bucket int2 NOT NULL,
    posting uuid NOT NULL,
    lot uuid NOT NULL,
    moved int4 NOT NULL,
    reversed int4 NOT NULL,
    PRIMARY KEY (bucket, posting, lot),
    CONSTRAINT a_reversal_never_exceeds_the_original CHECK (reversed BETWEEN 1 AND moved)
) WITH (fillfactor = 80);

CREATE VIEW lot_leg AS
SELECT bucket, id AS posting, batch, kind, lot, points, direction, lot AS origin_lot, reverses,
       currency_no
FROM posting WHERE lot IS NOT NULL
UNION ALL
SELECT leg.bucket, leg.posting, posting.batch, posting.kind, leg.lot, leg.points, leg.direction,
       coalesce(leg.origin_lot, leg.lot), posting.reverses, posting.currency_no
FROM leg JOIN posting ON posting.bucket = leg.bucket AND posting.id = leg.posting;

CREATE VIEW entry AS
SELECT bucket, posting, currency_no, lot, NULL::int2 AS account, NULL::int4 AS account_partner_no,
       points * direction AS amount
FROM lot_leg
UNION ALL
SELECT bucket, id, currency_no, NULL, account, account_partner_no, -points * direction
FROM posting;
"""

HOLDS = """
CREATE TABLE hold (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    holder uuid NOT NULL,
    partner_no int4 NOT NULL,
    store_no int4,
    client_no int4,
    receipt text NOT NULL,
    currency_no int2 NOT NULL,
    points int4 NOT NULL,
    state int2 NOT NULL,
    business_day date NOT NULL,
    occurred_at timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    resolved_at timestamptz,
    posting uuid,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_hold_reserves_points CHECK (points > 0),
    CONSTRAINT a_hold_is_open_captured_voided_or_expired CHECK (state BETWEEN 1 AND 4),
    CONSTRAINT a_hold_resolves_once CHECK ((state = 1) = (resolved_at IS NULL)),
    CONSTRAINT only_a_captured_hold_has_a_posting CHECK ((state = 2) = (posting IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX open_holds_by_expiry ON hold (expires_at) WHERE state = 1;

CREATE TABLE hold_leg (
    bucket int2 NOT NULL,
    hold uuid NOT NULL,
    lot uuid NOT NULL,
    points int4 NOT NULL,
    PRIMARY KEY (bucket, hold, lot),
    CONSTRAINT a_hold_leg_belongs_to_a_hold FOREIGN KEY (bucket, hold) REFERENCES hold (bucket, id),
    CONSTRAINT a_hold_leg_reserves_points CHECK (points > 0)
);
"""

# The bucket of a receipt's claim comes from its own digest: a receipt is unique across members.
FEED = """
CREATE TABLE receipt_claim (
    bucket int2 NOT NULL,
    digest uuid NOT NULL,
    batch uuid NOT NULL,
    CONSTRAINT a_receipt_is_used_once PRIMARY KEY (bucket, digest)
);

CREATE TABLE settlement_queue (
    shard int2 NOT NULL,
    batch uuid NOT NULL,
    first_posting uuid NOT NULL,
    last_posting uuid NOT NULL,
    PRIMARY KEY (shard, batch),
    CONSTRAINT a_shard_is_one_of_16 CHECK (shard BETWEEN 0 AND 15)
);

CREATE TABLE partner_delta (
    batch uuid NOT NULL,
    partner_no int4 NOT NULL,
    kind int2 NOT NULL,
    direction int2 NOT NULL,
    currency_no int2 NOT NULL,
    points int8 NOT NULL,
    postings int4 NOT NULL,
    PRIMARY KEY (batch, partner_no, kind, direction, currency_no)
);

CREATE TABLE partner_total (
    partner_no int4 NOT NULL,
    kind int2 NOT NULL,
    direction int2 NOT NULL,
    currency_no int2 NOT NULL,
    points int8 NOT NULL,
    postings int8 NOT NULL,
    PRIMARY KEY (partner_no, kind, direction, currency_no)
);
"""

# The poster may do what the posting statements do and nothing else: it adds facts and moves
# counters, but cannot change or remove a posting. The tenant reads, and sees one partner's rows.
RIGHTS = """
GRANT SELECT ON holder, lot, lot_history, posting, leg, reversed_leg, hold, hold_leg, receipt_claim,
    lot_leg, entry, every_lot TO coalition_poster;
GRANT UPDATE (state) ON holder TO coalition_poster;
GRANT INSERT ON lot, posting, leg, reversed_leg, hold, hold_leg, receipt_claim, settlement_queue,
    partner_delta TO coalition_poster;
GRANT UPDATE (points_in, points_out, held) ON lot TO coalition_poster;
GRANT UPDATE (reversed) ON reversed_leg TO coalition_poster;
GRANT UPDATE (state, resolved_at, posting) ON hold TO coalition_poster;
GRANT DELETE ON receipt_claim TO coalition_poster;

GRANT SELECT ON posting, leg, hold, reversed_leg TO coalition_tenant;
-- A lot belongs to a member and not to a partner: of it a tenant reads only where points came from.
GRANT SELECT (bucket, id, issuer_no, expires_on) ON lot, lot_history TO coalition_tenant;
ALTER TABLE posting ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON posting TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON posting TO coalition_poster USING (true) WITH CHECK (true);
ALTER TABLE leg ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON leg TO coalition_tenant
    USING (EXISTS (
        SELECT FROM posting WHERE posting.bucket = leg.bucket AND posting.id = leg.posting));
CREATE POLICY all_partners ON leg TO coalition_poster USING (true) WITH CHECK (true);
ALTER TABLE reversed_leg ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON reversed_leg TO coalition_tenant
    USING (EXISTS (
        SELECT FROM posting
        WHERE posting.bucket = reversed_leg.bucket AND posting.id = reversed_leg.posting));
CREATE POLICY all_partners ON reversed_leg TO coalition_poster USING (true) WITH CHECK (true);
ALTER TABLE hold ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_partner_only ON hold TO coalition_tenant
    USING (partner_no = current_setting('coalition.partner_no')::int);
CREATE POLICY all_partners ON hold TO coalition_poster USING (true) WITH CHECK (true);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(LOTS + POSTINGS + HOLDS + FEED + RIGHTS)

    manager.add_raw(run)
    return manager
