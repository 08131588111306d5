"""Everything that can happen in a story, and what cannot yet."""

from typing import Final

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
Step = TillStep | StaffStep | SettlementStep

LATER: Final = (
    *("transfer", "pool", "join", "leave", "approve", "estimate"),
    *("subscribe", "upgrade", "downgrade", "cancel", "card"),
)
"""Verbs of packages that are not there yet."""
