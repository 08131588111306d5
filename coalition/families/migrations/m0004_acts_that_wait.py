"""An act in a group that costs money waits until that is paid."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0004"
VERSION = "1.38.0"
DESCRIPTION = "Acts in groups that wait for their fee"

# An act lives with its group, which a group that is still to be formed is not yet. `document` says
# what is wanted; words about a person stand in `sealed`, under the key of the member `sealed_for`.
# The digest is keyed: it tells that the same is asked again, and nothing of what.
ACTS = """
CREATE TABLE group_act (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    group_id uuid NOT NULL,
    digest bytea NOT NULL,
    document text NOT NULL,
    sealed bytea,
    sealed_for uuid,
    asked_by text NOT NULL,
    asked_member uuid,
    payer uuid NOT NULL,
    fee_minor int8 NOT NULL,
    fee_currency text NOT NULL,
    state text NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    paid_at timestamptz,
    ended_at timestamptz,
    refusal text,
    PRIMARY KEY (bucket, id),
    CONSTRAINT an_act_waits_or_is_over CHECK (
        state IN ('awaiting_payment', 'done', 'refused', 'withdrawn', 'expired')),
    CONSTRAINT an_act_that_is_over_ended CHECK (
        (state = 'awaiting_payment') = (ended_at IS NULL)),
    CONSTRAINT an_act_goes_on_when_it_is_paid CHECK (
        (state IN ('done', 'refused')) = (paid_at IS NOT NULL)),
    CONSTRAINT an_act_is_refused_for_a_reason CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CONSTRAINT a_fee_that_is_waited_for_is_money CHECK (fee_minor > 0),
    CONSTRAINT words_are_sealed_for_somebody CHECK ((sealed IS NULL) = (sealed_for IS NULL))
);
CREATE UNIQUE INDEX an_act_waits_once
    ON group_act (bucket, digest) WHERE state = 'awaiting_payment';
CREATE INDEX acts_of_a_payer ON group_act (payer, made_at);
CREATE INDEX acts_asked_by_a_member ON group_act (asked_member, made_at);
CREATE INDEX acts_that_wait ON group_act (expires_at) WHERE state = 'awaiting_payment';
"""


async def forwards() -> MigrationManager:
    """Make the table of acts that wait."""
    manager = MigrationManager(migration_id=ID, app_name="families", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(ACTS)

    manager.add_raw(run)
    return manager
