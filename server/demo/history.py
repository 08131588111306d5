"""A history: who bought where, when and for how much, in months, moved to end before today."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from server.demo.companies import TIMEZONE

ZONE = ZoneInfo(TIMEZONE)


class Basket(NamedTuple):
    """One purchase: a household at a store of a company, in cents."""

    household: int
    company: int
    store: str
    receipt: str
    at: datetime
    """UTC."""
    amount_minor: int
    has_coupon: bool
    """Whether the household redeemed a coupon that day: then it also thinks of its points."""


class History(msgspec.Struct, frozen=True):
    """All of it: where it comes from, the stores of each company, the baskets in time order."""

    source: str
    note: str
    stores: list[list[str]]
    """Codes by company."""
    baskets: list[Basket]

    @property
    def households(self) -> int:
        """How many households there are."""
        return len({basket.household for basket in self.baskets})


class Month(NamedTuple):
    """A calendar month of the coalition's zone and what was bought in it."""

    number: int
    """yyyymm."""
    baskets: list[Basket]


def months_of(baskets: Iterable[Basket]) -> Iterator[Month]:
    """Yield the months of `baskets`, which are in time order."""
    for number, group in groupby(baskets, key=lambda basket: month_number(basket.at)):
        yield Month(number, list(group))


def month_number(at: datetime) -> int:
    """Return the month of `at` in the coalition's zone as yyyymm."""
    local = at.astimezone(ZONE)
    return local.year * 100 + local.month


def beginning_of_next(month: Month) -> datetime:
    """Return when the month after `month` begins, in UTC."""
    year, number = divmod(month.number, 100)
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=ZONE).astimezone(UTC)


def shift_to_end_before(last: datetime, now: datetime) -> timedelta:
    """Return the whole weeks by which a history that ends at `last` is moved to end before today.

    It then ends yesterday, or up to six days before: weekdays stay what they were.
    """
    midnight = now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - last.astimezone(ZONE)) // timedelta(weeks=1) * timedelta(weeks=1)
