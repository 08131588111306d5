"""Points that move between holders, and where what a posting moved came from or went on to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0007"
VERSION = "1.38.0"
DESCRIPTION = "Transfers, pools and shared earnings"

# A transfer is two halves that name each other, as a merge is; a fee in points names the transfer.
POSTINGS = """
ALTER TABLE posting
    DROP CONSTRAINT a_posting_has_a_known_kind,
    ADD CONSTRAINT a_posting_has_a_known_kind CHECK (kind BETWEEN 1 AND 10),
    DROP CONSTRAINT halves_and_recoveries_are_linked,
    ADD CONSTRAINT halves_and_recoveries_are_linked
        CHECK ((linked IS NOT NULL) = (kind IN (6, 7, 8, 9, 10)));
"""

# `shares` marks a holder whose points others spend, or that spends or earns for others: a till asks
# for its pool only where it is set. Whoever sets it has locked the holder.
HOLDERS = "ALTER TABLE holder ADD COLUMN shares bool NOT NULL DEFAULT false"

# What a redemption or a hold took from other holders (`other`) through the lots of its own holder,
# or what of an issue went on to them: so a return finds its way back. `act` is the posting or hold.
PASSAGES = """
CREATE TABLE passage (
    bucket int2 NOT NULL,
    act uuid NOT NULL,
    lot uuid NOT NULL,
    other uuid NOT NULL,
    other_lot uuid NOT NULL,
    points int8 NOT NULL,
    returned int8 NOT NULL,
    PRIMARY KEY (bucket, act, lot, other, other_lot),
    CONSTRAINT a_passage_is_of_some_points CHECK (points > 0),
    CONSTRAINT what_comes_back_never_exceeds_what_passed CHECK (returned BETWEEN 0 AND points)
) WITH (fillfactor = 80);
"""

RIGHTS = """
GRANT SELECT, INSERT ON passage TO coalition_poster;
GRANT UPDATE (returned) ON passage TO coalition_poster;
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            for statements in (POSTINGS, HOLDERS, PASSAGES, RIGHTS):
                await connection.execute(statements)

    manager.add_raw(run)
    return manager
