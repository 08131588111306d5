"""Renewals that are put off while somebody has months that were given; pure.

At Stripe that is a trial, of which the subscription's metadata says that it is none: `put_off` are
the spans for which nothing is charged, `tried` the real trial, if there was one. See docs/adr/0072.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from billing.gateway.shapes import Subscription, SubscriptionStatus

PUT_OFF, TRIED = "put_off", "tried"
SOONEST = timedelta(hours=49)
"""Stripe lets what is ordered begin no sooner than in two days, or at once."""
_LONGEST = 500
"""So many signs a value of Stripe's metadata may have."""

_DIGITS = 10  # of seconds since 1970, until the year 2286

Span = tuple[datetime, datetime]


class PutOff(NamedTuple):
    """For which spans a subscription was put off, and its real trial."""

    spans: tuple[Span, ...]
    tried: Span | None

    def covers(self, instant: datetime) -> bool:
        """Tell whether nothing is charged at an instant for what was given."""
        return any(begins <= instant < ends for begins, ends in self.spans)


def of(subscription: Subscription) -> PutOff:
    """Return what a subscription says of itself; without a word its trial is real."""
    spans = _spans(subscription.metadata.get(PUT_OFF, ""))
    if not spans:
        start, end = subscription.trial_start, subscription.trial_end
        return PutOff((), None if start is None or end is None else (start, end))
    tried = _spans(subscription.metadata.get(TRIED, ""))
    return PutOff(spans, tried[0] if tried else None)


def charged_at(subscription: Subscription) -> datetime | None:
    """Return when a subscription that was put off last is, or was to be, charged; else None."""
    known = of(subscription)
    is_trial = known.tried is not None and known.tried[1] == subscription.trial_end
    return None if not known.spans or is_trial else subscription.trial_end


def is_put_off(subscription: Subscription) -> bool:
    """Tell whether the next charge waits for the end of what was given, and no trial does."""
    is_waiting = subscription.status is SubscriptionStatus.TRIALING
    return is_waiting and charged_at(subscription) is not None


def waits_beyond(subscription: Subscription, instant: datetime) -> bool:
    """Tell whether a subscription is charged later than at `instant`, since it was put off.

    Stripe counts in whole seconds.
    """
    known = of(subscription)
    is_waiting = subscription.status is SubscriptionStatus.TRIALING and bool(known.spans)
    return is_waiting and subscription.period_end > instant + timedelta(seconds=1)


def put(subscription: Subscription, until: datetime, at: datetime) -> dict[str, str]:
    """Return the metadata of a subscription that is charged next at `until`, put off at `at`."""
    known = of(subscription)
    begins = at
    tried = known.tried
    if tried is not None and subscription.status is SubscriptionStatus.TRIALING and at < tried[1]:
        begins = tried[1]
    written = _written((*known.spans, (begins, until)))
    while len(written) > _LONGEST:
        written = written.partition(" ")[2]
    return {PUT_OFF: written} | ({} if tried is None else {TRIED: _written((tried,))})


def ordered(
    given_until: datetime, trial_days: int, at: datetime
) -> tuple[datetime, dict[str, str]]:
    """Return when what is ordered at `at` is first charged, and the metadata that say why.

    A trial begins after what was given; so does what Stripe's soonest beginning makes free.
    """
    begins = max(given_until + timedelta(days=trial_days), at + SOONEST)
    metadata = {PUT_OFF: _written(((at, given_until),))}
    if begins > given_until:
        metadata[TRIED] = _written(((given_until, begins),))
    return begins, metadata


def _spans(written: str) -> tuple[Span, ...]:
    found = []
    for word in written.split():
        begins, _, ends = word.partition("-")
        if _is_time(begins) and _is_time(ends):
            found.append((_instant(begins), _instant(ends)))
    return tuple(found)


def _is_time(seconds: str) -> bool:
    return seconds.isdecimal() and len(seconds) <= _DIGITS


def _instant(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _written(spans: tuple[Span, ...]) -> str:
    return " ".join(f"{int(one.timestamp())}-{int(two.timestamp())}" for one, two in spans)


def metadata_of(request: Mapping[str, str]) -> dict[str, str]:
    """Return of an intent's request what goes into the subscription's metadata."""
    return {name: request[name] for name in (PUT_OFF, TRIED) if name in request}
