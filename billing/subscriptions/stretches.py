"""What a subscription stands for: stretches of time, each with its ground; pure, from a picture.

A later stretch covers those before it: a change of the plan holds from its payment on, and where it
is refunded what was paid before shows again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import msgspec

from billing.benefits.entitlements import Ground, Pool
from billing.gateway.shapes import (
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Picture,
    Subscription,
    SubscriptionStatus,
)
from billing.subscriptions import put_offs


class Terms(msgspec.Struct, frozen=True):
    """What of a plan's version counts here; `grace_after_trial` follows a trial that is unpaid.

    `price_no` is our price, `price_minor` what a period costs by it; None of what has no price.
    """

    plan_no: int
    rank: int
    grace: timedelta
    grace_after_trial: timedelta
    price_no: int | None = None
    price_minor: int | None = None


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time with what stands behind it; it would have held until `would_end`.

    `recurring_minor` is what a whole period of it is charged at, if it is charged.
    """

    terms: Terms
    ground: Ground
    begins: datetime
    ends: datetime
    would_end: datetime
    period_start: datetime
    period_end: datetime
    source: str
    taken_back: bool = False
    recurring_minor: int | None = None
    pool: Pool | None = None


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


def of_picture(picture: Picture, terms: Mapping[str, Terms]) -> list[Stretch]:
    """Return what a subscription stands for, without overlap, with its grace."""
    found = [*_trials(picture, terms), *_paid(picture, terms)]
    stretches = painted(found)
    put_off = _put_off(picture, terms, found)
    if put_off is not None:
        stretches += _grace(picture, put_off)
    # What ended before its time (refunded, disputed) has no grace after it.
    elif stretches and stretches[-1].ends == max(stretch.would_end for stretch in found):
        stretches += _grace(picture, stretches[-1])
    ended_at = picture.subscription.ended_at
    held = stretches if ended_at is None else _before(ended_at, stretches)
    at_once = taken_at_once(found)
    return [*held, *(one for one in at_once if ended_at is None or one.ends <= ended_at)]


def _before(instant: datetime, stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return `stretches` as far as they lie before `instant`."""
    return [
        msgspec.structs.replace(stretch, ends=min(stretch.ends, instant))
        for stretch in stretches
        if stretch.begins < instant
    ]


def _put_off(
    picture: Picture, terms: Mapping[str, Terms], found: Sequence[Stretch]
) -> Stretch | None:
    """Return what a renewal that is put off follows, which is for no time; None without one.

    Until then the months hold for which it is put off; what follows is awaited as any renewal.
    """
    one = picture.subscription
    its_terms, charged_at = terms.get(one.price_id), put_offs.charged_at(one)
    if charged_at is None or its_terms is None:
        return None
    if any(stretch.would_end > charged_at for stretch in found):
        return None
    was_paid = any(stretch.ground is Ground.PAID for stretch in found)
    return Stretch(
        terms=its_terms,
        ground=Ground.PAID if was_paid else Ground.TRIAL,
        begins=charged_at,
        ends=charged_at,
        would_end=charged_at,
        period_start=charged_at,
        period_end=charged_at,
        source=one.id,
    )


def _trials(picture: Picture, terms: Mapping[str, Terms]) -> list[Stretch]:
    one = picture.subscription
    tried = put_offs.of(one).tried
    if tried is None or one.status not in _TRIED:
        return []
    begins, ends = max(tried[0], one.created_at), tried[1]
    its_terms = terms.get(_trial_price(picture, begins))
    if its_terms is None or begins >= ends:
        return []
    return [
        Stretch(
            terms=its_terms,
            ground=Ground.TRIAL,
            begins=begins,
            ends=ends,
            would_end=ends,
            period_start=begins,
            period_end=ends,
            source=one.id,
        )
    ]


def _trial_price(picture: Picture, begins: datetime) -> str:
    """Return the price that was tried, which may have been changed since: its invoice knows.

    Of a trial that waits for the end of what was given it is an invoice from before, the last one.
    """
    one = picture.subscription
    covering = [
        (invoice, line)
        for invoice in sorted(picture.invoices, key=_age)
        for line in invoice.lines
        if line.price_id is not None and line.period_start <= begins < line.period_end
    ]
    tried = [line.price_id for _, line in covering if line.period_start == begins]
    before = [line.price_id for invoice, line in covering if invoice.created_at < begins]
    return str((tried[:1] or before[-1:] or [one.price_id])[0])


def _paid(picture: Picture, terms: Mapping[str, Terms]) -> list[Stretch]:
    """Return a stretch for each line that is paid for, in the order in which they hold.

    A credit (a negative line) entitles to nothing, and a line of a trial is the trial's.
    """
    put_off = put_offs.of(picture.subscription)
    lines = [
        (invoice, line)
        for invoice in sorted(picture.invoices, key=_age)
        if invoice.status is InvoiceStatus.PAID
        for line in sorted(invoice.lines, key=_weight)
        if line.amount.amount_minor >= 0
        and line.price_id in terms
        # What was put off is not paid for: somebody's gift holds then.
        and (line.amount.amount_minor or not put_off.covers(line.period_start))
    ]
    periods = [line for _, line in lines if not line.is_proration]
    stretches = []
    for invoice, line in lines:
        begins = _after_trial(picture.subscription, line.period_start)
        if begins >= line.period_end:
            continue
        taken_at, for_good = _taken(picture, invoice)
        ends = line.period_end if taken_at is None else min(line.period_end, taken_at)
        period = _period_of(line, periods)
        its_terms = terms[str(line.price_id)]
        stretches.append(
            Stretch(
                terms=its_terms,
                ground=Ground.PAID,
                begins=begins,
                ends=max(begins, ends),
                would_end=line.period_end,
                period_start=_after_trial(picture.subscription, period.period_start),
                period_end=period.period_end,
                source=invoice.id,
                # What cost no money has none to go back once its time has passed.
                taken_back=for_good
                and begins <= ends
                and (ends < line.period_end or invoice.amount_paid.amount_minor > 0),
                recurring_minor=_of_whole(line, period, its_terms),
            )
        )
    return stretches


def _of_whole(line: InvoiceLine, period: InvoiceLine, terms: Terms) -> int:
    """Return what the whole of a line's period would have been charged at.

    A part of a period is rounded to the minor unit, so scaled up it may miss the price by a little:
    then it is the price.
    """
    length = line.period_end - line.period_start
    if not line.is_proration or length <= timedelta():
        return line.amount.amount_minor
    parts = Fraction(_seconds(period.period_end - period.period_start), _seconds(length))
    whole = line.amount.amount_minor * parts
    price = terms.price_minor
    return round(whole) if price is None or abs(whole - price) > parts else price


def _seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)


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
    tried = put_offs.of(one).tried
    return instant if tried is None or not tried[0] <= instant < tried[1] else tried[1]


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
    if not left and picture.subscription.ended_at is not None:
        # What cost no money (a coupon or credit paid) has none to go back: it is given up then.
        taken.append((picture.subscription.ended_at, True))
    for one in sorted(picture.refunds, key=lambda refund: (refund.created_at, refund.id)):
        if one.payment_intent_id in payments and one.counts and left > 0:
            left -= one.amount.amount_minor
            if left <= 0 or one.is_withdrawal:
                taken.append((one.created_at, True))
    return min((at for at, _ in taken), default=None), any(for_good for _, for_good in taken)


def _grace(picture: Picture, last: Stretch) -> list[Stretch]:
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
            recurring_minor=_awaited(last),
        )
    ]


def _awaited(last: Stretch) -> int | None:
    """Return what a period is to be charged at: as the last one was, after a trial by the price."""
    return last.terms.price_minor if last.recurring_minor is None else last.recurring_minor


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


def is_over(subscription: Subscription) -> bool:
    """Tell whether a subscription has ended for good: nothing revives it at Stripe."""
    return subscription.status in _OVER


def taken_at_once(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return what was taken back in the second in which it began: it held for no time."""
    return [one for one in stretches if one.taken_back and one.begins == one.ends]


def painted(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Return `stretches` without overlap, in order of time: a later one covers those before it."""
    edges = sorted({edge for stretch in stretches for edge in (stretch.begins, stretch.ends)})
    found: list[Stretch] = []
    shown: Stretch | None = None
    for begins, ends in pairwise(edges):
        covering = [one for one in stretches if one.begins <= begins and ends <= one.ends]
        top = covering[-1] if covering else None
        if top is not None and top is shown:
            found[-1] = msgspec.structs.replace(found[-1], ends=ends)
        elif top is not None:
            found.append(msgspec.structs.replace(top, begins=begins, ends=ends))
        shown = top
    return found
