"""What a membership entitles to, and how it stands: pure, from what Stripe shows and what we gave.

Entitlement and billing are two timelines. Behind every instant of an entitlement stands a ground:
a trial, a paid invoice's line, grace after these, or months that were given. What Stripe's state
will become is written in advance, so that a renewal never flickers and grace ends by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import msgspec

from billing.benefits.entitlements import Entitlement, Ground
from billing.gateway.shapes import (
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Picture,
    Subscription,
    SubscriptionStatus,
)


class Terms(msgspec.Struct, frozen=True):
    """What of a plan's version counts here; `grace_after_trial` follows a trial that is unpaid."""

    plan_no: int
    rank: int
    grace: timedelta
    grace_after_trial: timedelta


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """Months of a plan that nobody pays by subscription: a gift, or granted, or sponsored."""

    ground: Ground
    plan_no: int
    rank: int
    begins: datetime
    ends: datetime
    source: str
    taken_back: bool = False


class State(StrEnum):
    """How a membership stands at an instant.

    Grace is told from active once a payment has failed. Without an entitlement it is paused
    (nothing is charged), suspended (the subscription lives, yet is not paid for) or ended (nothing
    is left that could revive it).
    """

    TRIALING = "trialing"
    ACTIVE = "active"
    GRACE = "grace"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a membership stands at an instant, and until when.

    `current` is the entitlement of that instant, `entitled_until` the end of all that follows it
    without a gap, `turns_at` the next instant at which one begins or ends.
    """

    state: State
    current: Entitlement | None
    entitled_until: datetime | None
    turns_at: datetime | None
    ended_at: datetime | None


class _Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time with what stands behind it; it would have held until `would_end`."""

    terms: Terms
    ground: Ground
    begins: datetime
    ends: datetime
    would_end: datetime
    period_start: datetime
    period_end: datetime
    source: str
    taken_back: bool = False


_TRIED = frozenset(SubscriptionStatus) - {
    SubscriptionStatus.INCOMPLETE,
    SubscriptionStatus.INCOMPLETE_EXPIRED,
    SubscriptionStatus.UNKNOWN,
}
_CHARGED = frozenset(
    {
        SubscriptionStatus.TRIALING,
        SubscriptionStatus.ACTIVE,
        SubscriptionStatus.PAST_DUE,
        SubscriptionStatus.UNPAID,
        SubscriptionStatus.CANCELED,
    }
)
_OVER = frozenset({SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED})
_GOES_ON = frozenset({SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE})
_ENTITLED = dict.fromkeys(Ground, State.ACTIVE) | {
    Ground.TRIAL: State.TRIALING,
    Ground.GRACE: State.GRACE,
}


def entitlements(
    pictures: Iterable[Picture], terms: Mapping[str, Terms], given: Iterable[Given] = ()
) -> tuple[Entitlement, ...]:
    """Return all that a membership entitles to, past and to come, in order and without overlap.

    `terms` are by Stripe's id of the price; a price that is not ours entitles to nothing. Where
    several hold at once the higher plan does, and of one plan the firmer ground.
    """
    pieces = [piece for one in pictures for piece in _of_picture(one, terms)]
    pieces += [_of_given(one) for one in given]
    return tuple(_entitlement(piece) for piece in _painted(sorted(pieces, key=_firmness)))


def standing(
    held: Sequence[Entitlement], subscriptions: Iterable[Subscription], at: datetime
) -> Standing:
    """Return how a membership stands at `at` by what it `held` and will hold."""
    current = next((one for one in held if one.begins <= at < one.ends), None)
    edges = (edge for one in held for edge in (one.begins, one.ends) if edge > at)
    state, ended_at = _state(held, current, list(subscriptions), at)
    return Standing(
        state=state,
        current=current,
        entitled_until=None if current is None else _until(held, current),
        turns_at=min(edges, default=None),
        ended_at=ended_at,
    )


def is_over(subscription: Subscription) -> bool:
    """Tell whether a subscription has ended for good: nothing revives it at Stripe."""
    return subscription.status in _OVER


def _state(
    held: Sequence[Entitlement],
    current: Entitlement | None,
    subscriptions: list[Subscription],
    at: datetime,
) -> tuple[State, datetime | None]:
    living = [one for one in subscriptions if not is_over(one)]
    if current is not None:
        # Stripe collects a renewal an hour after it has begun: until that fails nothing is wrong.
        renews = current.ground is Ground.GRACE and any(one.status in _GOES_ON for one in living)
        return (State.ACTIVE if renews else _ENTITLED[current.ground]), None
    if not living and not any(one.begins > at for one in held):
        ends = [one.ends for one in held]
        ended = [one.ended_at for one in subscriptions if one.ended_at is not None]
        return State.ENDED, max(ends or ended, default=at)
    if any(one.is_collection_paused or one.status is SubscriptionStatus.PAUSED for one in living):
        return State.PAUSED, None
    return State.SUSPENDED, None


def _until(held: Sequence[Entitlement], current: Entitlement) -> datetime:
    """Return the end of `current` and of all that follows without a gap."""
    until = current.ends
    for one in held:
        if one.begins == until:
            until = one.ends
    return until


def _of_picture(picture: Picture, terms: Mapping[str, Terms]) -> list[_Piece]:
    """Return what a subscription stands for, without overlap, with its grace."""
    found = [*_trials(picture, terms), *_paid(picture, terms)]
    if not found:
        return []
    pieces = _painted(found)
    # What ended before its time (refunded, disputed) has no grace after it.
    if pieces and pieces[-1].ends == max(piece.would_end for piece in found):
        pieces += _grace(picture, pieces[-1])
    ended_at = picture.subscription.ended_at
    return pieces if ended_at is None else _before(ended_at, pieces)


def _before(instant: datetime, pieces: Iterable[_Piece]) -> list[_Piece]:
    """Return `pieces` as far as they lie before `instant`."""
    return [
        msgspec.structs.replace(piece, ends=min(piece.ends, instant))
        for piece in pieces
        if piece.begins < instant
    ]


def _trials(picture: Picture, terms: Mapping[str, Terms]) -> list[_Piece]:
    one = picture.subscription
    if one.trial_start is None or one.trial_end is None or one.status not in _TRIED:
        return []
    its_terms = terms.get(_trial_price(picture))
    if its_terms is None or one.trial_start >= one.trial_end:
        return []
    return [
        _Piece(
            terms=its_terms,
            ground=Ground.TRIAL,
            begins=one.trial_start,
            ends=one.trial_end,
            would_end=one.trial_end,
            period_start=one.trial_start,
            period_end=one.trial_end,
            source=one.id,
        )
    ]


def _trial_price(picture: Picture) -> str:
    """Return the price that was tried, which may have been changed since: its invoice knows."""
    one = picture.subscription
    tried = [
        line.price_id
        for invoice in sorted(picture.invoices, key=_age)
        for line in invoice.lines
        if line.period_start == one.trial_start and line.price_id is not None
    ]
    return tried[0] if tried else one.price_id


def _paid(picture: Picture, terms: Mapping[str, Terms]) -> list[_Piece]:
    """Return a piece for each line that is paid for, in the order in which they hold.

    A credit (a negative line) entitles to nothing, and a line of a trial is the trial's.
    """
    lines = [
        (invoice, line)
        for invoice in sorted(picture.invoices, key=_age)
        if invoice.status is InvoiceStatus.PAID
        for line in sorted(invoice.lines, key=_weight)
        if line.amount.amount_minor >= 0 and line.price_id in terms
    ]
    periods = [line for _, line in lines if not line.is_proration]
    pieces = []
    for invoice, line in lines:
        begins = _after_trial(picture.subscription, line.period_start)
        if begins >= line.period_end:
            continue
        taken_at, for_good = _taken(picture, invoice)
        ends = line.period_end if taken_at is None else min(line.period_end, taken_at)
        period = _period_of(line, periods)
        pieces.append(
            _Piece(
                terms=terms[str(line.price_id)],
                ground=Ground.PAID,
                begins=begins,
                ends=max(begins, ends),
                would_end=line.period_end,
                period_start=_after_trial(picture.subscription, period.period_start),
                period_end=period.period_end,
                source=invoice.id,
                taken_back=for_good and ends < line.period_end,
            )
        )
    return pieces


def _age(invoice: Invoice) -> tuple[datetime, bool, int, str, str]:
    """Return by what invoices follow each other; Stripe's times are whole seconds.

    Of one second a change comes after what it changes; further ones have numbers that rise.
    """
    is_change = any(line.is_proration for line in invoice.lines)
    number = invoice.number or ""
    return invoice.created_at, is_change, len(number), number, invoice.id


def _weight(line: InvoiceLine) -> tuple[int, datetime, datetime, str]:
    return line.amount.amount_minor, line.period_start, line.period_end, line.price_id or ""


def _after_trial(one: Subscription, instant: datetime) -> datetime:
    """Return `instant`, or the end of the trial in which it lies."""
    if one.trial_start is None or one.trial_end is None:
        return instant
    return one.trial_end if one.trial_start <= instant < one.trial_end else instant


def _period_of(line: InvoiceLine, periods: Iterable[InvoiceLine]) -> InvoiceLine:
    """Return the line of the whole period of which `line` is the rest after a change."""
    whole = (
        one
        for one in periods
        if one.period_start <= line.period_start and one.period_end == line.period_end
    )
    return next(whole, line) if line.is_proration else line


def _taken(picture: Picture, invoice: Invoice) -> tuple[datetime | None, bool]:
    """Return since when an invoice's money is gone, and whether for good.

    It is refunded in full, or withdrawn from (which may leave us a part), or taken by a dispute; an
    open dispute may still give it back.
    """
    payments = frozenset(invoice.payment_intent_ids)
    taken = [
        (one.created_at, one.is_lost)
        for one in picture.disputes
        if one.payment_intent_id in payments and one.takes_money
    ]
    left = invoice.amount_paid.amount_minor
    for one in sorted(picture.refunds, key=lambda refund: (refund.created_at, refund.id)):
        if one.payment_intent_id in payments and one.counts and left > 0:
            left -= one.amount.amount_minor
            if left <= 0 or one.is_withdrawal:
                taken.append((one.created_at, True))
    return min((at for at, _ in taken), default=None), any(for_good for _, for_good in taken)


def _grace(picture: Picture, last: _Piece) -> list[_Piece]:
    """Return the grace after the last that was tried or paid, where it renews.

    What was once in grace stays so when the subscription is given up later: time that has passed is
    not taken away.
    """
    one = picture.subscription
    length = last.terms.grace_after_trial if last.ground is Ground.TRIAL else last.terms.grace
    ends = last.ends + length
    if _is_ending(one, last.ends):
        ends = min(ends, one.canceled_at or last.ends)
    if ends <= last.ends or not _goes_on(picture, last.ends):
        return []
    return [
        msgspec.structs.replace(
            last,
            ground=Ground.GRACE,
            begins=last.ends,
            ends=ends,
            would_end=ends,
            source=one.id,
        )
    ]


def _is_ending(one: Subscription, end: datetime) -> bool:
    """Tell whether a subscription has ended, or ends with what is paid until `end`."""
    ends_by_then = one.cancel_at is not None and one.cancel_at <= end
    return one.cancel_at_period_end or ends_by_then or is_over(one)


def _goes_on(picture: Picture, end: datetime) -> bool:
    """Tell whether what follows `end` was to be charged, be it in vain."""
    if picture.subscription.status not in _CHARGED or picture.subscription.is_collection_paused:
        return False
    # A void invoice is what a pause, or the operator, made of what would have been due.
    return not any(
        invoice.status is InvoiceStatus.VOID
        and any(line.period_start <= end < line.period_end for line in invoice.lines)
        for invoice in picture.invoices
    )


def _of_given(one: Given) -> _Piece:
    return _Piece(
        terms=Terms(one.plan_no, one.rank, timedelta(), timedelta()),
        ground=one.ground,
        begins=one.begins,
        ends=one.ends,
        would_end=one.ends,
        period_start=one.begins,
        period_end=one.ends,
        source=one.source,
        taken_back=one.taken_back,
    )


_FIRMNESS = {Ground.GRACE: 0, Ground.COMPED: 1, Ground.SPONSORED: 2, Ground.GIFT: 3}


def _firmness(piece: _Piece) -> tuple[int, int, datetime, str]:
    firmness = _FIRMNESS.get(piece.ground, len(_FIRMNESS))
    return piece.terms.rank, firmness, piece.begins, piece.source


def _painted(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Return `pieces` without overlap, in order of time: a later one covers those before it."""
    edges = sorted({edge for piece in pieces for edge in (piece.begins, piece.ends)})
    painted: list[_Piece] = []
    shown: _Piece | None = None
    for begins, ends in pairwise(edges):
        covering = [piece for piece in pieces if piece.begins <= begins and ends <= piece.ends]
        top = covering[-1] if covering else None
        if top is not None and top is shown:
            painted[-1] = msgspec.structs.replace(painted[-1], ends=ends)
        elif top is not None:
            painted.append(msgspec.structs.replace(top, begins=begins, ends=ends))
        shown = top
    return painted


def _entitlement(piece: _Piece) -> Entitlement:
    return Entitlement(
        plan_no=piece.terms.plan_no,
        begins=piece.begins,
        ends=piece.ends,
        ground=piece.ground,
        period_start=piece.period_start,
        period_end=piece.period_end,
        source=piece.source,
        taken_back=piece.taken_back,
    )
