"""Debts, activity clocks, and postings that come in two halves."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "Debts, clocks, adjustments, conversions and merges"

# A conversion and a merge are two postings that name each other: each is whole in one bucket and
# one point currency, so each sums to zero by itself and the two may lie on two servers. A recovery
# names the issue whose debt it takes points for.
POSTINGS = """
ALTER TABLE posting
    ADD COLUMN linked uuid,
    ADD COLUMN cashier text,
    DROP CONSTRAINT a_posting_has_a_known_kind,
    ADD CONSTRAINT a_posting_has_a_known_kind CHECK (kind BETWEEN 1 AND 8),
    ADD CONSTRAINT halves_and_recoveries_are_linked
        CHECK ((linked IS NOT NULL) = (kind IN (6, 7, 8)));
ALTER TABLE hold ADD COLUMN cashier text;
"""

# `owes` is what is open of a holder's debts: read with its state, so that a till asks for debts
# only where there are any.
HOLDERS = """
ALTER TABLE holder
    ADD COLUMN owes int8 NOT NULL DEFAULT 0,
    ADD COLUMN expiry_suspended_until date,
    ADD COLUMN merged_into uuid,
    ADD CONSTRAINT nobody_owes_less_than_nothing CHECK (owes >= 0),
    ADD CONSTRAINT only_a_closed_holder_was_merged CHECK (merged_into IS NULL OR state = 3);
CREATE INDEX merged_holders ON holder (bucket, id) WHERE merged_into IS NOT NULL;
"""

# One row per leg of the issue that was taken back too late; points never go below zero in a lot.
DEBTS = """
CREATE TABLE debt (
    bucket int2 NOT NULL,
    posting uuid NOT NULL,
    lot uuid NOT NULL,
    holder uuid NOT NULL,
    currency_no int2 NOT NULL,
    issuer_no int4 NOT NULL,
    contract_no int4 NOT NULL,
    funder_no int4 NOT NULL,
    issue_price numeric(18, 9) NOT NULL,
    recover_percent int2 NOT NULL,
    made_at timestamptz NOT NULL,
    booked int8 NOT NULL,
    recovered int8 NOT NULL,
    written_off int8 NOT NULL,
    moved int8 NOT NULL,
    PRIMARY KEY (bucket, posting, lot),
    CONSTRAINT a_debt_has_a_holder FOREIGN KEY (bucket, holder) REFERENCES holder (bucket, id),
    CONSTRAINT a_debt_is_of_some_points CHECK (booked > 0),
    CONSTRAINT a_debt_never_falls_below_zero CHECK (
        recovered >= 0 AND written_off >= 0 AND moved >= 0
        AND recovered + written_off + moved <= booked),
    CONSTRAINT a_debt_is_recovered_by_a_percentage CHECK (recover_percent BETWEEN 0 AND 100)
) WITH (fillfactor = 70);
CREATE INDEX open_debts_of_a_holder ON debt (bucket, holder)
    WHERE recovered + written_off + moved < booked;

CREATE TABLE debt_entry (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    debt uuid NOT NULL,
    lot uuid NOT NULL,
    kind int2 NOT NULL,
    points int4 NOT NULL,
    posting uuid,
    made_at timestamptz NOT NULL,
    actor text,
    reason text,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_debt_entry_belongs_to_a_debt
        FOREIGN KEY (bucket, debt, lot) REFERENCES debt (bucket, posting, lot),
    CONSTRAINT a_debt_entry_is_of_some_points CHECK (points > 0),
    CONSTRAINT a_debt_entry_has_a_known_kind CHECK (kind BETWEEN 1 AND 4),
    CONSTRAINT a_write_off_has_an_actor_and_a_reason
        CHECK (kind <> 3 OR (actor IS NOT NULL AND reason IS NOT NULL)),
    CONSTRAINT a_recovery_has_a_posting CHECK (kind <> 2 OR posting IS NOT NULL)
);
CREATE INDEX entries_of_a_debt ON debt_entry (bucket, debt, lot);
"""

# A clock runs from a holder's last activity; the points of lots that carry it can be spent through
# `live_until`, a day in the coalition's zone. Clock 0 is none and has no row.
CLOCKS = """
CREATE TABLE expiry_clock (
    no int2 PRIMARY KEY,
    months int4 NOT NULL,
    counts_issue bool NOT NULL,
    counts_redeem bool NOT NULL,
    CONSTRAINT a_clock_number_is_positive CHECK (no >= 1),
    CONSTRAINT a_clock_runs_for_some_months CHECK (months BETWEEN 1 AND 600),
    CONSTRAINT some_activity_sets_a_clock_back CHECK (counts_issue OR counts_redeem),
    CONSTRAINT a_clock_is_registered_once UNIQUE (months, counts_issue, counts_redeem)
);

CREATE TABLE holder_clock (
    bucket int2 NOT NULL,
    holder uuid NOT NULL,
    currency_no int2 NOT NULL,
    clock_no int2 NOT NULL,
    last_activity date NOT NULL,
    live_until date NOT NULL,
    PRIMARY KEY (bucket, holder, currency_no, clock_no),
    CONSTRAINT a_clock_has_a_holder FOREIGN KEY (bucket, holder) REFERENCES holder (bucket, id),
    CONSTRAINT a_clock_of_a_holder_is_registered
        FOREIGN KEY (clock_no) REFERENCES expiry_clock (no),
    CONSTRAINT a_clock_runs_on_after_activity CHECK (live_until >= last_activity)
) WITH (fillfactor = 70);
"""

# Through which day members were told of points that will end, for each range of buckets.
NOTICES = """
CREATE TABLE expiry_notice (
    first_bucket int2 PRIMARY KEY,
    told_through date NOT NULL
);
"""

RIGHTS = """
GRANT SELECT ON debt, debt_entry, expiry_clock, holder_clock TO coalition_poster;
GRANT SELECT ON expiry_clock TO coalition_tenant;
GRANT INSERT ON debt, debt_entry, holder_clock TO coalition_poster;
GRANT UPDATE (booked, recovered, written_off, moved) ON debt TO coalition_poster;
GRANT UPDATE (last_activity, live_until) ON holder_clock TO coalition_poster;
GRANT UPDATE (owes, expiry_suspended_until, merged_into) ON holder TO coalition_poster;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(POSTINGS + HOLDERS + DEBTS + CLOCKS + NOTICES + RIGHTS)

    manager.add_raw(run)
    return manager
