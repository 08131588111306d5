"""What will expire when: told to partners and staff, and to members in time, each once."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import UNSET

from coalition.federation.catalogue import Catalogue
from coalition.kernel import outbox
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import BUCKETS, BUCKETS_PER_SHARD, shard_of
from coalition.ledger import endings, holders
from coalition.ledger.endings import Notice
from coalition.ledger.refusals import UnknownHolder
from coalition.points import telling
from coalition.points.commands import PointCurrencyTold
from coalition.points.terms import Terms

EXPIRING = "points.expiring"
"""The event that points of a member will end: who, how many, when, and how many days before."""

# A run goes from range to range of buckets; each keeps the day through which it has told.
_TOLD_THROUGH = "SELECT told_through FROM expiry_notice WHERE first_bucket = $1 FOR UPDATE"
_TELL = """
INSERT INTO expiry_notice (first_bucket, told_through) VALUES ($1, $2)
ON CONFLICT (first_bucket) DO UPDATE SET told_through = excluded.told_through
"""


class ExpiringPoints(msgspec.Struct, frozen=True):
    """Points and the last day on which they can be spent."""

    expires_on: date
    points: int


class ExpiringAnswer(msgspec.Struct, frozen=True):
    """What of a member's points expires when, the next first; what never does is left out."""

    member_id: UUID
    expiring: list[ExpiringPoints]
    point_currency: PointCurrencyTold = UNSET


async def of_member(
    connection: Connection, member: UUID, *, terms: Terms, at: datetime, code: str | None = None
) -> ExpiringAnswer:
    """Return what of `member` expires when, as things stand: an activity sets its clocks back.

    Of a member that was merged into another it is what the survivor has.

    Raises `UnknownHolder` or `UnknownPointCurrency`.
    """
    currency_no = terms.catalogue.currency_no(code)
    kept = (await holders.read_states(connection, [member])).get(member)
    if kept is None:
        raise UnknownHolder
    member = kept.merged_into or member
    found = await endings.of_holder(
        connection, member, currency_no=currency_no, today=terms.day(at)
    )
    return ExpiringAnswer(member, [ExpiringPoints(*one) for one in found], code or UNSET)


async def notify(
    known: Catalogue, at: datetime, *, languages: telling.Languages = telling.chosen
) -> int:
    """Tell of points that will end, on the notice days of their contracts; return how many events.

    One event for each member, last day, point currency and notice day, with the points that end
    then; and one message to each member, in one of `languages`. Done again it tells nothing twice,
    and after days without a run what was missed, unless it has ended meanwhile. Points that come
    within the notice are not told of: their holder has just heard when they end.
    """
    days = {one.no: one.expiry_notice_days for one in known.contracts if one.expiry_notice_days}
    if not days:
        return 0
    today = at.astimezone(known.zone).date()
    told = 0
    for first in range(0, BUCKETS, BUCKETS_PER_SHARD):

        async def tell(first: int = first, before: int = told) -> int:
            async with transaction() as connection:
                through = await connection.fetchval(_TOLD_THROUGH, first)
                after = through or today - timedelta(days=1)
                if after >= today:
                    return 0
                notices = await endings.notices(
                    connection,
                    days,
                    first_bucket=first,
                    last_bucket=first + BUCKETS_PER_SHARD - 1,
                    after=after,
                    today=today,
                )
                events = _events(notices, known, shard_of(first))
                await outbox.append(connection, events, at)
                await telling.tell(
                    connection, notices, known, languages=languages, at=at, before=before
                )
                await connection.execute(_TELL, first, today)
                return len(events)

        told += await retrying(tell)
    return told


def _events(notices: Sequence[Notice], known: Catalogue, shard: int) -> list[outbox.Event]:
    """Return an event for each holder, day, notice day and currency, whoever issued the points."""
    sums: defaultdict[tuple[UUID, date, int, int], int] = defaultdict(int)
    for one in notices:
        sums[one.holder, one.day, one.days, one.currency_no] += one.points
    return [
        outbox.Event(
            EXPIRING,
            {
                "member_id": str(holder),
                "points": points,
                "point_currency": known.currency_by_no(currency_no).code,
                "expires_on": day.isoformat(),
                "days_before": days,
            },
            shard=shard,
        )
        for (holder, day, days, currency_no), points in sums.items()
    ]
