"""What a server that spreads its tables over nodes (Citus) says otherwise than one server does.

A node's error comes without the constraint's name and, from a COPY that carries an INSERT of what
was selected, without its SQLSTATE too; only the words are left. On a node, and where the server
keeps the rows itself, a constraint's name ends with the number of the shard.
"""

import re
from collections.abc import Mapping

import asyncpg

INSTALLED = "SELECT count(*) FROM pg_extension WHERE extname = 'citus'"
"""Counts the extension: 1 where the tables may be spread."""

ARRAYS = "SELECT '{}'::date[], '{}'::numeric[], '{}'::bool[], '{}'::jsonb[]"
"""Shows asyncpg the arrays that it knows nothing of and that no codec of ours takes."""

_INSTEAD = {"plan_cache_mode": "force_custom_plan"}

_KINDS = (
    ("duplicate key value violates unique constraint", asyncpg.UniqueViolationError),
    ("violates foreign key constraint", asyncpg.ForeignKeyViolationError),
    ("violates check constraint", asyncpg.CheckViolationError),
    ("violates not-null constraint", asyncpg.NotNullViolationError),
    ("canceling statement due to lock timeout", asyncpg.LockNotAvailableError),
    ("deadlock detected", asyncpg.DeadlockDetectedError),
)

_CONSTRAINT = re.compile(r'constraint "(?P<name>[^"]+?)(?:_\d{6,})?"')
_SHARD = re.compile(r"_\d{6,}$")


def suited(settings: Mapping[str, str]) -> dict[str, str]:
    """Return `settings` of a transaction as they do no harm here.

    A plan without the values of its parameters names no shard, and is refused.
    """
    return {**settings, **{name: _INSTEAD[name] for name in settings.keys() & _INSTEAD}}


def as_on_one_server(error: asyncpg.PostgresError) -> asyncpg.PostgresError:
    """Return `error` with the kind and the constraint's name that one server gives."""
    if (name := getattr(error, "constraint_name", None)) is not None:
        error.constraint_name = _SHARD.sub("", name)
        return error
    said = str(error.args[0]) if error.args else ""
    kind = next((kind for words, kind in _KINDS if words in said), None)
    if kind is None:
        return error
    plain = kind(said)
    plain.detail = getattr(error, "detail", None)
    named = _CONSTRAINT.search(said)
    plain.constraint_name = named["name"] if named else None
    return plain
