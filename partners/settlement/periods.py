"""Writes down the periods of all partners, each once, by the contract in force when it begins.

The version in force at the end of one period decides the calendar of the next; the operator,
partner 0, has months in the coalition's zone. Rows are made a little ahead, so that whoever books
finds the period of anything that was posted.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import asyncpg
import msgspec

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue, beginning
from coalition.federation.terms import Calendar
from coalition.kernel.database import Connection, transaction
from partners.settlement.calendars import Period, next_period
from partners.settlement.kinds import OPERATOR
from partners.settlement.refusals import UnknownPeriod

AHEAD = timedelta(hours=1)
"""How far beyond the present there are periods. Postings may lie minutes ahead; a new calendar can
be agreed on until this long before the period with which it takes effect."""

_IS_MISSING = """
SELECT EXISTS (SELECT FROM contract)
   AND (SELECT count(DISTINCT partner_no) FROM contract) + 1
     > (SELECT count(DISTINCT partner_no) FROM settlement_period WHERE ends_at > $1)
"""
_LATEST = "SELECT DISTINCT ON (partner_no) * FROM settlement_period ORDER BY partner_no, no DESC"
_INSERT = """
INSERT INTO settlement_period
    (partner_no, no, name, starts_at, ends_at, cut_off_at, calendar, timezone)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_SINCE = """
SELECT * FROM settlement_period WHERE $1::timestamptz IS NULL OR ends_at > $1
ORDER BY partner_no, no
"""
_OF = "SELECT * FROM settlement_period WHERE partner_no = $1 AND no = $2"
_NAMED = "SELECT * FROM settlement_period WHERE partner_no = $1 AND name = $2"
_ALL_NAMED = "SELECT * FROM settlement_period WHERE name = $1 ORDER BY partner_no"


async def ensure(at: datetime) -> None:
    """Write down the periods of all partners and the operator through `AHEAD` of `at`.

    Cheap when nothing is missing. In a transaction of its own, and safe to run anywhere at once:
    the first writes what is missing, the others find it. Without a coalition there is nothing to
    do.
    """
    horizon = at + AHEAD
    async with transaction() as connection:
        if not await connection.fetchval(_IS_MISSING, horizon):
            return
    async with transaction() as connection:
        # Under this lock contracts stand still, and whoever comes second reads what was written.
        await catalogue.bump(connection)
        known = await catalogue.load(connection)
        latest = {row["partner_no"]: _period(row) for row in await connection.fetch(_LATEST)}
        rows = [msgspec.structs.astuple(period) for period in _missing(known, latest, horizon)]
        await connection.executemany(_INSERT, rows)


async def load(connection: Connection, since: datetime | None = None) -> dict[int, list[Period]]:
    """Return the periods that end after `since` (None: all), by partner and ascending."""
    found: dict[int, list[Period]] = defaultdict(list)
    for row in await connection.fetch(_SINCE, since):
        found[row["partner_no"]].append(_period(row))
    return dict(found)


async def find(connection: Connection, partner_no: int, no: int) -> Period:
    """Return a partner's period by its number; raises `UnknownPeriod`."""
    row = await connection.fetchrow(_OF, partner_no, no)
    if row is None:
        raise UnknownPeriod(partner_no=partner_no, period_no=no)
    return _period(row)


async def named(connection: Connection, partner_no: int, name: str) -> Period:
    """Return a partner's period by its name. Raises `UnknownPeriod`."""
    row = await connection.fetchrow(_NAMED, partner_no, name)
    if row is None:
        raise UnknownPeriod(partner_no=partner_no, period=name[:64])
    return _period(row)


async def all_named(connection: Connection, name: str) -> list[Period]:
    """Return the periods of this name, by partner. Raises `UnknownPeriod` when nobody has one."""
    rows = await connection.fetch(_ALL_NAMED, name)
    if not rows:
        raise UnknownPeriod(period=name[:64])
    return [_period(row) for row in rows]


def _period(row: asyncpg.Record) -> Period:
    return msgspec.convert(dict(row), Period)


def _missing(known: Catalogue, latest: Mapping[int, Period], horizon: datetime) -> Iterator[Period]:
    for partner_no in (OPERATOR, *sorted({contract.partner_no for contract in known.contracts})):
        previous = latest.get(partner_no)
        while previous is None or previous.ends_at <= horizon:
            previous = _next(known, partner_no, previous)
            yield previous


def _next(known: Catalogue, partner_no: int, previous: Period | None) -> Period:
    starts_at = _begins(known, partner_no) if previous is None else previous.ends_at
    if partner_no == OPERATOR:
        calendar, timezone, grace_hours = Calendar.MONTHLY, known.coalition.timezone, 0
    else:
        version = known.contract_at(partner_no, starts_at)
        calendar, timezone = version.calendar, version.timezone
        grace_hours = version.cut_off_grace_hours
    return next_period(
        partner_no=partner_no,
        previous=previous,
        starts_at=starts_at,
        calendar=calendar,
        timezone=timezone,
        grace_hours=grace_hours,
    )


def _begins(known: Catalogue, partner_no: int) -> datetime:
    """Return when the earliest contract begins: the partner's own, for the operator anybody's."""
    versions = known.contracts if partner_no == OPERATOR else known.contracts_of(partner_no)
    return min(beginning(version) for version in versions)
