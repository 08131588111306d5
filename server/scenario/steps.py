"""Everything that can happen in a story, and what cannot yet."""

from typing import Final

from server.scenario.family_steps import (
    Approve,
    Join,
    Leave,
    Pool,
    Reject,
    RuleSetStep,
    Transfer,
    Undo,
)
from server.scenario.household_steps import (
    Accept,
    Change,
    CloseFamily,
    Death,
    Decline,
    Form,
    FurtherCard,
    Invite,
    LetGoOn,
    Nominate,
    Relate,
    Separate,
    Settle,
    Stop,
    Strike,
    WouldTakeOut,
)
from server.scenario.membership_steps import (
    Cancel,
    Downgrade,
    Pause,
    PaymentCard,
    Resume,
    Subscribe,
    Uncancel,
    Upgrade,
    Withdraw,
)
from server.scenario.plan_steps import (
    Agree,
    Campaign,
    Dispute,
    DisputeEnds,
    Gift,
    RedeemGift,
    Sell,
    Share,
    Unshare,
)
from server.scenario.settlement_steps import (
    Close,
    Default,
    EndDefault,
    MoneyRate,
    Net,
    Position,
    Prepay,
)
from server.scenario.staff_steps import (
    Adjust,
    Advance,
    CloseMember,
    Contract,
    Erase,
    Expire,
    Freeze,
    Guard,
    Merge,
    Rate,
    Recover,
    Rules,
    Standing,
    Unfreeze,
    WriteOff,
)
from server.scenario.till_steps import Capture, Convert, Hold, Issue, Redeem, Reverse, Void

TillStep = Issue | Redeem | Convert | Hold | Capture | Void | Reverse
StaffStep = (
    Expire
    | Advance
    | Contract
    | Rules
    | Guard
    | Adjust
    | Recover
    | WriteOff
    | Rate
    | Standing
    | Merge
    | Freeze
    | Unfreeze
    | CloseMember
    | Erase
)
SettlementStep = Close | Net | Position | Prepay | MoneyRate | Default | EndDefault
FamilyStep = Transfer | Approve | Reject | Undo | Pool | Join | Leave | RuleSetStep
HouseholdStep = (
    Form
    | Invite
    | Accept
    | Decline
    | Change
    | Nominate
    | Strike
    | FurtherCard
    | Separate
    | Settle
    | CloseFamily
    | WouldTakeOut
    | Relate
    | Stop
    | LetGoOn
    | Death
)
MembershipStep = (
    Subscribe | Upgrade | Downgrade | Cancel | Uncancel | Pause | Resume | Withdraw | PaymentCard
)
PlanStep = Gift | RedeemGift | Share | Unshare | Sell | Campaign | Agree | Dispute | DisputeEnds
_OfMembers = FamilyStep | HouseholdStep | MembershipStep | PlanStep
Step = TillStep | StaffStep | SettlementStep | _OfMembers

LATER: Final = ("estimate",)
"""Verbs of packages that are not there yet."""
