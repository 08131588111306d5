"""When a member comes to the new price of a campaign, and what is to be done next: pure.

All follows from how things stand, never from what was done before: whatever broke off goes on, and
what a member did meanwhile counts.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from billing.gateway.shapes import Subscription, SubscriptionStatus
from billing.plans.countries import CountryDocument
from billing.plans.documents import Interval
from billing.subscriptions.campaigns.documents import CampaignDocument, Move
from billing.subscriptions.months import months_after

CLOSES = timedelta(days=1)
"""So long before the promised renewal it is decided what becomes of who has not agreed."""

_MONTHS = {"month": 1, "year": 12}
_OVER = frozenset({SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED})


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What a member is told: the new price holds from the first renewal at or after `applies_at`.

    `wants_consent` when it must agree by `CLOSES` before that renewal.
    """

    applies_at: datetime
    wants_consent: bool


class Step(StrEnum):
    """What is to be done next about a member's price."""

    WAIT = "wait"
    SCHEDULE = "schedule"
    WATCH = "watch"
    """It is scheduled, or ends for want of consent: look again that it stays so."""
    END = "end"
    RESTORE = "restore"
    """It was to end for want of consent, which has come."""
    DONE = "done"
    KEEP = "keep"
    LEAVE = "leave"


def hindrance(one: Subscription) -> str | None:
    """Return why nothing is promised or scheduled for a subscription now; None for nothing."""
    hindrances = (
        (one.status is SubscriptionStatus.TRIALING, "trialing"),
        (one.cancel_at_period_end or one.cancel_at is not None, "cancelled"),
        (one.is_collection_paused, "paused"),
        (one.status is not SubscriptionStatus.ACTIVE, "unpaid"),
        (one.has_pending_update, "change_waits_for_payment"),
    )
    return next((reason for holds, reason in hindrances if holds), None)


def wants_consent(
    document: CampaignDocument, terms: CountryDocument, move: Move, country: str
) -> bool:
    """Tell whether a member of a country must agree; nobody has to agree to paying less."""
    if move.to_minor <= move.from_minor:
        return False
    return terms.price_rise.consent or document.consent.get(country) == "explicit"


def notice_days(document: CampaignDocument, terms: CountryDocument) -> int:
    """Return how many days before the renewal a member of a country is told."""
    return max(document.notice_days, terms.price_rise.notice_days)


def promise(
    document: CampaignDocument,
    move: Move,
    terms: CountryDocument,
    one: Subscription,
    *,
    country: str,
    joined_at: datetime,
    at: datetime,
) -> Promise | str:
    """Return what a member is told now, or why it is told nothing (yet)."""
    reason = hindrance(one)
    if reason is not None:
        return reason
    if one.next_price_id is not None:
        return "changes_otherwise"
    earliest = max(document.applies_from, at + timedelta(days=notice_days(document, terms)))
    for group in document.grandfathered:
        if joined_at < group.joined_before:
            if group.until is None:
                return "grandfathered"
            earliest = max(earliest, group.until)
    ahead = timedelta(days=document.told_at_most_days_before)
    if earliest - at > ahead:
        return "told_later"  # Said first: in thousands of years nobody reckons a renewal.
    applies_at = first_renewal(one.period_end, move.interval, earliest)
    if applies_at - at > ahead:
        return "told_later"
    must_agree = wants_consent(document, terms, move, country)
    return Promise(applies_at=applies_at, wants_consent=must_agree)


def first_renewal(period_end: datetime, interval: Interval, earliest: datetime) -> datetime:
    """Return the first renewal at or after a time, by a period that ends at `period_end`."""
    renewal, count = period_end, 0
    while renewal < earliest:
        count += 1
        renewal = months_after(period_end, count * _MONTHS[interval])
    return renewal


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised to a member, and what it has said to it."""

    applies_at: datetime
    wants_consent: bool
    has_agreed: bool
    is_ending: bool
    """We have let it end for want of consent."""
    without_consent: str


def next_step(
    stand: Stand, one: Subscription, *, old: str, new: str, at: datetime
) -> tuple[Step, str]:
    """Return what is to be done, and why; `old` and `new` are the prices by Stripe's ids."""
    over = _over(one, old=old, new=new)
    if over is not None:
        return over
    if stand.is_ending and one.cancel_at_period_end:
        return (Step.RESTORE, "agreed") if stand.has_agreed else (Step.WATCH, "no_consent")
    reason = hindrance(one)
    if reason is not None:
        return Step.WAIT, reason
    if one.next_price_id == new:
        return Step.WATCH, "scheduled"
    if one.next_price_id is not None:
        return Step.WAIT, "changes_otherwise"
    return _of_renewal(stand, one, at)


def _over(one: Subscription, *, old: str, new: str) -> tuple[Step, str] | None:
    if one.status in _OVER:
        return Step.LEAVE, "ended"
    if one.price_id == new:
        return Step.DONE, "renewed"
    return None if one.price_id == old else (Step.LEAVE, "changed_otherwise")


def _of_renewal(stand: Stand, one: Subscription, at: datetime) -> tuple[Step, str]:
    if one.period_end < stand.applies_at or one.period_end <= at:
        return Step.WAIT, "not_yet"
    if not stand.wants_consent or stand.has_agreed:
        return Step.SCHEDULE, "due"
    if at < stand.applies_at - CLOSES:
        return Step.WAIT, "consent"
    return (Step.END if stand.without_consent == "ends" else Step.KEEP), "no_consent"
