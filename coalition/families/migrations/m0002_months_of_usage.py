"""Usage of limits is kept by month beside by day, so that long windows sum a few rows."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from coalition.kernel.database import transaction

ID = "m0002"
VERSION = "1.38.0"
DESCRIPTION = "What was used of limits, by month"

# The row of a month lies a thousand years before it, under nobody: no window begins there.
FILL = """
INSERT INTO family_usage (bucket, subject, side, event, day, other, amount, times)
SELECT bucket, subject, side, event, (date_trunc('month', day) - interval '1000 years')::date,
       '00000000-0000-0000-0000-000000000000', sum(amount), sum(times)
FROM family_usage WHERE day > '1900-01-01'
GROUP BY 1, 2, 3, 4, 5
"""


async def forwards() -> MigrationManager:
    """Describe this migration to Piccolo."""
    manager = MigrationManager(migration_id=ID, app_name="families", description=DESCRIPTION)

    async def run() -> None:
        async with transaction() as connection:
            await connection.execute(FILL)

    manager.add_raw(run)
    return manager
