"""Rows that are only added, and that nothing reads before the commit: all in one round trip."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from coalition.kernel.database.engine import Connection, bound_engine

_PARAMETER = re.compile(r"\$(\d+)")


class Executes(Protocol):
    """What takes a statement that answers nothing: a connection at once, `Appends` for later."""

    async def execute(self, statement: str, /, *given: Any) -> object:  # Any: values of any type
        """Take `statement` with the values of its parameters."""


class Appends:
    """Collects plain INSERTs, each of which reads no table, and sends them off together."""

    def __init__(self) -> None:
        """Begin without any."""
        self._statements: list[str] = []
        self._given: list[tuple[Any, ...]] = []

    async def execute(self, statement: str, /, *given: Any) -> None:  # Any: values of any type
        """Keep an INSERT, with the values of its parameters, for `write`."""
        self._statements.append(statement)
        self._given.append(given)

    async def write(self, connection: Connection) -> None:
        """Execute what was collected, in one statement where the server allows that.

        The rows are added in no particular order. Raises what the INSERTs raise.
        """
        if bound_engine().spreads:
            # No statement adds to several tables that are spread over servers.
            for statement, given in zip(self._statements, self._given, strict=True):
                await connection.execute(statement, *given)
        elif self._statements:
            numbers = tuple(len(given) for given in self._given)
            values = [value for given in self._given for value in given]
            await connection.execute(_together(tuple(self._statements), numbers), *values)


@lru_cache(maxsize=64)
def _together(statements: Sequence[str], numbers: Sequence[int]) -> str:
    """Return one statement of several; each has the given number of parameters, from $1 on."""
    renumbered, before = [], 0
    for statement, number in zip(statements, numbers, strict=True):
        renumbered.append(_PARAMETER.sub(lambda one: f"${int(one[1]) + before}", statement))  # noqa: B023 - called at once
        before += number
    *others, last = renumbered
    if not others:
        return last
    parts = ", ".join(f"part_{no} AS ({statement})" for no, statement in enumerate(others))
    return f"WITH {parts} {last}"
