"""What can be asked of the ledger, and what it answers.

A draft is an intention with everything decided: amounts, provenance, days. The ledger posts it or
refuses it; it does not know contracts or earning rules.
"""

from collections.abc import Mapping
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
    one that can be spent through `grace_expires_on`.

    A reversed issue takes back unspent points. The spent ones it books as a debt where `debts` has
    the contract of their lots, and refuses the whole where it does not.
    """

    posting: UUID
    till: Till
    points: int | None
    order: str
    grace_expires_on: date
    reason: str | None = None
    debts: Mapping[int, int] = {}
    """By contract: how much of each later issue pays the debt, in percent; 0 waits for staff."""
    by_funder: Mapping[int, int] = {}
    """Of an issue: how many of the points each funder had paid for; theirs go back first."""


class Adjust(msgspec.Struct, frozen=True, gc=False):
    """Give points of a provenance to a holder, or take points in spending order, as staff decided.

    The other side is `adjusted` of the till's partner, of the operator when that is 0.
    """

    holder: UUID
    till: Till
    currency_no: int
    points: int
    reason: str
    given: Provenance | None = None
    """Where points come from that are given; without it they are taken."""


class Recover(msgspec.Struct, frozen=True, gc=False):
    """Let points that a holder has pay what it owes, as staff decided; the oldest debt first."""

    holder: UUID
    till: Till
    currency_no: int
    points: int | None
    """None is as many as are owed and there."""
    issue: UUID | None = None
    """Only the debt that this issue left."""
    reason: str | None = None


class Convert(msgspec.Struct, frozen=True, gc=False):
    """Exchange points of one currency: every `from_points` taken become `to_points` given."""

    holder: UUID
    till: Till
    currency_no: int
    to_no: int
    points: int
    """At most so many are taken; less what no lot can give in whole multiples."""
    from_points: int
    to_points: int


Draft = Issue | Redeem | Hold | Capture | Void | Reverse | Adjust | Recover | Convert


class Recovered(NamedTuple):
    """A posting that paid for a debt."""

    posting: UUID
    issue: UUID
    """The issue whose points had been spent when it was reversed."""
    issuer_no: int
    points: int


class Posted(msgspec.Struct):
    """A posting that was made."""

    posting: UUID
    holder: UUID
    points: int
    debt: int = 0
    """Points of a reversed issue that are owed since they had been spent; not among `points`."""
    recovered: tuple[Recovered, ...] = ()
    """What of issued points paid for debts at once; it is among `points`."""
    currency_no: int = 1
    """The point currency; the coalition's own unless said."""


class Owed(msgspec.Struct):
    """A reversal that could take nothing back: its points had all been spent and are owed now."""

    holder: UUID
    points: int


class Paid(msgspec.Struct):
    """Points that a holder had have paid for debts."""

    holder: UUID
    points: int
    recovered: tuple[Recovered, ...]


class Converted(msgspec.Struct):
    """A conversion that was made: both halves, what was taken, given, and what stayed."""

    posting: UUID
    into_posting: UUID
    holder: UUID
    points: int
    given: int
    remainder: int


class Held(msgspec.Struct):
    """A hold that was made or released. `points` is what it reserves, or what was released."""

    hold: UUID
    holder: UUID
    points: int
    expires_at: datetime | None = None
    currency_no: int = 1


Outcome = Posted | Owed | Paid | Converted | Held | Refused
