"""A Stripe that answers each request only at the third attempt."""

from collections import Counter
from itertools import cycle

from billing.sandbox.faults import Fault, Faults, Kind


class Unsteady(Faults):
    """Refuses, limits, breaks or loses two of three: one before the work, one after it."""

    def __init__(self) -> None:
        super().__init__()
        self.struck: Counter[tuple[Kind, bool]] = Counter()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._kinds = cycle(Kind)

    def take(self, method: str, path: str) -> Fault | None:
        turn = self._asked[method, path] % 3
        self._asked[method, path] += 1
        if turn == 2:
            return None
        fault = Fault(next(self._kinds), after=turn == 1)
        self.struck[fault.kind, fault.after] += 1
        return fault
