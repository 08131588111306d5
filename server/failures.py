"""What a command says, and with which exit status it ends, when something stands in its way."""

from typing import Final

import asyncpg

from coalition.access.signing import SealBrokenError as SigningSealBrokenError
from coalition.kernel.database.engine import UnsupportedServerError
from coalition.kernel.embedded_postgres import EmbeddedPostgresError
from coalition.kernel.errors import Conflict, Forbidden, Refused, TooMany, Unavailable
from coalition.kernel.settings import SettingsError
from coalition.members.sealing import SealBrokenError
from server.exits import ANSWER_IS_NO, UNAVAILABLE, WRONG_INPUT, Stopped

_STATUSES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (Unavailable, UNAVAILABLE),
    (TooMany, UNAVAILABLE),
    (Conflict, ANSWER_IS_NO),
    (Forbidden, ANSWER_IS_NO),
    (Refused, WRONG_INPUT),
    (SettingsError, WRONG_INPUT),
    (SealBrokenError, WRONG_INPUT),
    (SigningSealBrokenError, WRONG_INPUT),
    (EmbeddedPostgresError, UNAVAILABLE),
    (UnsupportedServerError, UNAVAILABLE),
)
"""The exit status of each kind of failure; the first kind that fits."""

_DATABASE_TEXTS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (asyncpg.InvalidPasswordError, "the database refuses the password; check its address"),
    (asyncpg.InvalidAuthorizationSpecificationError, "the database refuses the user"),
    (asyncpg.InvalidCatalogNameError, "the server has no database of that name; create it first"),
    (asyncpg.InsufficientPrivilegeError, "the database user may not do this; use the owner"),
    (asyncpg.TooManyConnectionsError, "the database has no connection left; raise max_connections"),
    (asyncpg.CannotConnectNowError, "the database is starting or stopping; try again"),
    (asyncpg.PostgresConnectionError, "the database ended the connection; try again"),
    (asyncpg.ClientConfigurationError, "that is no database address; one begins postgresql://"),
    (asyncpg.InterfaceError, "the connection to the database was lost; try again"),
    (TimeoutError, "the database does not answer; check that it runs and can be reached"),
    (OSError, "the database cannot be reached; check that it runs and its address"),
)


def as_stopped(error: Exception) -> Stopped | None:
    """Return how a command ends by `error`; None where the error itself must be seen or ends it."""
    if isinstance(error, Stopped):
        return error
    if isinstance(error, BrokenPipeError):
        return None  # who read our output has seen enough (`| head`); click ends us quietly
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return Stopped(_sentence(error), exit_code=status)
    for kind, text in _DATABASE_TEXTS:
        if isinstance(error, kind):
            return Stopped(text, exit_code=UNAVAILABLE)
    return None


def _sentence(error: Exception) -> str:
    """Return what `error` says, and of a refusal its code and facts too."""
    if not isinstance(error, Refused):
        return str(error)
    facts = "".join(f"\n  {name}: {value}" for name, value in error.facts.items())
    return f"{error.detail} [{error.code}]{facts}"
