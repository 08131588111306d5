"""What members are told, and in which language they want to hear it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0001"
VERSION = "1.38.0"
DESCRIPTION = "Messages to members"

# What was said is never changed; it is removed by the erasure of its member alone. `key` names what
# it is about, so that the same is said once. `email_due_at` is when it is to be sent, or to be
# tried again: whoever begins to send it moves it on, so that a sender who dies loses nothing.
MESSAGES = """
CREATE TABLE message (
    bucket int2 NOT NULL,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    purpose text NOT NULL,
    language text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    path text,
    said_at timestamptz NOT NULL,
    read_at timestamptz,
    email text NOT NULL,
    email_attempts int4 NOT NULL DEFAULT 0,
    email_due_at timestamptz,
    email_settled_at timestamptz,
    email_error text,
    PRIMARY KEY (bucket, id),
    CONSTRAINT a_message_has_a_member FOREIGN KEY (bucket, member_id)
        REFERENCES member (bucket, id),
    CONSTRAINT the_same_is_said_once UNIQUE (bucket, member_id, key),
    CONSTRAINT a_message_has_a_short_key CHECK (length(key) BETWEEN 1 AND 200),
    CONSTRAINT a_message_has_a_kind CHECK (kind ~ '^[a-z][a-z0-9_]{0,39}$'),
    CONSTRAINT a_message_has_a_purpose CHECK (purpose IN ('contract', 'marketing')),
    CONSTRAINT a_message_has_a_language CHECK (language ~ '^[a-z]{2}$'),
    CONSTRAINT a_subject_is_one_short_line
        CHECK (length(subject) BETWEEN 1 AND 150 AND subject !~ '[[:cntrl:]]'),
    CONSTRAINT a_body_is_not_long CHECK (length(body) BETWEEN 1 AND 20000),
    CONSTRAINT a_message_leads_to_a_path_of_ours CHECK (path ~ '^/[!-~]{0,199}$'),
    CONSTRAINT a_message_is_read_after_it_was_said CHECK (read_at >= said_at),
    CONSTRAINT an_email_has_a_known_state CHECK (email IN ('none', 'waiting', 'sent', 'failed')),
    CONSTRAINT what_waits_is_due CHECK ((email = 'waiting') = (email_due_at IS NOT NULL)),
    CONSTRAINT what_waits_is_not_settled
        CHECK (email <> 'waiting' OR email_settled_at IS NULL),
    CONSTRAINT what_failed_says_why CHECK (email <> 'failed' OR email_error IS NOT NULL),
    CONSTRAINT an_error_is_short CHECK (length(email_error) <= 300)
) WITH (fillfactor = 80);
CREATE INDEX messages_of_a_member ON message (bucket, member_id, id);
CREATE INDEX unread_messages ON message (bucket, member_id) WHERE read_at IS NULL;
CREATE INDEX emails_that_wait ON message (email_due_at) WHERE email = 'waiting';
CREATE INDEX emails_that_failed ON message (email_settled_at) WHERE email = 'failed';
REVOKE UPDATE, TRUNCATE ON message FROM CURRENT_USER;
GRANT UPDATE (read_at, email, email_attempts, email_due_at, email_settled_at, email_error)
    ON message TO CURRENT_USER;
"""

LANGUAGES = """
CREATE TABLE message_language (
    bucket int2 NOT NULL,
    member_id uuid NOT NULL,
    language text NOT NULL,
    chosen_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id),
    CONSTRAINT a_choice_has_a_member FOREIGN KEY (bucket, member_id)
        REFERENCES member (bucket, id),
    CONSTRAINT a_choice_is_of_a_language CHECK (language ~ '^[a-z]{2}$')
);
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="messages", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(MESSAGES + LANGUAGES)

    manager.add_raw(run)
    return manager
