"""What a member should be entitled to at an instant, told from Stripe's picture day by day.

Written apart from `billing.subscriptions.states` and in another way, so that both have to agree.
"""

import calendar
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from billing.gateway.shapes import Invoice, Picture


def is_entitled(picture: Picture, instant: datetime, *, grace_days: Mapping[str, int]) -> bool:
    """Tell whether the benefits of a plan hold at `instant`; days of grace are by the price."""
    one = picture.subscription
    if one.ended_at is not None and instant >= one.ended_at:
        return False
    if _is_tried(picture, instant) or _is_paid(picture, instant):
        return True
    return _is_in_grace(picture, instant, grace_days)


def money_kept(picture: Picture) -> int:
    """Return what Stripe has of a member, less what went back."""
    return sum(money_by_source(picture).values())


def money_by_source(picture: Picture) -> dict[str, int]:
    """Return what each invoice, refund and dispute comes to, if it comes to anything."""
    found: dict[str, int] = {}
    for invoice in picture.invoices:
        if invoice.status == "paid":
            found[invoice.id] = invoice.amount_paid.amount_minor
            for dispute in picture.disputes:
                if dispute.payment_intent_id in invoice.payment_intent_ids:
                    is_back = dispute.status == "won"
                    found[dispute.id] = 0 if is_back else -dispute.amount.amount_minor
            for refund in picture.refunds:
                if refund.payment_intent_id in invoice.payment_intent_ids:
                    is_gone = refund.status in {"pending", "requires_action", "succeeded"}
                    found[refund.id] = -refund.amount.amount_minor if is_gone else 0
    return {source: minor for source, minor in found.items() if minor}


def points_by_month(
    pictures: Iterable[Picture], points: Mapping[str | None, int], until: datetime
) -> dict[int, int]:
    """Return what each month that has begun by `until` gives, for what is paid and has stayed so.

    Months count from the first payment, whatever became of it; `points` are by the price.
    """
    paid = [
        (line.period_start, _end(picture, invoice, line.period_end), line.price_id, is_gone)
        for picture in pictures
        for invoice in picture.invoices
        if invoice.status == "paid"
        for is_gone in [_is_gone_for_good(picture, invoice)]
        for line in invoice.lines
        if line.amount.amount_minor > 0
    ]
    paid = [one for one in paid if one[0] < one[1]]
    found: dict[int, int] = {}
    if not paid:
        return found
    first, month = min(begins for begins, *_ in paid), 0
    while (start := _months_later(first, month)) <= until:
        end = _months_later(first, month + 1)
        given = [
            points[price]
            for begins, ends, price, is_gone in paid
            if not is_gone and begins < end and ends > start and begins <= until
        ]
        if given:
            found[month] = max(given)
        month += 1
    return found


def _end(picture: Picture, invoice: Invoice, period_end: datetime) -> datetime:
    """Return when a paid period ends for its member: by itself, with all, or with its money."""
    ends = [period_end]
    if picture.subscription.ended_at is not None:
        ends.append(picture.subscription.ended_at)
    back = 0
    for refund in sorted(picture.refunds, key=lambda one: one.created_at):
        if refund.payment_intent_id in invoice.payment_intent_ids:
            back += refund.amount.amount_minor
            if back >= invoice.amount_paid.amount_minor:
                ends.append(refund.created_at)
    ends += [
        dispute.created_at
        for dispute in picture.disputes
        if dispute.payment_intent_id in invoice.payment_intent_ids and dispute.status != "won"
    ]
    return min(ends)


def _is_gone_for_good(picture: Picture, invoice: Invoice) -> bool:
    own = invoice.payment_intent_ids
    back = [one for one in picture.refunds if one.payment_intent_id in own]
    if back and sum(one.amount.amount_minor for one in back) >= invoice.amount_paid.amount_minor:
        return True
    return any(one.status == "lost" for one in picture.disputes if one.payment_intent_id in own)


def _months_later(begins: datetime, months: int) -> datetime:
    year, month = divmod(begins.year * 12 + begins.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return begins.replace(year=year, month=month + 1, day=min(begins.day, last))


def _is_tried(picture: Picture, instant: datetime) -> bool:
    one = picture.subscription
    if one.status.startswith("incomplete") or one.trial_start is None or one.trial_end is None:
        return False
    return one.trial_start <= instant < one.trial_end


def _is_paid(picture: Picture, instant: datetime) -> bool:
    return any(
        line.amount.amount_minor > 0
        and line.period_start <= instant < line.period_end
        and not _is_refunded(picture, invoice, instant)
        for invoice in picture.invoices
        if invoice.status == "paid"
        for line in invoice.lines
    )


def _is_refunded(picture: Picture, invoice: Invoice, instant: datetime) -> bool:
    """Tell whether the money of an invoice has gone back whole, or a bank holds or has it."""
    if any(
        dispute.payment_intent_id in invoice.payment_intent_ids
        and dispute.created_at <= instant
        and dispute.status != "won"
        for dispute in picture.disputes
    ):
        return True
    back = [
        refund.amount.amount_minor
        for refund in picture.refunds
        if refund.payment_intent_id in invoice.payment_intent_ids and refund.created_at <= instant
    ]
    return bool(back) and sum(back) >= invoice.amount_paid.amount_minor


def _price_paid(picture: Picture, instant: datetime) -> str:
    """Return the price that is paid for at `instant`: that of the latest change."""
    found = [
        (invoice.created_at, line.is_proration, line.price_id or "")
        for invoice in picture.invoices
        if invoice.status == "paid" and not _is_refunded(picture, invoice, instant)
        for line in invoice.lines
        if line.amount.amount_minor > 0 and line.period_start <= instant < line.period_end
    ]
    return max(found)[2]


def _is_in_grace(picture: Picture, instant: datetime, grace_days: Mapping[str, int]) -> bool:
    """Tell whether the last period or trial ended lately, by itself, and was to be renewed."""
    one = picture.subscription
    paid = [each for each in picture.invoices if each.status == "paid"]
    ends = {line.period_end for each in paid for line in each.lines if line.amount.amount_minor > 0}
    tried = one.trial_end if one.trial_end and not one.status.startswith("incomplete") else None
    end = max(ends | ({tried} if tried else set()), default=None)
    if end is None or not end <= instant:
        return False
    just_before = end - timedelta(microseconds=1)
    if not (_is_paid(picture, just_before) or _is_tried(picture, just_before)):
        return False
    days = 1 if end not in ends else grace_days[_price_paid(picture, just_before)]
    if instant >= end + timedelta(days=days):
        return False
    if one.status.startswith(("incomplete", "paused")) or one.is_collection_paused:
        return False
    if any(
        line.period_start <= end < line.period_end
        for each in picture.invoices
        if each.status == "void"
        for line in each.lines
    ):
        return False
    is_ending = one.cancel_at_period_end or one.status == "canceled"
    return not is_ending or (one.canceled_at is not None and instant < one.canceled_at)
