"""What the evaluator is asked, what it is told, and what it answers. Pure data.

An act is judged by a rule set, the parties as they stand, and what was used of limits before.
Whoever gathers these (see `facts`) asks only for what `rules.needs` names.
"""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.families.rule_sets.notation import Money
from coalition.families.rule_sets.vocabulary import (
    Approver,
    Channel,
    CountsAsActivity,
    Event,
    ExpiryTreatment,
    Kind,
)

LIFETIME = date(1, 1, 1)
"""The day under which all days together are counted."""


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A member as it stands at the time of an act; what was not asked for is None."""

    member: UUID
    joined: datetime
    """When it became a member of the coalition."""
    is_active: bool = True
    """Neither frozen nor closed."""
    has_open_case: bool = False
    born: date | None = None
    country: str | None = None
    address: bytes | None = None
    """A keyed digest of the normalised address."""
    address_registered: bool = False
    name: bytes | None = None
    """A keyed digest of the normalised full name."""
    tier: str | None = None
    plan: str | None = None
    segments: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    """`identity_verified` and others."""
    balance: int = 0
    """What it can spend of its own."""
    transferable: int | None = None
    """What of that the rule set lets move; None is all of it."""
    earned: int = 0
    """Points earned over the whole membership, less what was reversed."""
    active_months: int = 0
    """Months of the last twelve in which points were earned."""
    was_active: bool = False
    """Whether points were ever earned."""
    groups: int = 0
    """Groups of the rule set's kind that it belongs to now."""
    left_at: datetime | None = None
    """When it last left a group of this kind."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a member is in the group that an act is about."""

    role: str
    kind: Kind
    joined_at: datetime
    may_spend: bool = True
    """False where the head has taken the right."""


class Slot(NamedTuple):
    """When somebody left a group, and how it had counted."""

    kind: Kind
    left_at: datetime


class GroupFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The group that an act is about, as it stands before the act."""

    group: UUID
    formed_at: datetime
    counts: dict[Kind, int] = {}
    """How many of each kind belong to it now; the head is among the adults."""
    open_invitations: dict[Kind, int] = {}
    """Of others than the one who joins by the act."""
    left: tuple[Slot, ...] = ()
    """Who left lately."""
    change_session_at: datetime | None = None
    """When the last change that counted began."""
    is_frozen: bool = False
    """Being separated: nothing moves until that is settled."""
    pool: int = 0
    """What its account holds, or all members can spend together."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to do."""

    event: Event
    at: datetime
    points: int = 0
    channel: Channel = Channel.ONLINE
    purpose: str | None = None
    """The reward that the points are for."""
    for_self: bool = True
    """Whether what is redeemed is for whoever redeems."""
    relationship: str | None = None
    """What the receiver is to the sender, or the member to the head, as known or declared."""
    evidence: bool = False
    """Whether that was proved."""
    evidence_asked: bool = False
    given_name: bytes | None = None
    """The digest of the name that the sender gave for the receiver."""
    kind: Kind = Kind.ADULT
    """As what a member joins."""
    has_guardian_in_group: bool = False
    """Whether a minor's guardian belongs to the group."""
    by_head: bool = False
    """Whether the head has a member leave, not the member itself."""
    future_percent: int | None = None
    new_receiver: bool = False
    new_device: bool = False
    stepped_up_at: datetime | None = None
    """When the sender last signed in with its full credentials."""
    pays_in_points: bool = False
    """Whether a fee that may be paid in either is paid in points."""
    received: int = 0
    """How many of the sender's spendable points it has received and may not move on."""


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """Who is concerned: who acts, the other side, the group and its head."""

    actor: Party
    """The sender; the member that joins, leaves, contributes or redeems."""
    receiver: Party | None = None
    head: Party | None = None
    group: GroupFacts | None = None
    actor_place: Place | None = None
    receiver_place: Place | None = None


class UsageKey(NamedTuple):
    """Under what usage is kept: a subject, its side in the act, and the event."""

    subject: UUID
    side: str
    """sender, receiver, member or group."""
    event: Event


class UsageWanted(NamedTuple):
    """Days of usage that the evaluator has to be told, both included.

    It may be told sums of days that no window tells apart, and of others whom nothing tells apart.
    """

    key: UsageKey
    first: date
    last: date
    cuts: tuple[date, ...] = ()
    """Later days on which windows begin."""
    only: UUID | None = None
    """An other whose uses are asked for by themselves."""
    is_apart: bool = False
    """Whether all others are told apart: they are counted."""


class DayUse(NamedTuple):
    """What a subject used on one local day with one other member (a nil UUID: with nobody)."""

    day: date
    other: UUID
    amount: int
    times: int


class Usage(msgspec.Struct, frozen=True):
    """What was used before an act, by key; what was not wanted is not there."""

    days: dict[UsageKey, tuple[DayUse, ...]] = {}


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why an act may not be done now."""

    rule: str
    limit: int | str | None
    """The rule's own number or word."""
    used: int | str | None
    """What was measured before the act; of least, most, step and age what was asked or is so."""
    remaining: int | None = None
    """Of caps, how much is left."""
    next_possible_at: datetime | None = None
    """The first instant at which the same act would pass this rule; None: waiting does not help."""
    private: tuple[str, ...] = ()
    """The fields that tell what another than whoever acts has done."""

    def told(self) -> dict[str, object]:
        """Return what is told of it, by name."""
        facts = msgspec.structs.asdict(self)
        del facts["private"]
        return facts


class FeeDue(msgspec.Struct, frozen=True, kw_only=True):
    """What an act costs, resolved; of the two one is set."""

    payer: str
    money: Money | None = None
    points: int | None = None


class UsageMade(NamedTuple):
    """What an act that passes adds to usage; `day` is the local day."""

    key: UsageKey
    other: UUID
    day: date
    amount: int
    times: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say: all failures in the rule set's order, and what goes with the act."""

    failures: tuple[Failure, ...] = ()
    fees: tuple[FeeDue, ...] = ()
    approvals: tuple[Approver, ...] = ()
    needs_step_up: bool = False
    """Whether the sender has to sign in anew first; it is a failure `control.step_up_above`."""
    hold_hours: int = 0
    undo_hours: int = 0
    expiry: ExpiryTreatment = ExpiryTreatment.CARRIED
    expiry_months: int | None = None
    activity: CountsAsActivity = CountsAsActivity.NONE
    usage: tuple[UsageMade, ...] = ()
    starts_change_session: bool = False

    @property
    def passes(self) -> bool:
        """Tell whether nothing stands in the way."""
        return not self.failures
