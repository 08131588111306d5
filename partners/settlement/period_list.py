"""The periods of all partners with how far each has come, the latest first, page by page."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from partners.settlement.kinds import StatementState

_PAGE = """
SELECT period.partner_no, period.no, period.name, period.starts_at, period.ends_at,
       period.cut_off_at, period.calendar, period.timezone,
       coalesce(statement.state, 'open') AS state, statement.id AS statement,
       NOT EXISTS (SELECT FROM statement_total WHERE statement_total.statement = statement.id)
           AS is_empty
FROM settlement_period AS period
LEFT JOIN statement
    ON statement.partner_no = period.partner_no AND statement.period_no = period.no
WHERE ($1::int4 IS NULL OR period.partner_no = $1)
  AND ($2::text IS NULL OR coalesce(statement.state, 'open') = $2)
  AND ($3::text IS NULL OR period.name = $3)
  AND ($4::timestamptz IS NULL OR (period.ends_at, period.partner_no) < ($4, $5::int4))
  AND (NOT $7 OR statement.id IS NOT NULL)
ORDER BY period.ends_at DESC, period.partner_no DESC
LIMIT $6
"""

_DUE_OF_STATE = {
    StatementState.PROVISIONAL: "close",
    StatementState.CLOSED: "clear",
}


class Place(NamedTuple):
    """After which period a page begins: its end, and whose it is. Both name one period."""

    ends_at: datetime
    partner_no: int

    @classmethod
    def read(cls, text: str) -> "Place":
        """Return the place that `written` wrote."""
        seconds, _, partner_no = text.partition(".")
        return cls(datetime.fromtimestamp(int(seconds), UTC), int(partner_no))

    def written(self) -> str:
        """Return the place as text."""
        return f"{int(self.ends_at.timestamp())}.{self.partner_no}"


class Wanted(NamedTuple):
    """Which periods are wanted; None is all."""

    partner_no: int | None = None
    state: StatementState | None = None
    name: str | None = None
    sealed_only: bool = False
    """Only those whose sealing has begun, which have a statement."""


class Listed(NamedTuple):
    """One period and its statement, if sealing has begun."""

    partner_no: int
    no: int
    name: str
    starts_at: datetime
    ends_at: datetime
    cut_off_at: datetime
    calendar: str
    timezone: str
    state: str
    statement: UUID | None
    is_empty: bool
    """Nothing is on its statement, or nothing was frozen yet."""

    @property
    def place(self) -> Place:
        """Where the page after it begins."""
        return Place(self.ends_at, self.partner_no)

    def due(self, at: datetime) -> str | None:
        """Return what is to be done at `at`: `seal`, `close`, `clear`, or nothing yet or more."""
        if self.state in {StatementState.OPEN, StatementState.CUT_OFF}:
            return "seal" if self.cut_off_at <= at else None
        if self.state == StatementState.CLOSED and self.is_empty:
            return None  # nothing is to be paid, so no cycle takes it
        return _DUE_OF_STATE.get(StatementState(self.state))


async def page(
    connection: Connection, wanted: Wanted, *, after: Place | None, limit: int
) -> tuple[list[Listed], Place | None]:
    """Return at most `limit` periods, and where the next page begins; None after the last one."""
    state = None if wanted.state is None else wanted.state.value
    ends_at, partner_no = (None, None) if after is None else after
    rows = await connection.fetch(
        _PAGE,
        wanted.partner_no,
        state,
        wanted.name,
        ends_at,
        partner_no,
        limit + 1,
        wanted.sealed_only,
    )
    found = [Listed._make(row) for row in rows]
    return found[:limit], found[limit - 1].place if len(found) > limit else None
