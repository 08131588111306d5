"""Fees of families that are paid by Stripe."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0007"
VERSION = "1.38.0"
DESCRIPTION = "Fees of families"

# A fee has the id of the transfer or of the act that waits for it. `attempt` counts the pages that
# were opened for it, one after another.
FEES = """
CREATE TABLE family_fee (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    payer uuid NOT NULL,
    amount_minor int8 NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    attempt int4 NOT NULL,
    checkout_id text,
    url text,
    expires_at timestamptz,
    payment text,
    begun_at timestamptz NOT NULL,
    paid_at timestamptz,
    outcome text,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_fee_is_for_a_transfer_or_an_act CHECK (kind IN ('transfer', 'act')),
    CONSTRAINT a_fee_is_of_some_money CHECK (amount_minor > 0),
    CONSTRAINT a_fee_has_a_known_state
        CHECK (state IN ('open', 'expired', 'paid', 'done', 'returned')),
    CONSTRAINT a_paid_fee_has_a_payment CHECK (
        (state IN ('open', 'expired') OR payment IS NOT NULL)
        AND (payment IS NULL) = (paid_at IS NULL)
    )
) WITH (fillfactor = 80);
CREATE INDEX fees_of_a_payer ON family_fee (payer);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="subscriptions", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(FEES)

    manager.add_raw(run)
    return manager
