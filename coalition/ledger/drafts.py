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
from coalition.ledger.accounts import Kind
from coalition.ledger.provenance import Provenance
from coalition.ledger.selecting import LotFilter, NewEnd, Onward, Side, Sources, TakingOrder


class Till(msgspec.Struct, frozen=True, gc=False):
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


class Grant(msgspec.Struct, frozen=True, gc=False):
    """Points of one provenance, part of an issue."""

    provenance: Provenance
    points: int


class Purchase(msgspec.Struct, frozen=True, gc=False):
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
    onward: tuple[Onward, ...] | None = None
    """To whom shares of it go on; None: nobody has asked yet."""
    kind: Kind = Kind.ISSUE
    """Or `Kind.BENEFIT`, of the operator and without a receipt."""
    reason: str | None = None
    """Of a benefit: what it was given for."""


class Redeem(msgspec.Struct, frozen=True, gc=False):
    """Take points from a holder as payment at a partner."""

    holder: UUID
    till: Till
    currency_no: int
    points: int
    sources: Sources | None = None
    """Whose points it may take; None: nobody has asked yet, and only the holder's own."""


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Reserve points of a holder until `expires_at`; nothing moves."""

    holder: UUID
    till: Till
    currency_no: int
    points: int
    expires_at: datetime
    sources: Sources | None = None


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


class Waiting(NamedTuple):
    """Until when a hold reserves what a transfer takes, on a receipt that nobody claims."""

    until: datetime
    receipt: str


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """Move points of a holder, the sender, to another, keeping where they came from.

    Points that would arrive past their last day are not taken. The whole is done or nothing.
    """

    holder: UUID
    receiver: UUID
    till: Till
    """Of the operator, partner 0, without a receipt."""
    currency_no: int
    points: int
    hold: UUID | None = None
    """Take the points of this hold of the sender, and release what is left of it."""
    order: TakingOrder = TakingOrder.EARLIEST_EXPIRY
    lots: LotFilter | None = None
    endings: Mapping[int, NewEnd] | None = None
    """By contract. Points of a contract that is not there carry their end over."""
    contributor: UUID | None = None
    """Who counts as having brought the points to the receiver; None is the receiver itself."""
    classes: Mapping[int, int] | None = None
    """By class, the one at the receiver: see `classes`. One that is not there is kept."""
    activity: frozenset[Side] = frozenset()
    """For whom it sets back clocks, all of that point currency."""
    fee_points: int = 0
    """Taken of the sender beside the points, by a posting of its own."""
    waits: Waiting | None = None
    """Only reserve what it would take, for a draft with that `hold` later."""
    reason: str | None = None


class UndoTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """Give the points of a transfer back, all of them; a fee that was taken for it stays.

    They must lie unspent where they arrived. Of a sender's lot that has ended meanwhile a new one
    takes the place, which can be spent through `grace_expires_on`.
    """

    posting: UUID
    """The half that left the sender."""
    till: Till
    grace_expires_on: date
    reason: str | None = None


_OfPartners = Issue | Redeem | Hold | Capture | Void | Reverse
_OfTheOperator = Adjust | Recover | Convert | Transfer | UndoTransfer
Draft = _OfPartners | _OfTheOperator


class Recovered(NamedTuple):
    """A posting that paid for a debt."""

    posting: UUID
    issue: UUID
    """The issue whose points had been spent when it was reversed."""
    issuer_no: int
    points: int


class Share(NamedTuple):
    """Points of an act that came from another holder, or went on to it or back."""

    holder: UUID
    points: int


class Posted(msgspec.Struct, gc=False):
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
    shares: tuple[Share, ...] = ()
    """What of it other holders gave or got."""


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


class Held(msgspec.Struct, gc=False):
    """A hold that was made or released. `points` is what it reserves, or what was released."""

    hold: UUID
    holder: UUID
    points: int
    expires_at: datetime | None = None
    currency_no: int = 1
    shares: tuple[Share, ...] = ()


class Passed(NamedTuple):
    """Points of a lot of one holder that came into a lot of another."""

    lot: UUID
    into_lot: UUID
    points: int


class Transferred(msgspec.Struct, frozen=True):
    """A transfer that was made, or undone: both halves, and which lots gave to which.

    Of what was undone `holder` is who gave back, and `receiver` who had sent.
    """

    posting: UUID
    """The half that left."""
    into_posting: UUID
    holder: UUID
    receiver: UUID
    points: int
    legs: tuple[Passed, ...] = ()
    fee_posting: UUID | None = None
    currency_no: int = 1


Outcome = Posted | Owed | Paid | Converted | Held | Transferred | Refused
