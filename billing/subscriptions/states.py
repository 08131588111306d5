"""What a membership entitles to, and how it stands: pure, from what Stripe shows and what we gave.

Entitlement and billing are two timelines. Behind every instant of an entitlement stands a ground:
a trial, a paid invoice's line, grace after these, or months that were given. What Stripe's state
will become is written in advance, so that a renewal never flickers and grace ends by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from billing.benefits.entitlements import Entitlement, Ground, Pool
from billing.gateway.shapes import (
    Picture,
    Subscription,
    SubscriptionStatus,
)
from billing.subscriptions.stretches import (
    Stretch,
    Terms,
    is_over,
    of_picture,
    painted,
    taken_at_once,
)


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """Months of a plan that nobody pays by subscription: a gift, or granted, or sponsored."""

    ground: Ground
    plan_no: int
    rank: int
    begins: datetime
    ends: datetime
    source: str
    taken_back: bool = False
    pool: Pool | None = None


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
    several hold at once the higher plan does, and of one plan the firmer ground. What was taken
    back in the second in which it began holds for no time, and is there.
    """
    stretches = [stretch for one in pictures for stretch in of_picture(one, terms)]
    stretches += [_of_given(one) for one in given]
    held = [*painted(sorted(stretches, key=_firmness)), *taken_at_once(stretches)]
    in_order = sorted(held, key=lambda one: (one.begins, one.ends, one.terms.plan_no, one.source))
    return tuple(_entitlement(stretch) for stretch in in_order)


def standing(
    held: Sequence[Entitlement], subscriptions: Iterable[Subscription], at: datetime
) -> Standing:
    """Return how a membership stands at `at` by what it `held` and will hold."""
    held = [one for one in held if one.begins < one.ends or one.begins <= at]
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


def _state(
    held: Sequence[Entitlement],
    current: Entitlement | None,
    subscriptions: list[Subscription],
    at: datetime,
) -> tuple[State, datetime | None]:
    living = [one for one in subscriptions if not is_over(one) and not _is_to_be_over(one, at)]
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


def _is_to_be_over(one: Subscription, at: datetime) -> bool:
    """Tell whether a cancelled subscription's end has come; Stripe tells of it a little later."""
    end = one.cancel_at or (one.period_end if one.cancel_at_period_end else None)
    return end is not None and end <= at


def _until(held: Sequence[Entitlement], current: Entitlement) -> datetime:
    """Return the end of `current` and of all that follows without a gap."""
    until = current.ends
    for one in held:
        if one.begins == until:
            until = one.ends
    return until


def _of_given(one: Given) -> Stretch:
    return Stretch(
        terms=Terms(one.plan_no, one.rank, timedelta(), timedelta()),
        ground=one.ground,
        begins=one.begins,
        ends=one.ends,
        would_end=one.ends,
        period_start=one.begins,
        period_end=one.ends,
        source=one.source,
        taken_back=one.taken_back,
        pool=one.pool,
    )


_FIRMNESS = {
    Ground.GRACE: 0,
    Ground.SHARED: 1,
    Ground.COMPED: 2,
    Ground.SPONSORED: 3,
    Ground.GIFT: 4,
}


def _firmness(stretch: Stretch) -> tuple[int, int, datetime, str]:
    firmness = _FIRMNESS.get(stretch.ground, len(_FIRMNESS))
    return stretch.terms.rank, firmness, stretch.begins, stretch.source


def _entitlement(stretch: Stretch) -> Entitlement:
    return Entitlement(
        plan_no=stretch.terms.plan_no,
        begins=stretch.begins,
        ends=stretch.ends,
        ground=stretch.ground,
        period_start=stretch.period_start,
        period_end=stretch.period_end,
        source=stretch.source,
        taken_back=stretch.taken_back,
        price_no=stretch.terms.price_no,
        recurring_minor=stretch.recurring_minor,
        pool=stretch.pool,
    )
