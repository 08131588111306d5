"""What will end when, of one holder and of all: by date, by clock, or with a suspension."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of
from coalition.ledger.holders import OPEN_END
from coalition.ledger.provenance import last_lot, lowest_lot

# The last day is that of the date or of the clock, whichever is first, but never one on which
# expiry is suspended. What has ended already, and waits to be booked, is not among them.
_WITH_LAST_DAYS = """
CROSS JOIN LATERAL (
    SELECT expiry_suspended_until FROM holder
    WHERE holder.bucket = lot.bucket AND holder.id = lot.holder) AS kept
LEFT JOIN LATERAL (
    SELECT live_until FROM holder_clock
    WHERE holder_clock.bucket = lot.bucket AND holder_clock.holder = lot.holder
      AND holder_clock.currency_no = lot.currency_no
      AND holder_clock.clock_no = lot.clock_no) AS clock ON true
CROSS JOIN LATERAL (
    SELECT greatest(least(lot.expires_on, clock.live_until), kept.expiry_suspended_until, (
        SELECT until FROM kept_share
        WHERE kept_share.bucket = lot.bucket AND kept_share.holder = lot.holder
          AND kept_share.contributor = lot.contributor)) AS day
    WHERE least(lot.expires_on, clock.live_until) IS NOT NULL) AS ending
WHERE points_in > points_out + held AND ending.day >= $1 AND ending.day < $2
"""

_OF_HOLDER = f"""
SELECT ending.day, sum(points_in - points_out - held)::int8
FROM lot {_WITH_LAST_DAYS}
  AND lot.bucket = $3 AND lot.id BETWEEN $4 AND $5 AND lot.holder = $6 AND lot.currency_no = $7
GROUP BY ending.day ORDER BY ending.day
"""  # noqa: S608 - our own conditions

_FORECAST = f"""
SELECT date_trunc('month', ending.day)::date, lot.issuer_no, lot.currency_no,
       sum(points_in - points_out - held)::int8
FROM lot {_WITH_LAST_DAYS}
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - our own conditions

_NOTICES = f"""
SELECT lot.holder, lot.contributor, lot.contract_no, lot.currency_no, ending.day, notice.days,
       sum(points_in - points_out - held)::int8
FROM unnest($3::int4[], $4::int4[]) AS notice (contract_no, days)
JOIN lot ON lot.contract_no = notice.contract_no {_WITH_LAST_DAYS}
  AND lot.bucket BETWEEN $5 AND $6
  AND ending.day - notice.days > $7 AND ending.day - notice.days <= $1
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 5, 6, 4, 2, 3
"""  # noqa: S608 - our own conditions


class Ending(NamedTuple):
    """Points and the last day on which they can be spent, as things stand."""

    day: date
    points: int


class Forecast(NamedTuple):
    """Points of an issuer that end within a month, named by its first day."""

    month: date
    issuer_no: int
    currency_no: int
    points: int


class Notice(NamedTuple):
    """Points of a contract that end on a day which is so many days away, or was so lately.

    `contributor` is who brought them to the holder, which mostly is the holder itself.
    """

    holder: UUID
    contributor: UUID
    contract_no: int
    currency_no: int
    day: date
    days: int
    points: int


async def of_holder(
    connection: Connection, holder: UUID, *, currency_no: int, today: date
) -> list[Ending]:
    """Return what of `holder` ends when, the next first; points that never end are left out."""
    rows = await connection.fetch(
        _OF_HOLDER,
        today,
        OPEN_END,
        bucket_of(holder),
        lowest_lot(holder),
        last_lot(holder),
        holder,
        currency_no,
    )
    return [Ending._make(row) for row in rows]


async def forecast(
    connection: Connection, *, today: date, before: date = OPEN_END
) -> list[Forecast]:
    """Return what ends from `today` on and before a day, by month, issuer and point currency."""
    return [Forecast._make(row) for row in await connection.fetch(_FORECAST, today, before)]


async def notices(
    connection: Connection,
    days_of_contracts: Mapping[int, Sequence[int]],
    *,
    first_bucket: int,
    last_bucket: int,
    after: date,
    today: date,
) -> list[Notice]:
    """Return of whom to tell what: points whose notice day lies after `after`, through `today`.

    `days_of_contracts` says for each contract how many days before points end their holder is told.
    After days without a run the same points may have several notice days. In the order of holders,
    days, notice days and currencies.
    """
    pairs = [(no, days) for no, each in days_of_contracts.items() for days in each]
    rows = await connection.fetch(
        _NOTICES,
        today,
        OPEN_END,
        [no for no, _ in pairs],
        [days for _, days in pairs],
        first_bucket,
        last_bucket,
        after,
    )
    return [Notice._make(row) for row in rows]
