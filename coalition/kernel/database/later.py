"""Statements that can wait until a transaction is about to end: all in one round trip.

Nothing of the transaction reads what they write, and none of them touches a row that another one
does.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from coalition.kernel.database.engine import Connection, bound_engine

_PARAMETER = re.compile(r"\$(\d+)")
_COUNT = "(SELECT count(*)::int4 FROM part_{no})"


class OutdatedError(Exception):
    """What the transaction has read, and nothing has locked then, has changed: begin it again."""


class Executes(Protocol):
    """What takes a statement that answers nothing: a connection at once, `Later` for later."""

    async def execute(self, statement: str, /, *given: Any) -> object:  # Any: values of any type
        """Take `statement` with the values of its parameters."""


class _Waiting(NamedTuple):
    """One statement; with `rows` it ends in RETURNING and has to return so many."""

    statement: str
    given: tuple[Any, ...]  # Any: values of any type
    rows: int | None = None
    otherwise: Exception | None = None


class Later:
    """Collects statements that read nothing which another of them writes, and sends them at once.

    Those that are counted are executed first, in the order in which they were collected, and so is
    the order of the locks that they take.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._waiting: list[_Waiting] = []
        self._when_committed: list[Callable[[], None]] = []

    async def execute(self, statement: str, /, *given: Any) -> None:  # Any: values of any type
        """Keep a statement that returns nothing, with the values of its parameters."""
        self._waiting.append(_Waiting(statement, given))

    def count(
        self,
        rows: int,
        otherwise: Exception,
        statement: str,
        /,
        *given: Any,  # Any: values of any type
        comes_first: bool = False,
    ) -> None:
        """Keep a statement that has to return `rows` rows; `write` raises `otherwise` if not.

        It is executed after those that were collected so far, or where it `comes_first` before.
        """
        one = _Waiting(statement, given, rows, otherwise)
        self._waiting.insert(0 if comes_first else len(self._waiting), one)

    @property
    def collected(self) -> int:
        """How many statements wait."""
        return len(self._waiting)

    def keep(self, first: int) -> None:
        """Forget all but the `first` statements that were collected."""
        del self._waiting[first:]

    def when_committed(self, call: Callable[[], None]) -> None:
        """Let `committed` make `call`."""
        self._when_committed.append(call)

    def committed(self) -> None:
        """Tell who asked for it that the transaction in which this was written has committed."""
        for call in self._when_committed:
            call()

    async def write(self, connection: Connection) -> None:
        """Execute what was collected, in one statement where the server allows that.

        Rows are written in no particular order. Raises what the statements raise, and what is to be
        raised where one returns too few; the transaction is of no use then.
        """
        if bound_engine().spreads:
            # No statement writes to several tables that are spread over servers.
            for one in self._waiting:
                found = await connection.fetch(one.statement, *one.given)
                _check(one, len(found))
        elif self._waiting:
            counted = tuple(i for i, one in enumerate(self._waiting) if one.rows is not None)
            statement = _together(
                tuple(one.statement for one in self._waiting),
                tuple(len(one.given) for one in self._waiting),
                counted,
            )
            values = [value for one in self._waiting for value in one.given]
            found = await connection.fetchrow(statement, *values)
            for i, rows in zip(counted, found or (), strict=True):
                _check(self._waiting[i], rows)


async def write_counted(
    by: Connection | Later,
    rows: int,
    otherwise: Exception,
    statement: str,
    /,
    *given: Any,  # Any: values of any type
) -> None:
    """Let `by` execute a statement that has to return `rows` rows; raises `otherwise` if not.

    `Later` raises it when it is written.
    """
    if isinstance(by, Later):
        by.count(rows, otherwise, statement, *given)
    elif len(await by.fetch(statement, *given)) != rows:
        raise otherwise


def _check(one: _Waiting, found: int) -> None:
    if one.rows is not None and found != one.rows:
        assert one.otherwise is not None, "what is counted says what is wrong"
        raise one.otherwise


@lru_cache(maxsize=256)
def _together(statements: Sequence[str], numbers: Sequence[int], counted: Sequence[int]) -> str:
    """Return one statement of several; each has the given number of parameters, from $1 on."""
    renumbered, before = [], 0
    for statement, number in zip(statements, numbers, strict=True):
        renumbered.append(_PARAMETER.sub(lambda one: f"${int(one[1]) + before}", statement))  # noqa: B023 - called at once
        before += number
    if counted:
        last = "SELECT " + ", ".join(_COUNT.format(no=no) for no in counted)
    else:
        *renumbered, last = renumbered
    if not renumbered:
        return last
    parts = ", ".join(f"part_{no} AS ({statement})" for no, statement in enumerate(renumbered))
    return f"WITH {parts} {last}"
