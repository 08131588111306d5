"""What is asked of transfers, and what is answered, at every door."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from coalition.families.evaluator.acts import Failure, FeeDue
from coalition.families.rule_sets.notation import Money
from coalition.families.rule_sets.vocabulary import Channel, TransferState
from coalition.kernel.ids import MemberId


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """That points should go from one member to another; who asks is known, and from where."""

    sender: MemberId
    receiver: MemberId
    points: int
    requested_by: str
    """`member:…`, `staff:…` or the name of a client; the audit of the transfer says it."""
    channel: Channel = Channel.ONLINE
    point_currency: str | None = None
    purpose: str | None = None
    relationship: str | None = None
    """What the receiver is to the sender, as the sender says."""
    given_name: bytes | None = None
    """The digest of the receiver's full name, as the sender says."""
    device: bytes | None = None
    """A digest of what the sender's device says it is."""
    stepped_up_at: datetime | None = None
    pays_in_points: bool = False


class TransferAnswer(msgspec.Struct, kw_only=True):
    """A transfer as it stands."""

    transfer_id: UUID
    state: TransferState
    sender: UUID
    receiver: UUID
    points: int
    requested_at: datetime
    rule_set: str
    rule_set_version: int
    fee: Money | UnsetType = UNSET
    pay_at: str | UnsetType = UNSET
    """The page of the service on which its sender pays the fee that it waits for."""
    fee_points: int | UnsetType = UNSET
    waits_for: tuple[str, ...] | UnsetType = UNSET
    expires_at: datetime | UnsetType = UNSET
    held_until: datetime | UnsetType = UNSET
    undo_until: datetime | UnsetType = UNSET
    posting_id: UUID | UnsetType = UNSET
    purpose: str | UnsetType = UNSET
    balance: int | UnsetType = UNSET
    """What the sender can spend now."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A failure with its sentence."""

    rule: str
    limit: int | str | None
    used: int | str | None
    remaining: int | None
    next_possible_at: datetime | None
    text: str

    @classmethod
    def of(cls, failure: Failure, text: str) -> "Told":
        """Return `failure` beside what it says in the reader's language."""
        return msgspec.convert(failure.told() | {"text": text}, cls)


class PreviewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What would come of a transfer now: the same rules judge it that judge the act."""

    allowed: bool
    failures: tuple[Told, ...]
    fees: tuple[FeeDue, ...]
    needs: tuple[str, ...]
    """Who would have to agree: receiver, guardian, head, staff."""
    hold_hours: int
    undo_hours: int
    rule_set: str
    rule_set_version: int
    balance: int
    receiver_name: str | UnsetType = UNSET
    """How the receiver's first name begins, for who may know that."""
