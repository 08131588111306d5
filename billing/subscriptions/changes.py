"""What changed of a membership, as events that others may hear: pure, from before and after."""

from collections.abc import Iterable, Iterator

from billing.benefits.entitlements import Ground
from billing.plans.catalogue import Plans
from billing.subscriptions.bookings import Booking
from billing.subscriptions.register import Membership
from billing.subscriptions.states import State
from coalition.kernel.ids import bucket_of, shard_of
from coalition.kernel.outbox import Event

_ENTERED = {
    State.GRACE: "membership.grace",
    State.PAUSED: "membership.paused",
    State.SUSPENDED: "membership.suspended",
    State.ENDED: "membership.ended",
}
_LACKING = frozenset({State.GRACE, State.PAUSED, State.SUSPENDED, State.ENDED})
_BOOKED = {
    "refund": "membership.refunded",
    "dispute": "membership.disputed",
    "dispute_won": "membership.dispute_won",
}


def events(
    before: Membership | None, now: Membership, booked: Iterable[Booking], plans: Plans
) -> list[Event]:
    """Return the events of a membership that came from `before` (None: it began) to `now`."""
    facts = {
        "member_id": str(now.member_id),
        "membership_id": str(now.id),
        "plan": plans.plan(now.plan_no).code,
        "state": now.state,
        "ground": now.ground,
        "entitled_until": None if now.entitled_until is None else now.entitled_until.isoformat(),
    }
    shard = shard_of(bucket_of(now.id))
    told = [Event(kind, facts, shard=shard) for kind in _kinds(before, now)]
    for one in booked:
        if one.kind in _BOOKED:
            money = {
                "amount_minor": abs(one.amount_minor),
                "currency": one.currency,
                "source": one.source,
            }
            told.append(Event(_BOOKED[one.kind], facts | money, one.occurred_at, shard))
    return told


def _kinds(before: Membership | None, now: Membership) -> Iterator[str]:
    if before is None:
        yield "membership.started"
        return
    if now.state is not before.state and now.state in _ENTERED:
        yield _ENTERED[now.state]
    if before.state in _LACKING and now.state is State.ACTIVE:
        yield "membership.recovered"
    if _is_renewed(before, now):
        yield "membership.renewed"
    if now.plan_no != before.plan_no:
        yield "membership.changed"


def _is_renewed(before: Membership, now: Membership) -> bool:
    """Tell whether a paid period has begun after the one before."""
    if now.ground is not Ground.PAID or before.period_end is None or now.period_start is None:
        return False
    return now.period_start >= before.period_end
