"""Statements that can wait until a transaction is about to end: all in one round trip.

Nothing of the transaction reads what they write, and none of them touches a row that another one
does.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from coalition.kernel.database.arrays import encoded
from coalition.kernel.database.engine import Connection, bound_engine

_PARAMETER = re.compile(r"\$(\d+)")
_ARRAY = re.compile(r"\$(\d+)::(\w+)\[\]")
_FEW = 100
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

    def __init__(self, *, locks_last: bool = False) -> None:
        """Begin without any; where it `locks_last`, the last part has what others wait for."""
        self._waiting: list[_Waiting] = []
        self._when_committed: list[Callable[[], None]] = []
        self._may_begin = False
        self.locks_last = locks_last
        self._begun: asyncio.Task[None] | None = None

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

    @asynccontextmanager
    async def in_parts(self) -> AsyncIterator[None]:
        """Let `begin` send parts; whatever fails, none is under way when this ends."""
        self._may_begin = not bound_engine().spreads
        try:
            yield
        except BaseException as error:
            if self._begun is not None:
                if not isinstance(error, Exception):
                    self._begun.cancel()
                await asyncio.gather(self._begun, return_exceptions=True)
            raise
        finally:
            self._may_begin = False

    @property
    def may_begin(self) -> bool:
        """Whether `begin` sends anything."""
        return self._may_begin

    async def begin(self, connection: Connection, *, with_counted: bool = True) -> None:
        """Send what was collected so far, if parts may be sent, once the part before is written.

        What is counted stays for a later part unless it is sent `with_counted`. What else is to be
        written is computed meanwhile. Nothing is asked of `connection` until `settle` or `write`;
        these and `begin` raise what the part before raises.
        """
        if not self._may_begin:
            return
        await self._end()
        part, self._waiting = self._waiting, []
        if not with_counted:
            self._waiting = [one for one in part if one.rows is not None]
            part = [one for one in part if one.rows is None]
        self._begun = asyncio.create_task(_execute(connection, part))
        await asyncio.sleep(0)  # lets the statement go out

    async def settle(self) -> None:
        """Wait for the part that is under way; `begin` sends no more: the connection is asked."""
        self._may_begin = False
        await self._end()

    async def _end(self) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            await begun

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
        waiting = self._waiting
        if self._begun is not None:
            waiting = [_encoded(one) for one in waiting]  # there is time for it
        await self._end()
        await _execute(connection, waiting)


def _encoded(one: _Waiting) -> _Waiting:
    """Return a statement with long arrays written as they are sent."""
    given = list(one.given)
    for number, element in _ARRAY.findall(one.statement):
        values = given[int(number) - 1]
        if isinstance(values, Sequence) and len(values) > _FEW:
            given[int(number) - 1] = encoded(element, values)
    return one._replace(given=tuple(given))


async def _execute(connection: Connection, waiting: Sequence[_Waiting]) -> None:
    if bound_engine().spreads:
        # No statement writes to several tables that are spread over servers.
        for one in waiting:
            found = await connection.fetch(one.statement, *one.given)
            _check(one, len(found))
    elif waiting:
        counted = tuple(i for i, one in enumerate(waiting) if one.rows is not None)
        statement = _together(
            tuple(one.statement for one in waiting),
            tuple(len(one.given) for one in waiting),
            counted,
        )
        values = [value for one in waiting for value in one.given]
        found = await connection.fetchrow(statement, *values)
        for i, rows in zip(counted, found or (), strict=True):
            _check(waiting[i], rows)


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
