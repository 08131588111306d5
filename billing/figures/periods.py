"""What each period of a membership has cost its member, and what it has saved, the latest first."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from billing.benefits import value
from billing.benefits.value import Stretch
from billing.subscriptions.entries import Entry
from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money


class PeriodView(msgspec.Struct, frozen=True, kw_only=True):
    """One period that was paid for, and what benefits saved in it, those who share it too.

    `paid` is less what went back.
    """

    period_start: datetime
    period_end: datetime
    paid: Money
    saved: Money


async def read(
    connection: Connection,
    member: MemberId,
    booked: Sequence[Entry],
    *,
    known: Catalogue,
    most: int,
) -> tuple[PeriodView, ...]:
    """Return at most so many periods that `booked`, all entries of a member, are for.

    What was charged for a part of a period, such as an upgrade in its midst, counts to the period
    in which it begins. A year is one period, as it was paid.
    """
    found = []
    for stretch, mine in _periods(booked)[:most]:
        of, currency = mine[0].membership_id, mine[0].amount.currency
        assert of is not None, "what is for a period is for a membership"
        together = await value.saved_together(
            connection, member, of, stretch, known=known, currency=currency
        )
        found.append(
            PeriodView(
                period_start=stretch.begins,
                period_end=stretch.ends,
                paid=Money(sum(one.amount.amount_minor for one in mine), currency),
                saved=value.total(together.all, currency),
            )
        )
    return tuple(found)


def _periods(booked: Sequence[Entry]) -> list[tuple[Stretch, list[Entry]]]:
    """Return the stretches that were paid for, which do not overlap, each with its entries."""
    dated = [
        (Stretch(one.period_start, one.period_end), one)
        for one in booked
        if one.membership_id is not None
        and one.period_start is not None
        and one.period_end is not None
    ]
    found: list[tuple[Stretch, list[Entry]]] = []
    for stretch, one in sorted(dated, key=lambda two: (two[0].begins, two[1].occurred_at)):
        last = found[-1] if found else None
        if last is not None and _belongs(stretch, one, *last):
            last[1].append(one)
            found[-1] = (Stretch(last[0].begins, max(last[0].ends, stretch.ends)), last[1])
        else:
            found.append((stretch, [one]))
    return found[::-1]


def _belongs(stretch: Stretch, one: Entry, last: Stretch, entries: list[Entry]) -> bool:
    return (
        stretch.begins < last.ends
        and one.membership_id == entries[0].membership_id
        and one.amount.currency == entries[0].amount.currency
    )
