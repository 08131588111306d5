"""Run a PostgreSQL of our own inside a data directory: no server to install, no account to make.

    with start(Path("data")) as server:
        engine = await open_database(server.url)

`start` owns the server and `stop` lets go of it; the last owner out stops it. `running` only joins.
`kept_up` starts a server again that ended without having been told to.
"""

from coalition.kernel.embedded_postgres.failures import EmbeddedPostgresError
from coalition.kernel.embedded_postgres.keeping import kept_up
from coalition.kernel.embedded_postgres.server import EmbeddedServer, running, start

__all__ = ["EmbeddedPostgresError", "EmbeddedServer", "kept_up", "running", "start"]
