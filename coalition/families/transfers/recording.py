"""What is kept of new transfers and told of them: rows, steps, approvals, usage, events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET

from coalition.families.evaluator.acts import Verdict
from coalition.families.kin.guardians import guardians_of
from coalition.families.rule_sets.notation import Money
from coalition.families.rule_sets.vocabulary import Approver, TransferState
from coalition.families.transfers import transfers
from coalition.families.transfers import usage as usage_rows
from coalition.families.transfers.transfers import Step, Transfer
from coalition.families.transfers.wishes import TransferAnswer
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of, shard_of
from coalition.kernel.outbox import events
from coalition.kernel.outbox.events import Event
from coalition.ledger.drafts import Held, Outcome, Transferred

PAID_AT = "/fees"
"""Where members pay fees in money; whoever serves that page charges them."""
_WAITING = (TransferState.REQUESTED, TransferState.AWAITING_PAYMENT, TransferState.HELD)


class Recorded(NamedTuple):
    """A new transfer as it was posted, with the verdict that let it pass."""

    transfer: Transfer
    verdict: Verdict
    head: MemberId | None
    """Of the group under whose rules it is."""


def as_posted(transfer: Transfer, outcome: Outcome, at: datetime) -> Transfer:
    """Return `transfer` with what the ledger made of it: postings, or the hold that reserves."""
    if isinstance(outcome, Held):
        return msgspec.structs.replace(transfer, hold=outcome.hold)
    assert isinstance(outcome, Transferred), "what is not refused has moved or is held"
    until = at + timedelta(hours=transfer.undo_hours) if transfer.undo_hours else None
    return msgspec.structs.replace(
        transfer,
        state=TransferState.COMPLETED,
        posting=outcome.posting,
        fee_posting=outcome.fee_posting,
        expires_at=None,
        held_until=None,
        undo_until=until,
    )


async def record(connection: Connection, made: Sequence[Recorded], at: datetime) -> None:
    """Keep new transfers, count what they use, remember devices, and say what happened."""
    if not made:
        return
    words = [
        (one.transfer.id, approver, member)
        for one in made
        for approver, member in await _words(connection, one)
    ]
    taken = [(one.transfer.id, _steps(one.transfer, at)) for one in made]
    await transfers.add(connection, [one.transfer for one in made], taken, words)
    await usage_rows.add(connection, [use for one in made for use in one.verdict.usage])
    devices = [(each.sender, each.device) for each, *_ in made if each.device is not None]
    await transfers.see_devices(connection, devices, at)
    await events.append(connection, [event_of(one.transfer) for one in made], at)


async def _words(connection: Connection, one: Recorded) -> list[tuple[Approver, MemberId | None]]:
    """Return whose word a transfer needs; of several guardians any one's will do."""
    words: list[tuple[Approver, MemberId | None]] = []
    for approver in one.verdict.approvals:
        match approver:
            case Approver.RECEIVER:
                words.append((approver, one.transfer.receiver))
            case Approver.HEAD:
                words.append((approver, one.head))
            case Approver.GUARDIAN:
                sender = one.transfer.sender
                guarding = (await guardians_of(connection, [sender]))[sender]
                words.append((approver, MemberId(guarding[0]) if guarding else None))
            case Approver.STAFF:
                words.append((approver, None))
    return words


def _steps(transfer: Transfer, at: datetime) -> list[Step]:
    first = Step(TransferState.REQUESTED, at, transfer.requested_by, None)
    if transfer.state is TransferState.REQUESTED:
        return [first]
    return [first, Step(transfer.state, at, transfer.requested_by, None)]


def event_of(transfer: Transfer) -> Event:
    """Return what is told when a transfer has come into its state; a fee that is due says so."""
    is_due = transfer.state is TransferState.AWAITING_PAYMENT
    facts: dict[str, object] = {
        "transfer_id": transfer.id,
        "state": transfer.state,
        "sender": transfer.sender,
        "receiver": transfer.receiver,
        "points": transfer.points,
        "point_currency_no": transfer.currency_no,
    }
    if transfer.fee_currency is not None:
        facts["fee"] = {"amount_minor": transfer.fee_minor, "currency": transfer.fee_currency}
    kind = "families.fee_due" if is_due else f"families.transfer_{transfer.state}"
    return Event(kind, facts, shard=shard_of_member(transfer.sender))


def shard_of_member(member: UUID) -> int:
    """Return the shard of the outbox for what is about a member."""
    return shard_of(bucket_of(member))


def answer_of(
    transfer: Transfer, rule_set: str, waits_for: Sequence[Approver] = ()
) -> TransferAnswer:
    """Return a transfer as every door shows it."""
    fee = None
    if transfer.fee_currency is not None:
        fee = Money(amount_minor=transfer.fee_minor, currency=transfer.fee_currency)
    is_waiting = transfer.state in _WAITING
    return TransferAnswer(
        transfer_id=transfer.id,
        state=transfer.state,
        sender=transfer.sender,
        receiver=transfer.receiver,
        points=transfer.points,
        requested_at=transfer.requested_at,
        rule_set=rule_set,
        rule_set_version=transfer.rule_version,
        fee=fee or UNSET,
        pay_at=PAID_AT if transfer.state is TransferState.AWAITING_PAYMENT else UNSET,
        fee_points=transfer.fee_points or UNSET,
        waits_for=tuple(waits_for) if is_waiting and waits_for else UNSET,
        expires_at=transfer.expires_at or UNSET,
        held_until=transfer.held_until or UNSET,
        undo_until=transfer.undo_until or UNSET,
        posting_id=transfer.posting or UNSET,
        purpose=transfer.purpose or UNSET,
    )
