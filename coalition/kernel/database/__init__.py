"""PostgreSQL as the features see it: transactions, retries, refusals by constraint, migrations."""

from coalition.kernel.database import unloaded  # noqa: F401 - before anything imports Piccolo
from coalition.kernel.database.engine import Connection, Engine, bound_engine, open_database
from coalition.kernel.database.migrations import migrate, pending_migrations
from coalition.kernel.database.transactions import retrying, retrying_own, transaction

__all__ = [
    "Connection",
    "Engine",
    "bound_engine",
    "migrate",
    "open_database",
    "pending_migrations",
    "retrying",
    "retrying_own",
    "transaction",
]
