"""What a rule set says: the rules of families and transfers as data, in JSON or YAML.

The Structs are the format; `coalition rules schema` publishes their JSON Schema and unknown keys
are refused. A key left out asks for nothing; what no rule set allows is refused. Points are whole,
money is in minor units with its currency. The names of rules in refusals are paths of this format,
such as `transfer.min`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from coalition.families.rule_sets.vocabulary import (
    Approver,
    Channel,
    CountsAsActivity,
    DebitOrder,
    Direction,
    Event,
    ExpiryTreatment,
    LotKind,
    Measure,
    Mechanism,
    OnExit,
    Scope,
    Subject,
)

_END = r"(?![\s\S])"  # as JSON Schema writes the end of a text, where $ lets a line end through
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"

Points = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Most = Annotated[int, Meta(ge=0, le=10**15)]
Count = Annotated[int, Meta(ge=0, le=1000)]
Days = Annotated[int, Meta(ge=0, le=36_600)]
Hours = Annotated[int, Meta(ge=0, le=87_600)]
Years = Annotated[int, Meta(ge=0, le=130)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Minor = Annotated[int, Meta(ge=0, le=10**12)]
Word = Annotated[str, Meta(min_length=1, max_length=60)]
Relationship = Annotated[str, Meta(pattern=rf"^[a-z]+(_[a-z]+)*{_END}", max_length=40)]
"""How two members are related: `spouse`, `grandchild`, `in_law`, any word that is declared."""
Country = Annotated[str, Meta(pattern=rf"^[A-Z]{{2}}{_END}", description="ISO 3166 alpha-2")]
CountryOrList = Annotated[
    str,
    Meta(
        pattern=rf"^([A-Z]{{2}}|[a-z][a-z_]{{1,39}}){_END}",
        description="ISO 3166 alpha-2, or a name from country_lists",
    ),
]
CurrencyCode = Annotated[str, Meta(pattern=rf"^[A-Z]{{3}}{_END}", description="ISO 4217")]
DecimalText = Annotated[
    str,
    Meta(pattern=rf"^[0-9]{{1,4}}(\.[0-9]{{1,6}})?{_END}", description='Text such as "2.5"'),
]
WindowText = Annotated[
    str,
    Meta(
        pattern=r"^(day|calendar_month|calendar_year|membership_year|lifetime"
        rf"|rolling [1-9][0-9]{{0,3}} (days|months)){_END}",
        description="day, calendar_month, calendar_year, membership_year, lifetime, "
        "rolling 30 days, rolling 12 months",
    ),
]
DayText = Annotated[str, Meta(pattern=rf"^{_DAY}{_END}", description="A day, such as 2026-12-24")]
Title = Annotated[str, Meta(min_length=1, max_length=120)]
Identifier = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9_.-]{{0,79}}{_END}")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a rule set; a key that it does not know is refused."""


class Money(_Part, frozen=True, kw_only=True):
    """An amount of money."""

    amount_minor: Minor
    currency: CurrencyCode


class Bounds(_Part, frozen=True, kw_only=True):
    """How many there must be at least, and may be at most."""

    min: Count = 0
    max: Count | None = None


class SpendRule(_Part, frozen=True, kw_only=True):
    """Which points a role or a kind of member may spend, and for whom."""

    scope: Scope
    only_for_self: bool = False
    """Whether what is bought must be for whoever spends."""
    revocable: bool = False
    """Whether the head may take the right from one member."""
    by_grant: bool = False
    """Whether a member has the right only once the head has given it."""


class Group(_Part, frozen=True, kw_only=True):
    """Who and how many belong together, who spends and who sees what."""

    members: Bounds = Bounds(min=1)
    """Everybody who counts: the head, adults and minors; infants and nominees do not."""
    adults: Bounds = Bounds()
    minors: Bounds = Bounds()
    infants: Bounds = Bounds()
    nominees: Bounds = Bounds(max=0)
    groups_per_member: Annotated[int, Meta(ge=1, le=100)] | None = None
    """Of groups under this rule set's kind, at the same time; None is any number."""
    adult_from: Years = 18
    infant_below: Years = 0
    spend: dict[str, SpendRule] = {}
    """By role, else by kind, else by `member`; who is not named spends own points only."""
    sees: Annotated[str, Meta(pattern=rf"^(everything|totals|own){_END}")] = "totals"
    """What members other than the head see of each other's points."""
    minors_only_in_group: bool = False


class AccountDays(_Part, frozen=True, kw_only=True):
    """How many days an account must be old."""

    active: Days = 0
    """With points earned at least once."""
    idle: Days = 0
    """Without."""


class Conditions(_Part, frozen=True, kw_only=True):
    """What is asked of one party; all that is given must hold."""

    relationships: tuple[Relationship, ...] = ()
    """To the other party, or to the head of the group; any of them."""
    evidence: Annotated[str, Meta(pattern=rf"^(none|on_request|required){_END}")] = "none"
    """Whether the relationship has to be proved; on request: staff may ask, and then it must."""
    address: Annotated[str, Meta(pattern=rf"^(none|same|registered_same){_END}")] = "none"
    """The other party's, or the head's; registered: verified against a register."""
    address_checked: Annotated[str, Meta(pattern=rf"^(join|always){_END}")] = "join"
    countries: tuple[CountryOrList, ...] = ()
    min_age: Years | None = None
    min_age_with_guardian: Years | None = None
    """In the place of `min_age` for a minor whose guardian belongs to the group."""
    max_age: Years | None = None
    tiers: tuple[Word, ...] = ()
    plans: tuple[Word, ...] = ()
    segments: tuple[Word, ...] = ()
    identity_verified: bool = False
    name_match: bool = False
    """Of the receiver: whether the name that the sender gives must be its name."""
    good_standing: bool = False
    """Neither frozen nor under an open case."""
    min_account_days: AccountDays | None = None
    min_active_months: Annotated[int, Meta(ge=0, le=12)] | None = None
    """Months of the last twelve in which points were earned."""
    min_earned: Most | None = None
    """Points earned over the whole membership."""
    min_balance: Most | None = None


class Eligibility(Conditions, frozen=True, kw_only=True):
    """What is asked of who acts, sends or joins; beside it what is asked of others."""

    head: Conditions | None = None
    receiver: Conditions | None = None


class Join(_Part, frozen=True, kw_only=True):
    """How members come into a group, and when they may leave and come again."""

    accept: Annotated[str, Meta(pattern=rf"^(invitee|guardian|both|nobody){_END}")] = "invitee"
    """Who must accept; a minor's guardian always counts as the minor."""
    invitation_days: Days = 14
    child_without_invitation: bool = False
    """Whether the head may add a minor whose guardian it is at once."""
    lock_in_days: Days = 0
    """How long a member stays at least, or the slot is taken."""
    freeze_hours: Hours = 0
    """How long after joining the group's points cannot be spent by or from the new member."""
    cooldown_days: Days = 0
    """How long after leaving a member may join no group of this kind."""
    slot_cooldown_days: Days = 0
    """How long after a member has left its place stays empty."""
    change_window_hours: Hours = 0
    """Changes within so many hours after the first count as one."""


class Lots(_Part, frozen=True, kw_only=True):
    """Which points count; empty is all."""

    issuers: tuple[Word, ...] = ()
    """Partners by name or number."""
    classes: tuple[LotKind, ...] = ()
    """Of any of these kinds."""
    max_age_months: Annotated[int, Meta(ge=1, le=600)] | None = None


class Contribution(_Part, frozen=True, kw_only=True):
    """What members bring into a pool."""

    existing: Annotated[str, Meta(pattern=rf"^(none|all|optional){_END}")] = "none"
    """Whether what a member has when it joins goes in; optional: by an act of its own."""
    future_percent: tuple[Percent, ...] = ()
    """The shares of what is earned that may be chosen; the first unless another is."""
    manual: bool = False
    """Whether members may bring more by an act of their own."""
    lots: Lots | None = None


class Transfer(_Part, frozen=True, kw_only=True):
    """What may be sent at once, and what for."""

    min: Points | None = None
    max: Points | None = None
    step: Points | None = None
    purpose: Annotated[str, Meta(pattern=rf"^(any|named_reward){_END}")] = "any"
    may_move_on: bool = True
    """Whether received points may be sent again."""
    spend_on: tuple[Word, ...] = ()
    """Partners at which received or pooled points can be spent, `issuer` for the one that gave
    them; empty is all."""
    lots: Lots | None = None


class Limit(_Part, frozen=True, kw_only=True):
    """A cap: of a subject, so much of a measure, in a window, on an event."""

    subject: Subject
    measure: Measure
    window: WindowText
    max: Most
    on: Event = Event.TRANSFER
    id: Identifier | None = None
    """Names the limit; `subject.measure.window` unless given."""
    within_hours: Hours = 0
    """Several within so many hours after the first count as one."""
    undone_counts: bool = False
    """Whether what was undone stays counted: by this limit, and so by all on transfers."""

    @property
    def name(self) -> str:
        """Return the name of the limit, without `limits.`."""
        window = self.window.replace(" ", "_")
        event = "" if self.on is Event.TRANSFER else f"{self.on}."
        return self.id or f"{event}{self.subject}.{self.measure}.{window}"


class Standing(_Part, frozen=True, kw_only=True):
    """That a party has one of some tiers, plans or segments, or comes through a channel.

    Of several values in one key any will do; all keys that are given must hold.
    """

    tiers: tuple[Word, ...] = ()
    plans: tuple[Word, ...] = ()
    segments: tuple[Word, ...] = ()
    channels: tuple[Channel, ...] = ()


class Bracket(_Part, frozen=True, kw_only=True):
    """What acts of up to so many points cost."""

    up_to: Points | None = None
    """None is all above the bracket before."""
    money: Money | None = None
    points: Most | None = None


class Fee(_Part, frozen=True, kw_only=True):
    """What an act costs, in money or points; where both are given, whoever pays may choose."""

    kind: Annotated[str, Meta(pattern=rf"^(flat|per_block|percent|bracket){_END}")]
    on: Event = Event.TRANSFER
    money: Money | None = None
    """Flat, or for each block."""
    points: Most | None = None
    """Flat, or for each block."""
    block: Points | None = None
    """Points in a block; a block begun counts."""
    percent: DecimalText | None = None
    """Of the points that move, rounded up, in points."""
    brackets: tuple[Bracket, ...] = ()
    payer: Annotated[str, Meta(pattern=rf"^(sender|receiver|head|member){_END}")] = "sender"
    min: Most | None = None
    max: Most | None = None
    """The least and most that a percentage, or all blocks together, come to."""
    only: Standing | None = None
    """When it is asked at all; always unless given."""
    waived: tuple[Standing, ...] = ()
    """When it is not: if any of them holds of the payer."""


class Debit(_Part, frozen=True, kw_only=True):
    """Which points are taken first."""

    order: DebitOrder = DebitOrder.EARLIEST_EXPIRY
    protected_last: bool = False


class Expiry(_Part, frozen=True, kw_only=True):
    """When points end after they have moved, and what counts as activity."""

    treatment: ExpiryTreatment = ExpiryTreatment.CARRIED
    months: Annotated[int, Meta(ge=1, le=600)] | None = None
    """Of `reset`."""
    earned_later: ExpiryTreatment | None = None
    """The treatment of what is earned in the group; None: that of what was there before."""
    suspended_by_own_tier: bool = False
    """Whether a tier that suspends expiry does so for what its member brought, wherever it is."""
    suspended_by_head_tier: bool = False
    """Whether a tier of the head that suspends expiry does so for the whole group."""
    counts_as_activity: CountsAsActivity = CountsAsActivity.NONE


class Exits(_Part, frozen=True, kw_only=True):
    """What becomes of points when a member leaves, ages out or dies, or the group closes."""

    leaving: OnExit = OnExit.KEEP_OWN_SHARE
    ageing_out: OnExit = OnExit.KEEP_OWN_SHARE
    death: OnExit = OnExit.KEEP_OWN_SHARE
    closing: OnExit = OnExit.KEEP_OWN_SHARE
    at_age: Years | None = None
    """At which a member who came as a minor has to leave."""
    self_removal: Annotated[str, Meta(pattern=rf"^(any_time|after_lock_in|head_only){_END}")] = (
        "after_lock_in"
    )


class Approval(_Part, frozen=True, kw_only=True):
    """That somebody has to agree to a transfer."""

    by: Approver
    above: Most = 0
    """Only above so many points."""


class Hold(_Part, frozen=True, kw_only=True):
    """How long points wait before they arrive."""

    new_receiver_hours: Hours = 0
    """At a member to whom the sender never sent before."""
    new_device_hours: Hours = 0


class Blackout(_Part, frozen=True, kw_only=True):
    """Days, both included, on which nothing moves."""

    first: DayText
    last: DayText


class Control(_Part, frozen=True, kw_only=True):
    """Who has to agree, how long points wait, and how long it can be undone."""

    approvals: tuple[Approval, ...] = ()
    approval_days: Days = 14
    """After which a request that was not approved has expired."""
    step_up_above: Most | None = None
    """Above so many points the sender must have signed in anew."""
    hold: Hold = Hold()
    undo_hours: Hours = 0
    blackouts: tuple[Blackout, ...] = ()


class Change(_Part, frozen=True, kw_only=True):
    """Other numbers for who has a tier, a plan or a segment; of several the last one counts."""

    when: Standing
    of: Annotated[str, Meta(pattern=rf"^(sender|receiver|head|member){_END}")] = "member"
    """Whose standing; `member` is whoever acts."""
    set: dict[str, int | None]
    """By the name of a rule (`transfer.max`, `limits.sender.amount.calendar_year`,
    `fees.0.money.amount_minor`), the number that stands in its place; null asks for nothing."""


class RuleSet(_Part, frozen=True, kw_only=True):
    """The rules of one kind of group, or of transfers between members."""

    title: Title
    mechanism: Mechanism
    direction: Direction = Direction.ANY
    timezone: Annotated[str, Meta(max_length=60)] | None = None
    """In which days, months and years run; the coalition's unless given."""
    country_lists: dict[Relationship, tuple[Country, ...]] = {}
    """Countries under a name that `countries` may say instead."""
    group: Group = Group()
    eligibility: Eligibility = Eligibility()
    join: Join = Join()
    contribution: Contribution = Contribution()
    transfer: Transfer = Transfer()
    limits: tuple[Limit, ...] = ()
    fees: tuple[Fee, ...] = ()
    debit: Debit = Debit()
    expiry: Expiry = Expiry()
    exits: Exits = Exits()
    control: Control = Control()
    changes: tuple[Change, ...] = ()
    notes: Annotated[str, Meta(max_length=2000)] | None = None
    """Where the rules come from, and what of them is no rule here."""
