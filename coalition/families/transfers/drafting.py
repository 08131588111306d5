"""From a transfer that may be made to what the ledger is asked: a draft that moves, or reserves."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.families.evaluator.acts import Verdict
from coalition.families.rule_sets import lots
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import (
    CountsAsActivity,
    DebitOrder,
    ExpiryTreatment,
    TransferState,
)
from coalition.families.transfers.judging import Judged
from coalition.families.transfers.transfers import Transfer
from coalition.ledger import drafts
from coalition.ledger.clocks import months_later
from coalition.ledger.drafts import Till
from coalition.ledger.selecting import NewEnd, Side, TakingOrder
from coalition.points.terms import Terms

OPERATOR = 0
GRACE = timedelta(days=30)
"""How long points can be spent that come back after their end, as with returns of redemptions."""

_KEPT_MOST = 50

_FOR_EVER = timedelta(days=3660)
"""Points that wait stay reserved until somebody decides; the transfer itself has an end."""

_SIDES = {
    CountsAsActivity.NONE: frozenset[Side](),
    CountsAsActivity.SENDER: frozenset({Side.SENDER}),
    CountsAsActivity.RECEIVER: frozenset({Side.RECEIVER}),
    CountsAsActivity.BOTH: frozenset(Side),
}

Endings = Mapping[int, NewEnd]


class Terminations:
    """When points of each contract end that move on a day, by treatment; kept while terms hold."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._known: dict[tuple[object, ...], Endings] = {}

    def of(
        self, terms: Terms, treatment: ExpiryTreatment, months: int | None, at: datetime
    ) -> Endings | None:
        """Return when points end that move at `at`; None is as they would have ended before.

        A contract under which points never end is left out: what has a date of its own keeps it.
        """
        if treatment is ExpiryTreatment.CARRIED:
            return None
        key = terms.catalogue.version, treatment, months, terms.day(at)
        if key not in self._known:
            if len(self._known) > _KEPT_MOST:
                self._known.clear()
            self._known[key] = _endings(terms, treatment, months, at)
        return self._known[key]


def _endings(terms: Terms, treatment: ExpiryTreatment, months: int | None, at: datetime) -> Endings:
    if treatment is ExpiryTreatment.RESET:
        assert months is not None, "a rule set that resets says to how many months"
        end = NewEnd(months_later(terms.day(at), months))
        return {contract.no: end for contract in terms.catalogue.contracts}
    endings = {}
    for contract in terms.catalogue.contracts:
        fresh = terms.base_provenance(contract, at)
        if fresh.expires_on is not None or fresh.clock_no:
            endings[contract.no] = NewEnd(fresh.expires_on, fresh.clock_no)
    return endings


class Made(NamedTuple):
    """A new transfer beside the draft that does it, or reserves what it moves."""

    transfer: Transfer
    draft: drafts.Transfer


def state_of(verdict: Verdict) -> TransferState:
    """Return where a transfer that passes begins: what it waits for first."""
    if verdict.approvals:
        return TransferState.REQUESTED
    if any(fee.money is not None and fee.money.amount_minor for fee in verdict.fees):
        return TransferState.AWAITING_PAYMENT
    return TransferState.HELD if verdict.hold_hours else TransferState.COMPLETED


def made_of(
    judged: Judged, transfer_id: UUID, *, terms: Terms, endings: Endings | None, at: datetime
) -> Made:
    """Return the transfer that comes of a wish whose verdict is that it may be made."""
    wish, verdict, bound = judged.wish, judged.verdict, judged.bound
    state = state_of(verdict)
    is_open = state in {TransferState.REQUESTED, TransferState.AWAITING_PAYMENT}
    held_until = at + timedelta(hours=verdict.hold_hours)
    money = [fee.money for fee in verdict.fees if fee.money is not None]
    transfer = Transfer(
        id=transfer_id,
        sender=wish.sender,
        receiver=wish.receiver,
        requested_by=wish.requested_by,
        group_id=judged.group,
        rule_set_no=bound.rule_set_no,
        rule_version=bound.version,
        currency_no=judged.currency_no,
        points=wish.points,
        fee_points=sum(fee.points or 0 for fee in verdict.fees),
        fee_minor=sum(fee.amount_minor for fee in money),
        fee_currency=next((fee.currency for fee in money if fee.amount_minor), None),
        purpose=wish.purpose,
        channel=wish.channel,
        device=wish.device,
        state=state,
        requested_at=at,
        day=at.astimezone(bound.zone).date(),
        expires_at=at + approval_time(bound.rule_set) if is_open else None,
        hold_hours=verdict.hold_hours,
        held_until=held_until if state is TransferState.HELD else None,
        undo_hours=verdict.undo_hours,
    )
    draft_of = moving if state is TransferState.COMPLETED else _reserving
    return Made(transfer, draft_of(transfer, bound.rule_set, terms, endings, at=at))


def approval_time(rule_set: RuleSet) -> timedelta:
    """Return how long a transfer waits for approvals, or for its fee, before it is given up."""
    return timedelta(days=rule_set.control.approval_days)


def moving(
    transfer: Transfer, rule_set: RuleSet, terms: Terms, endings: Endings | None, *, at: datetime
) -> drafts.Transfer:
    """Return the draft that moves the points of `transfer` now, those that it reserved if any."""
    classes = terms.catalogue.classes
    wanted = None if rule_set.transfer.may_move_on else classes.not_received
    by_age = rule_set.debit.order is DebitOrder.OLDEST_EARNED
    return drafts.Transfer(
        holder=transfer.sender,
        receiver=transfer.receiver,
        till=_till(terms, at),
        currency_no=transfer.currency_no,
        points=transfer.points,
        hold=transfer.hold,
        order=TakingOrder.OLDEST_EARNED if by_age else TakingOrder.EARLIEST_EXPIRY,
        lots=lots.filter_of(rule_set.transfer.lots, terms, at, class_nos=wanted),
        endings=endings,
        classes=classes.when_received(lots.binding_of(rule_set)),
        activity=_SIDES[rule_set.expiry.counts_as_activity],
        fee_points=transfer.fee_points,
    )


def undoing(transfer: Transfer, terms: Terms, *, at: datetime) -> drafts.UndoTransfer:
    """Return the draft that gives the points of a completed transfer back."""
    assert transfer.posting is not None, "what has moved has a posting"
    grace = terms.day(at) + GRACE
    return drafts.UndoTransfer(
        posting=transfer.posting, till=_till(terms, at), grace_expires_on=grace
    )


def releasing(transfer: Transfer) -> drafts.Void:
    """Return the draft that gives up what a transfer that waits has reserved."""
    assert transfer.hold is not None, "what waits has reserved its points"
    return drafts.Void(transfer.hold, OPERATOR)


def _reserving(
    transfer: Transfer, rule_set: RuleSet, terms: Terms, endings: Endings | None, *, at: datetime
) -> drafts.Transfer:
    """Return the draft that reserves those very points that would move now."""
    draft = moving(transfer, rule_set, terms, endings, at=at)
    waits = drafts.Waiting(at + _FOR_EVER, f"transfer {transfer.id}")
    return msgspec.structs.replace(draft, waits=waits)


def _till(terms: Terms, at: datetime) -> Till:
    return Till(OPERATOR, None, None, None, terms.day(at), at)
