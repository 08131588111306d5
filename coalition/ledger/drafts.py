"""What can be asked of the ledger, and what it answers.

A draft is an intention with everything decided: amounts, provenance, days. The ledger posts it or
refuses it; it does not know contracts or earning rules.
"""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.kernel.errors import Refused
from coalition.ledger.provenance import Provenance


class Till(NamedTuple):
    """Who asks: the partner, its store and client, and the receipt that the act stands on."""

    partner_no: int
    store_no: int | None
    client_no: int | None
    receipt: str | None
    business_day: date
    """The receipt's day in the coalition's zone; it is used once per store, day and kind."""
    occurred_at: datetime
    cashier: str | None = None
    """Who stands at the till, in the partner's own words."""


class Grant(NamedTuple):
    """Points of one provenance, part of an issue."""

    provenance: Provenance
    points: int


class Purchase(NamedTuple):
    """The purchase behind an issue, kept so that a partial return can be computed again."""

    amount_minor: int
    currency: str


class Issue(msgspec.Struct, frozen=True, gc=False):
    """Give points to a holder; each grant names its provenance. All grants share one currency."""

    holder: UUID
    till: Till
    grants: tuple[Grant, ...]
    purchase: Purchase | None = None
    rule_no: int | None = None
    is_open: bool = False
    """The grants depend on what the holder got before: see `posting.Decide`."""


class Redeem(msgspec.Struct, frozen=True, gc=False):
    """Take points from a holder as payment at a partner."""

    holder: UUID
    till: Till
    currency_no: int
    points: int


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Reserve points of a holder until `expires_at`; nothing moves."""

    holder: UUID
    till: Till
    currency_no: int
    points: int
    expires_at: datetime


class Capture(msgspec.Struct, frozen=True, gc=False):
    """Redeem all (None) or part of a hold; the rest is released in the same posting."""

    hold: UUID
    partner_no: int
    client_no: int | None
    points: int | None


class Void(msgspec.Struct, frozen=True, gc=False):
    """Release a hold whole."""

    hold: UUID
    partner_no: int


class Reverse(msgspec.Struct, frozen=True, gc=False):
    """Reverse what is left (None) or part of a posting.

    A returned redemption goes back to the lots of its legs, in `order`: `reverse` from the last leg
    backwards, `proportional` by largest remainder. A lot that has expired meanwhile is replaced by
    one that can be spent through `grace_expires_on`. A reversed issue takes back unspent points, or
    refuses.
    """

    posting: UUID
    till: Till
    points: int | None
    order: str
    grace_expires_on: date
    reason: str | None = None


Draft = Issue | Redeem | Hold | Capture | Void | Reverse


class Posted(msgspec.Struct):
    """A posting that was made."""

    posting: UUID
    holder: UUID
    points: int


class Held(msgspec.Struct):
    """A hold that was made or released. `points` is what it reserves, or what was released."""

    hold: UUID
    holder: UUID
    points: int
    expires_at: datetime | None = None


Outcome = Posted | Held | Refused
