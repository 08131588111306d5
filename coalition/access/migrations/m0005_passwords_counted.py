"""Passwords of a login are counted, so that tokens which an earlier one gave end with it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0005"
VERSION = "1.38.0"
DESCRIPTION = "Passwords of a login are counted"

# Every process asks each few seconds whose password was set lately.
COUNTED = """
ALTER TABLE login ADD COLUMN password_no int4 NOT NULL DEFAULT 0,
    ADD CONSTRAINT passwords_are_counted_from_one CHECK (
        password_no >= 0 AND (password_hash IS NULL OR password_no >= 1)) NOT VALID;
UPDATE login SET password_no = 1 WHERE password_hash IS NOT NULL;
ALTER TABLE login VALIDATE CONSTRAINT passwords_are_counted_from_one;
CREATE INDEX passwords_set_lately ON login (password_set_at) WHERE password_set_at IS NOT NULL;
"""


async def forwards() -> MigrationManager:
    """Count the passwords of logins."""
    manager = MigrationManager(migration_id=ID, app_name="access", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(COUNTED)

    manager.add_raw(run)
    return manager
