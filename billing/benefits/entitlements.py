"""An entitlement: for how long a plan's benefits hold for a member, and what stands behind it."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import msgspec


class Ground(StrEnum):
    """What stands behind an entitlement; without one there is no benefit (I9)."""

    TRIAL = "trial"
    PAID = "paid"
    GRACE = "grace"
    GIFT = "gift"
    COMPED = "comped"
    SPONSORED = "sponsored"
    SHARED = "shared"
    """Somebody of the family pays, and has named the member."""


class Pool(NamedTuple):
    """The membership whose uses of a benefit a sharer's count to, and the member who pays it."""

    payer: UUID
    membership_id: UUID


class Entitlement(msgspec.Struct, frozen=True, kw_only=True):
    """The benefits of a plan hold from `begins` until just before `ends`.

    `period_start` and `period_end` are the billing period it belongs to, by which consumables are
    counted; `source` is what stands behind it at Stripe or here (an invoice, a gift, ...).
    """

    plan_no: int
    begins: datetime
    ends: datetime
    ground: Ground
    period_start: datetime
    period_end: datetime
    source: str
    taken_back: bool = False
    """Whether its payment was refunded, withdrawn from or lost in a dispute, which ended it: points
    that were given by the month in it go back. An end by itself (cancelled, paused, upgraded) takes
    nothing back, and neither does a dispute that is still open."""
    price_no: int | None = None
    """Our price of what was tried or paid, or is awaited; None of what nobody pays by a price."""
    recurring_minor: int | None = None
    """What a whole period of it was charged at, tax included, coupons taken off; in grace what it
    was charged at last. None for a trial and for what nobody pays by a price."""
    pool: Pool | None = None
    """Whose plan is shared, where it is: uses of its benefits count together."""
