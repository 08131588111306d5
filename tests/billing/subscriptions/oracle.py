"""What a member should be entitled to at an instant, told from Stripe's picture day by day.

Written apart from `billing.subscriptions.states` and in another way, so that both have to agree.
"""

from collections.abc import Mapping
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
    kept = 0
    for invoice in picture.invoices:
        if invoice.status == "paid":
            kept += invoice.amount_paid.amount_minor
            kept -= sum(
                dispute.amount.amount_minor
                for dispute in picture.disputes
                if dispute.payment_intent_id in invoice.payment_intent_ids
                and dispute.status != "won"
            )
            kept -= sum(
                refund.amount.amount_minor
                for refund in picture.refunds
                if refund.payment_intent_id in invoice.payment_intent_ids
                and refund.status in {"pending", "requires_action", "succeeded"}
            )
    return kept


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
