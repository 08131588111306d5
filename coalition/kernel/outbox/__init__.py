"""Facts that others want to know: written with the change itself, delivered after its commit.

Each committed event reaches each subscriber at least once under one id; no event of a transaction
that was rolled back reaches anybody. There is no order among events.
"""

from coalition.kernel.outbox.events import Delivery, Event, append, waiting
from coalition.kernel.outbox.relay import (
    AnySubscriber,
    GatheringSubscriber,
    Subscriber,
    hand_over,
    job_kinds,
    run_relay,
)

__all__ = [
    "AnySubscriber",
    "Delivery",
    "Event",
    "GatheringSubscriber",
    "Subscriber",
    "append",
    "hand_over",
    "job_kinds",
    "run_relay",
    "waiting",
]
