"""When a membership can ever have ended: pure, from all that Stripe shows and what was given.

When a membership ended was told once and stays, while later facts may make its entitlements end at
another time: a payment long after the end, or a refund. So no derivation tells it again; yet it was
derived then, from instants that are among these still.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from billing.gateway.shapes import Picture, Subscription
from billing.subscriptions import put_offs
from billing.subscriptions.stretches import Terms


def possible(
    pictures: Iterable[Picture],
    terms: Mapping[str, Terms],
    grounds: Iterable[datetime],
    taken_of_gifts: Iterable[datetime],
) -> frozenset[datetime]:
    """Return every instant at which what `pictures` and gifts stand for can ever have ended.

    `grounds` are the instants of what was given, `taken_of_gifts` when any money of it went back.
    Refunds and disputes count whatever became of them: one that was won had taken until then.
    """
    edges = {edge for picture in pictures for edge in _of_picture(picture)}
    lengths = {timedelta()}
    for one in terms.values():
        lengths |= {one.grace, one.grace_after_trial}
    edges = {edge + length for edge in edges for length in lengths}
    return frozenset(edges).union(grounds, taken_of_gifts)


def _of_picture(picture: Picture) -> Iterator[datetime]:
    yield from _of_subscription(picture.subscription)
    for invoice in picture.invoices:
        for line in invoice.lines:
            yield from (line.period_start, line.period_end)
    yield from (one.created_at for one in picture.refunds)
    yield from (one.created_at for one in picture.disputes)


def _of_subscription(one: Subscription) -> Iterator[datetime]:
    for span in (put_offs.of(one).tried, (one.period_start, one.period_end)):
        yield from span or ()
    for edge in (one.trial_end, one.cancel_at, one.canceled_at, one.ended_at):
        if edge is not None:
            yield edge
