"""The ways in which a house comes to hear of what happened at Stripe."""

import random
from collections.abc import Iterable
from enum import StrEnum

from billing.sandbox import Delivery


class Way(StrEnum):
    """How webhooks come; what is lost is found by the reconciliation that the name says."""

    AS_SENT = "as-sent"
    """Each at its time, and looked at before the next."""
    DOUBLED = "doubled"
    DISORDERED = "reversed-and-shuffled"
    """As dice fall: the last of a batch first, or in any order and some twice; each looked at."""
    LOST_BY_EVENTS = "lost-then-reconciled-by-events"
    LOST_BY_THE_WHOLE = "lost-then-reconciled-whole"

    @property
    def loses(self) -> bool:
        """Whether no webhook ever comes."""
        return self in {Way.LOST_BY_EVENTS, Way.LOST_BY_THE_WHOLE}

    @property
    def looks_at_each(self) -> bool:
        """Whether each webhook is looked at before the next one comes."""
        return self in {Way.AS_SENT, Way.DISORDERED}

    def arranged(self, sent: Iterable[Delivery], dice: random.Random) -> list[Delivery]:
        """Return what comes of a batch, in the order in which it comes."""
        batch = list(sent)
        if self.loses:
            return []
        if self is Way.DOUBLED:
            return [one for one in batch for _ in range(2)]
        if self is Way.DISORDERED and dice.random() < 0.5:
            batch += dice.sample(batch, len(batch) // 3)
            dice.shuffle(batch)
        elif self is Way.DISORDERED:
            batch.reverse()
        return batch
