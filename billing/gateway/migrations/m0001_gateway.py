"""Events that came from Stripe, and what we asked of it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Events of Stripe and intents towards it"

# The payload is kept as it was signed, byte for byte, until some days after it was handled. An
# event without a target is kept and asks for nothing. `due_at` is when it is to be handled next: it
# moves ahead while somebody handles it and after each failure; infinity is once it was given up.
EVENTS = """
CREATE TABLE stripe_event (
    id text NOT NULL,
    kind text NOT NULL,
    api_version text,
    created_at timestamptz,
    is_live bool NOT NULL,
    payload bytea NOT NULL,
    target text,
    set_aside text,
    received_at timestamptz NOT NULL,
    deliveries int8 NOT NULL DEFAULT 1,
    due_at timestamptz NOT NULL,
    attempts int4 NOT NULL DEFAULT 0,
    failure text,
    handled_at timestamptz,
    PRIMARY KEY (id),
    CONSTRAINT an_event_has_a_name CHECK (id <> '' AND length(id) <= 255),
    CONSTRAINT an_event_was_delivered CHECK (deliveries >= 1),
    CONSTRAINT attempts_count_from_zero CHECK (attempts >= 0)
) WITH (fillfactor = 80);
CREATE INDEX stripe_events_that_wait ON stripe_event (due_at) WHERE handled_at IS NULL;
CREATE INDEX stripe_events_of_a_target ON stripe_event (target) WHERE handled_at IS NULL;
"""

# An intent is stored before its call under the key that Stripe gets, so that whoever makes the call
# again makes the same one. The request holds no personal data.
INTENTS = """
CREATE TABLE stripe_intent (
    key text NOT NULL,
    kind text NOT NULL,
    request jsonb NOT NULL,
    begun_at timestamptz NOT NULL,
    tried_at timestamptz NOT NULL,
    attempts int4 NOT NULL DEFAULT 1,
    answered_at timestamptz,
    answer jsonb,
    refusal jsonb,
    PRIMARY KEY (key),
    CONSTRAINT an_intent_has_a_key_that_stripe_takes CHECK (key <> '' AND length(key) <= 255),
    CONSTRAINT an_intent_is_answered_or_refused CHECK (
        (answered_at IS NULL AND answer IS NULL AND refusal IS NULL)
        OR (answered_at IS NOT NULL AND (answer IS NULL) <> (refusal IS NULL))
    )
);
CREATE INDEX stripe_intents_without_answer ON stripe_intent (tried_at) WHERE answered_at IS NULL;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="gateway", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(EVENTS)
            await connection.execute(INTENTS)

    manager.add_raw(run)
    return manager
