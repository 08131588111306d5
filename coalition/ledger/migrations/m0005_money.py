"""The money book, and how much work a row of the feed stands for."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0005"
VERSION = "1.38.0"
DESCRIPTION = "Double entry of money"

# Exact to twelve places. Entries of a posting sum to zero per currency: debits are positive, so an
# entry above zero on a partner's account is what that partner owes. Facts: the owner gives up its
# own right to change or remove them.
MONEY = """
CREATE TABLE money_posting (
    id uuid PRIMARY KEY,
    kind int2 NOT NULL,
    made_at timestamptz NOT NULL,
    subject text NOT NULL,
    CONSTRAINT a_money_posting_has_a_known_kind CHECK (kind BETWEEN 1 AND 9),
    CONSTRAINT a_money_posting_is_about_something CHECK (subject <> '')
);
CREATE INDEX money_posting_by_subject ON money_posting (subject);

CREATE TABLE money_entry (
    posting uuid NOT NULL REFERENCES money_posting (id),
    no int4 NOT NULL,
    account int2 NOT NULL,
    partner_no int4 NOT NULL,
    currency text NOT NULL,
    amount numeric(38, 12) NOT NULL,
    PRIMARY KEY (posting, no),
    CONSTRAINT a_money_entry_is_not_zero CHECK (amount <> 0),
    CONSTRAINT a_money_account_is_known CHECK (account BETWEEN 1 AND 12),
    CONSTRAINT a_money_currency_has_three_capitals CHECK (currency ~ '^[A-Z]{3}$')
);
CREATE INDEX money_entry_by_account ON money_entry (account, partner_no, currency);
REVOKE UPDATE, DELETE, TRUNCATE ON money_posting, money_entry FROM CURRENT_USER;
GRANT UPDATE (id) ON money_posting TO CURRENT_USER;
"""

# What each partner owes or is owed in all: entries are noted as they are made and added up by the
# next who judges credit, so that no row is hot and nobody ever reads years of entries.
BALANCES = """
CREATE TABLE money_delta (
    posting uuid NOT NULL REFERENCES money_posting (id),
    partner_no int4 NOT NULL,
    currency text NOT NULL,
    amount numeric(38, 12) NOT NULL,
    PRIMARY KEY (posting, partner_no, currency)
);

CREATE TABLE money_balance (
    partner_no int4 NOT NULL,
    currency text NOT NULL,
    amount numeric(38, 12) NOT NULL,
    PRIMARY KEY (partner_no, currency)
);
GRANT SELECT ON money_delta, money_balance, settlement_queue TO coalition_poster;
"""

# How many postings wait behind a row, so that a drain can take a bounded amount of work. Sixteen
# shards have 64 of the 1024 buckets each.
FEED = """
ALTER TABLE settlement_queue ADD COLUMN postings int4 NOT NULL DEFAULT 1;
UPDATE settlement_queue SET postings = posted.postings
FROM (SELECT (bucket / 64)::int2 AS shard, batch, count(*)::int4 AS postings
      FROM posting GROUP BY 1, 2) AS posted
WHERE posted.shard = settlement_queue.shard AND posted.batch = settlement_queue.batch;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(MONEY + BALANCES + FEED)

    manager.add_raw(run)
    return manager
