"""Where points come from, and the lot id that is derived from it.

A lot's id is eight bytes of its holder, two bytes of the last day on which it can be spent, twelve
bits of the month in which it was earned, and 36 bits of a digest of the whole provenance. So the
primary key `(bucket, id)` lists a holder's lots together and by their dates (earliest expiry, then
earned month, then id), which is spending order where there are no clocks, and the application knows
every lot's id before it asks the database.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.ids import digest16, uuid_from_bytes

_FIRST_DAY = date(2000, 1, 1).toordinal()
_FIRST_YEAR = 2000
_NEVER = 0xFFFF
LAST_EXPIRY = date.fromordinal(_FIRST_DAY + _NEVER - 1)
"""The latest expiry that a lot id can carry (2179-06-05); later means never."""

ORDINARY_CLASS = 0
RECEIVED_CLASS = 1
"""Of points that another member has sent: a rule may keep them from moving on."""
NO_CLOCK = 0


class Provenance(NamedTuple):
    """What a rule or a settlement may tell apart; points alike in all of it share one lot."""

    currency_no: int
    issuer_no: int
    contract_no: int
    funder_no: int
    earned_month: int
    """Year and month as the number yyyymm, in the coalition's zone."""
    expires_on: date | None
    """The last day on which the points can be spent; None is never."""
    issue_price: Decimal
    """Money per point by the issuing partner's contract version."""
    prefunded_share: Decimal
    """The share of the price that is paid at issue, 0..1, by the funder's contract."""
    clock_no: int = NO_CLOCK
    class_no: int = ORDINARY_CLASS
    contributor: UUID | None = None
    """The member who brought the points into a pool; None is the holder itself."""


def of_its_own(provenance: Provenance, holder: UUID) -> Provenance:
    """Return the provenance at `holder`, where points that it brought itself are its own."""
    return provenance._replace(contributor=None) if provenance.contributor == holder else provenance


@lru_cache(maxsize=65_536)
def _tail(provenance: Provenance) -> bytes:
    month = provenance.earned_month
    month_no = (month // 100 - _FIRST_YEAR) * 12 + month % 100 - 1
    assert 0 <= month_no < 1 << 12, "points are earned between 2000 and 2340"
    parts = provenance._replace(
        issue_price=f"{provenance.issue_price:.9f}",  # type: ignore[arg-type]  # one text per value,
        prefunded_share=f"{provenance.prefunded_share:.6f}",  # type: ignore[arg-type]  # 0.01 and 0.010
    )
    digest = int.from_bytes(digest16(*(str(part) for part in parts)), "big") >> (128 - 36)
    return _day(provenance.expires_on) + (month_no << 36 | digest).to_bytes(6, "big")


def _day(day: date | None) -> bytes:
    if day is None or day > LAST_EXPIRY:
        return _NEVER.to_bytes(2, "big")
    return max(day.toordinal() - _FIRST_DAY, 0).to_bytes(2, "big")


def of_holder(holder: UUID, provenance: Provenance) -> Provenance:
    """Return a provenance as it is kept by `holder`: what it brought itself is simply its own."""
    if provenance.contributor is None or provenance.contributor != holder:
        return provenance
    return provenance._replace(contributor=None)


def lot_id(holder: UUID, provenance: Provenance) -> UUID:
    """Return the id of the lot in which `holder` keeps points of this provenance."""
    if provenance.contributor is not None:
        provenance = of_holder(holder, provenance)
    return uuid_from_bytes(holder.bytes[:8] + _tail(provenance))


def lowest_lot(holder: UUID) -> UUID:
    """Return the least id that a lot of `holder` can have, whatever day it ends."""
    return uuid_from_bytes(holder.bytes[:8] + b"\x00" * 8)


def last_lot(holder: UUID) -> UUID:
    """Return the greatest id that a lot of `holder` can have."""
    return uuid_from_bytes(holder.bytes[:8] + b"\xff" * 8)


def may_live(lot: UUID, today: date) -> bool:
    """Tell whether the last day of `lot`, which its id tells, has not passed on `today`."""
    return lot.bytes[8:10] >= _day(today)


def bounds_of(holders: Iterable[UUID], today: date) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Return between which ids lots of each of `holders` are, as bytes.

    That is `lowest_lot`, the least that one can have which is spendable on `today`, and `last_lot`.
    """
    begins = [holder.bytes[:8] for holder in holders]
    spendable = _day(today) + b"\x00" * 6
    return (
        [begin + b"\x00" * 8 for begin in begins],
        [begin + spendable for begin in begins],
        [begin + b"\xff" * 8 for begin in begins],
    )


def counterpart(lot: UUID, holder: UUID) -> UUID:
    """Return the lot in which `holder` keeps points of the provenance of another holder's lot."""
    return uuid_from_bytes(holder.bytes[:8] + lot.bytes[8:])
