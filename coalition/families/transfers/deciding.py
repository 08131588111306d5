"""What becomes of transfers that wait, and of those that may still be undone: one at a time.

Whoever decides twice says nothing new: an approval that was given, a transfer that was rejected,
undone or paid for, answers as it stands.
"""

import contextlib
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from coalition.families.evaluator.acts import UsageKey, UsageMade
from coalition.families.kin.guardians import guardians_of
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import (
    FeeNotDue,
    NotYoursToDecide,
    TransferNotOpen,
    UnknownTransfer,
)
from coalition.families.rule_sets.books import Bound
from coalition.families.rule_sets.notation import Money
from coalition.families.rule_sets.vocabulary import Approver, TransferState
from coalition.families.rule_sets.vocabulary import Event as On
from coalition.families.transfers import transfers
from coalition.families.transfers import usage as usage_rows
from coalition.families.transfers.drafting import moving, releasing, undoing
from coalition.families.transfers.judging import Book
from coalition.families.transfers.recording import answer_of, as_posted, event_of
from coalition.families.transfers.transferring import Transfers
from coalition.families.transfers.transfers import Step, Transfer, Word
from coalition.families.transfers.wishes import TransferAnswer
from coalition.kernel.database import Connection, bound_engine, retrying, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.outbox import events
from coalition.ledger import holders, posting
from coalition.ledger.drafts import Draft, Outcome
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import HoldResolved, UnknownHold

SYSTEM = By(None, "system:transfers")
"""What runs by the clock."""

_WAITING = (TransferState.REQUESTED, TransferState.AWAITING_PAYMENT, TransferState.HELD)
_AT_ONCE = 200


class Open(msgspec.Struct, kw_only=True):
    """A transfer that is locked, with what it may need to go on."""

    connection: Connection
    transfer: Transfer
    words: list[Word]
    bound: Bound
    book: Book

    def changed(self, **values: object) -> Transfer:
        """Return the transfer with other values; nothing is written."""
        return msgspec.structs.replace(self.transfer, **values)


Work = Callable[[Open], Awaitable[Transfer]]


async def approve(service: Transfers, transfer_id: UUID, *, by: By, at: datetime) -> TransferAnswer:
    """Give the word of `by` for a transfer; with the last one it goes on.

    Raises `UnknownTransfer`, `NotYoursToDecide`, `TransferNotOpen`, and what keeps points from
    moving.
    """

    async def work(one: Open) -> Transfer:
        mine = await _words_of(one, by)
        if all(word.given_at is not None for word in mine):
            return one.transfer
        _check_state(one, TransferState.REQUESTED)
        for word in mine:
            await transfers.give(one.connection, transfer_id, word.approver, by=by.name, at=at)
        given = {word.approver for word in mine}
        if any(word.given_at is None and word.approver not in given for word in one.words):
            return one.transfer
        return await _go_on(service, one, TransferState.REQUESTED, by, at)

    return await _with(service, transfer_id, work, at)


async def reject(
    service: Transfers, transfer_id: UUID, *, by: By, at: datetime, reason: str | None = None
) -> TransferAnswer:
    """Turn a transfer down that has not moved: whoever's word it needs may, its sender, and staff.

    What it reserved is free again, and it no longer counts. Raises as `approve` does.
    """

    async def work(one: Open) -> Transfer:
        if not by.is_staff and by.member != one.transfer.sender:
            await _words_of(one, by)
        if one.transfer.state is TransferState.REJECTED:
            return one.transfer
        _check_state(one, *_WAITING)
        return await _give_up(one, TransferState.REJECTED, by, at, reason)

    return await _with(service, transfer_id, work, at)


async def undo(
    service: Transfers, transfer_id: UUID, *, by: By, at: datetime, reason: str | None = None
) -> TransferAnswer:
    """Take a completed transfer back within its time: the sender may, and staff.

    Its points must lie unspent with the receiver. A fee stays paid. Raises `UnknownTransfer`,
    `NotYoursToDecide`, `TransferNotOpen`, `PointsAlreadySpent`.
    """

    async def work(one: Open) -> Transfer:
        if not by.is_staff and by.member != one.transfer.sender:
            raise NotYoursToDecide
        if one.transfer.state is TransferState.UNDONE:
            return one.transfer
        _check_state(one, TransferState.COMPLETED)
        until = one.transfer.undo_until
        if until is None or until <= at:
            raise TransferNotOpen(
                "the time in which this transfer could be undone is over"
                if until is not None
                else "the rules do not let this transfer be undone; the receiver may send it back",
                state=one.transfer.state,
            )
        outcome = await _post(one, undoing(one.transfer, one.book.terms, at=at))
        undone = one.changed(
            state=TransferState.UNDONE,
            undone_by=getattr(outcome, "posting", None),
            undo_until=None,
        )
        await _count_no_longer(one, is_undone=True)
        return await _move_on(one, undone, by, at, reason)

    return await _with(service, transfer_id, work, at)


async def fee_paid(
    service: Transfers, transfer_id: UUID, *, paid: Money, at: datetime, by: By = SYSTEM
) -> TransferAnswer:
    """Let a transfer go on whose fee has been paid; called down by whoever charges it.

    Raises `UnknownTransfer`, or `FeeNotDue` for another amount or a transfer that waits for none.
    """

    async def work(one: Open) -> Transfer:
        due = one.transfer
        if (due.fee_minor, due.fee_currency) != (paid.amount_minor, paid.currency):
            raise FeeNotDue(
                f"the fee is {due.fee_minor} {due.fee_currency or ''}".strip(), state=due.state
            )
        if due.fee_paid_at is not None:
            return due
        if due.state is not TransferState.AWAITING_PAYMENT:
            raise FeeNotDue(state=due.state)
        one.transfer = one.changed(fee_paid_at=at)
        return await _go_on(service, one, TransferState.AWAITING_PAYMENT, by, at)

    return await _with(service, transfer_id, work, at)


async def run_due(service: Transfers, at: datetime) -> int:
    """Move what was held for long enough, and give up what nobody agreed to; return how many.

    One that cannot be moved, since its receiver is frozen or closed meanwhile, is given up too.
    """
    async with transaction() as connection:
        due = await transfers.due(connection, at, _AT_ONCE)
    for transfer_id in due:

        async def work(one: Open) -> Transfer:
            if one.transfer.state is TransferState.HELD:
                return await _complete(service, one, SYSTEM, at)
            if one.transfer.state in _WAITING:
                return await _give_up(one, TransferState.EXPIRED, SYSTEM, at, "nobody agreed")
            return one.transfer

        try:
            await _with(service, transfer_id, work, at)
        except Refused as refusal:
            await _with(service, transfer_id, _giving_up(refusal.code, at), at)
    return len(due)


async def give_up_all_of(service: Transfers, member: UUID, at: datetime) -> None:
    """Turn down whatever a member sends or is to have that has not moved: its membership ends."""
    async with transaction() as connection:
        waiting = await transfers.waiting_of(connection, member)
    for transfer_id in waiting:
        await _with(service, transfer_id, _giving_up("membership ends", at), at)


def _giving_up(reason: str, at: datetime) -> Work:
    async def work(one: Open) -> Transfer:
        if one.transfer.state not in _WAITING:
            return one.transfer
        return await _give_up(one, TransferState.REJECTED, SYSTEM, at, reason)

    return work


async def _with(service: Transfers, transfer_id: UUID, work: Work, at: datetime) -> TransferAnswer:
    """Do `work` on a transfer, its members and itself locked; return how it stands then."""

    async def attempt() -> TransferAnswer:
        await ensure_partition(at)
        async with transaction(posting.PINNED | {"lock_timeout": "5s"}) as connection:
            book = await service.book(connection, at)
            known = await transfers.read(connection, transfer_id)
            if known is None:
                raise UnknownTransfer
            await holders.lock(connection, (known.sender, known.receiver))
            locked = await transfers.lock(connection, transfer_id)
            assert locked is not None, "a transfer is never removed"
            bound = book.rules.of_version(locked.rule_set_no, locked.rule_version)
            assert bound is not None, "versions of rule sets are never removed"
            words = await transfers.approvals(connection, transfer_id)
            one = Open(connection=connection, transfer=locked, words=words, bound=bound, book=book)
            done = await work(one)
            words = await transfers.approvals(connection, transfer_id)
            open_words = [word.approver for word in words if word.given_at is None]
            return answer_of(done, bound.name, open_words)

    if bound_engine().transaction_exists():
        return await attempt()  # with a claim of the caller's, who runs both again
    return await retrying(attempt)


async def _words_of(one: Open, by: By) -> list[Word]:
    """Return the approvals that `by` can give. Raises `NotYoursToDecide` where there are none."""
    guarding: Collection[UUID] = ()
    if any(word.approver is Approver.GUARDIAN for word in one.words):
        sender = one.transfer.sender
        guarding = (await guardians_of(one.connection, [sender]))[sender]
    mine = [word for word in one.words if _is_of(word, by, guarding)]
    if not mine:
        raise NotYoursToDecide
    return mine


def _is_of(word: Word, by: By, guarding: Collection[UUID]) -> bool:
    match word.approver:
        case Approver.STAFF:
            return by.is_staff
        case Approver.GUARDIAN:
            return by.member in guarding
        case Approver.RECEIVER | Approver.HEAD:
            return by.member is not None and by.member == word.member


def _check_state(one: Open, *states: TransferState) -> None:
    if one.transfer.state not in states:
        raise TransferNotOpen(
            f"the transfer is {one.transfer.state}; only one that is "
            f"{' or '.join(states)} can be decided like this",
            state=one.transfer.state,
        )


async def _go_on(
    service: Transfers, one: Open, done: TransferState, by: By, at: datetime
) -> Transfer:
    """Bring a transfer that is over with `done` to what it waits for next, or move its points."""
    transfer = one.transfer
    is_due = transfer.fee_minor > 0 and transfer.fee_paid_at is None
    if done is TransferState.REQUESTED and is_due:
        until = at + timedelta(days=one.bound.rule_set.control.approval_days)
        waiting = one.changed(state=TransferState.AWAITING_PAYMENT, expires_at=until)
        return await _move_on(one, waiting, by, at)
    if transfer.hold_hours:
        until = at + timedelta(hours=transfer.hold_hours)
        held = one.changed(state=TransferState.HELD, expires_at=None, held_until=until)
        return await _move_on(one, held, by, at)
    return await _complete(service, one, by, at)


async def _complete(service: Transfers, one: Open, by: By, at: datetime) -> Transfer:
    terms, expiry = one.book.terms, one.bound.rule_set.expiry
    endings = service.endings.of(terms, expiry.treatment, expiry.months, at)
    draft = moving(one.transfer, one.bound.rule_set, terms, endings, at=at)
    outcome = await _post(one, draft)
    return await _move_on(one, as_posted(one.transfer, outcome, at), by, at)


async def _give_up(
    one: Open, state: TransferState, by: By, at: datetime, reason: str | None
) -> Transfer:
    """End a transfer that waits: what it reserved is free, and it counts no longer."""
    # Where its time was over, what it reserved is free already.
    with contextlib.suppress(HoldResolved, UnknownHold):
        await _post(one, releasing(one.transfer))
    given_up = one.changed(state=state, expires_at=None, held_until=None)
    await _count_no_longer(one, is_undone=False)
    return await _move_on(one, given_up, by, at, reason)


async def _count_no_longer(one: Open, *, is_undone: bool) -> None:
    """Give back what the transfer used of limits; undone, only where no rule says it stays."""
    limits = one.bound.rule_set.limits
    if is_undone and any(limit.undone_counts for limit in limits if limit.on is On.TRANSFER):
        return
    await usage_rows.give_back(one.connection, usage_of(one.transfer))


def usage_of(transfer: Transfer) -> list[UsageMade]:
    """Return what a transfer has used of limits, as it was counted on its day."""
    day, points = transfer.day, transfer.points
    sent = UsageKey(transfer.sender, "sender", On.TRANSFER)
    got = UsageKey(transfer.receiver, "receiver", On.TRANSFER)
    made = [
        UsageMade(sent, transfer.receiver, day, points, 1),
        UsageMade(got, transfer.sender, day, points, 1),
    ]
    if transfer.group_id is not None:
        group = UsageKey(transfer.group_id, "group", On.TRANSFER)
        made.append(UsageMade(group, transfer.sender, day, points, 1))
    return made


async def _post(one: Open, draft: Draft) -> Outcome:
    terms = one.book.terms
    _, (outcome,) = await posting.post(
        one.connection,
        [draft],
        at=one.book.at,
        today=one.book.today,
        clocks=terms.catalogue.clocks,
        suspended=terms.catalogue.suspended_at(one.book.at),
    )
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


async def _move_on(
    one: Open, transfer: Transfer, by: By, at: datetime, reason: str | None = None
) -> Transfer:
    step = Step(transfer.state, at, by.name, reason)
    await transfers.move_on(one.connection, transfer, step)
    await events.append(one.connection, [event_of(transfer)], at)
    return transfer
