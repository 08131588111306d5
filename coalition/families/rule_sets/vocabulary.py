"""The words of rule sets: mechanisms, roles, subjects, measures, windows, events, treatments."""

from enum import StrEnum


class Mechanism(StrEnum):
    """How points of several members come together."""

    P2P = "p2p"
    """One member sends points to another."""
    POOL_VIEW = "pool_view"
    """Points stay with their owners; the group spends together."""
    POOL_ACCOUNT = "pool_account"
    """Points move into an account of the group."""
    SWEEP_TO_HEAD = "sweep_to_head"
    """A share of what each earns goes to the head at once."""
    HEAD_PULL = "head_pull"
    """The head takes points over from members."""
    LINKED_WALLET = "linked_wallet"
    """One account, the head's, with several cards."""
    NOMINEE_ONLY = "nominee_only"
    """No points move; the group says for whom its head may spend."""


class Direction(StrEnum):
    """Between whom points may be sent."""

    ANY = "any"
    CHILD_TO_PARENT = "child_to_parent"
    MEMBER_TO_HEAD = "member_to_head"
    WITHIN_GROUP = "within_group"


class Role(StrEnum):
    """What a member is to the head of its group."""

    HEAD = "head"
    SPOUSE = "spouse"
    PARTNER = "partner"
    CHILD = "child"
    PARENT = "parent"
    SIBLING = "sibling"
    RELATIVE = "relative"
    FRIEND = "friend"


class Kind(StrEnum):
    """How somebody counts among the members of a group."""

    ADULT = "adult"
    MINOR = "minor"
    INFANT = "infant"
    NOMINEE = "nominee"
    """Somebody for whom the group may spend without being a member of the coalition."""


class Scope(StrEnum):
    """Which points a member of a group may spend."""

    NONE = "none"
    OWN = "own"
    POOL = "pool"


class Event(StrEnum):
    """What limits and fees are about."""

    TRANSFER = "transfer"
    CONTRIBUTE = "contribute"
    JOIN = "join"
    LEAVE = "leave"
    CHANGE = "change"
    CARD = "card"
    REDEEM = "redeem"


class Subject(StrEnum):
    """Whose usage a limit counts."""

    SENDER = "sender"
    RECEIVER = "receiver"
    PAIR = "pair"
    GROUP = "group"
    MEMBER = "member"
    """Whoever acts or is concerned: who joins, leaves, contributes or redeems."""


class Measure(StrEnum):
    """What a limit counts."""

    AMOUNT = "amount"
    COUNT = "count"
    COUNTERPARTIES = "counterparties"
    """Different members on the other side."""
    CHANGES = "changes"
    """Changes of a group: joining, leaving, and changes of roles and rights."""
    GROUPS_JOINED = "groups_joined"


class WindowKind(StrEnum):
    """Over which time a limit counts; all begin and end with days of the rule set's zone."""

    DAY = "day"
    CALENDAR_MONTH = "calendar_month"
    CALENDAR_YEAR = "calendar_year"
    MEMBERSHIP_YEAR = "membership_year"
    """From each anniversary of the day on which the subject joined."""
    ROLLING_DAYS = "rolling_days"
    """The last n local days, today among them."""
    ROLLING_MONTHS = "rolling_months"
    """Since the same day number n months ago, clipped to the month's end, that day not included."""
    LIFETIME = "lifetime"


class DebitOrder(StrEnum):
    """Whose points, and which, are taken first."""

    PROPORTIONAL = "proportional"
    """Of each owner in proportion to what it can spend; then each owner's own order."""
    EARLIEST_EXPIRY = "earliest_expiry"
    OLDEST_EARNED = "oldest_earned"
    OWN_FIRST = "own_first"
    """The points of whoever spends first, then of the others in proportion."""
    ONE_OWNER = "one_owner"
    """Only those of the head, or of the pool's account."""


class LotKind(StrEnum):
    """How points came to whoever has them, and whether they pay everywhere."""

    ORDINARY = "ordinary"
    """Neither of the others: earned, or given by staff."""
    RECEIVED = "received"
    """Another member has sent them."""
    BOUND = "bound"
    """They pay at some partners only."""


class ExpiryTreatment(StrEnum):
    """When points end after they have moved."""

    CARRIED = "carried"
    """As they would have ended before."""
    RESET = "reset"
    """So many months after they moved."""
    RECEIVER_POLICY = "receiver_policy"
    """As if the receiver had earned them on the day they moved."""
    HEAD_POLICY = "head_policy"
    """As if the head had earned them on that day."""


class CountsAsActivity(StrEnum):
    """For whom a transfer sets activity clocks back."""

    NONE = "none"
    SENDER = "sender"
    RECEIVER = "receiver"
    BOTH = "both"


class OnExit(StrEnum):
    """What becomes of a member's points when it leaves a group, ages out, dies, or it closes."""

    KEEP_OWN_SHARE = "keep_own_share"
    STAYS_IN_POOL = "stays_in_pool"
    STAYS_WITH_HEAD = "stays_with_head"
    SPLIT = "split"
    """In proportion to what each remaining member brought."""
    TO_HEIR = "to_heir"


class Approver(StrEnum):
    """Who has to agree before points move."""

    RECEIVER = "receiver"
    GUARDIAN = "guardian"
    """Of the sender, where it is a minor."""
    HEAD = "head"
    STAFF = "staff"


class TransferState(StrEnum):
    """Where a transfer stands."""

    REQUESTED = "requested"
    """Waits for approvals."""
    APPROVED = "approved"
    """All have agreed; the next step follows at once."""
    AWAITING_PAYMENT = "awaiting_payment"
    """Waits until its fee in money is paid."""
    HELD = "held"
    """Waits for its hold to end."""
    COMPLETED = "completed"
    REJECTED = "rejected"
    UNDONE = "undone"
    EXPIRED = "expired"


class Channel(StrEnum):
    """Through which door an act comes."""

    ONLINE = "online"
    APP = "app"
    PHONE = "phone"
    STORE = "store"
    STAFF = "staff"
