"""What goes wrong on purpose: the next requests that match are limited, broken, lost or held."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase

from billing.sandbox.errors import Broken, KeyInUse, LockTimeout, RateLimited, Refusal


class AnswerLostError(ConnectionError):
    """The connection broke: the client cannot know whether the request was done."""


class Kind(Enum):
    """What happens to a request."""

    RATE_LIMITED = "rate_limited"
    LOCK_TIMEOUT = "lock_timeout"
    KEY_IN_USE = "key_in_use"
    BROKEN = "broken"
    LOST = "lost"


@dataclass
class Fault:
    """One planned fault; `after` means that the request is done first and then seems to fail."""

    kind: Kind
    times: int = 1
    method: str = "*"
    path: str = "*"
    after: bool = False

    def strike(self, key: str | None) -> None:
        """Raise what the client sees."""
        if self.kind is Kind.LOST:
            raise AnswerLostError(f"the answer was lost {'after' if self.after else 'before'} work")
        errors: dict[Kind, Refusal] = {
            Kind.RATE_LIMITED: RateLimited(),
            Kind.LOCK_TIMEOUT: LockTimeout(),
            Kind.KEY_IN_USE: KeyInUse(key or ""),
            Kind.BROKEN: Broken(),
        }
        raise errors[self.kind]


@dataclass
class Hold:
    """A request that waits before it is done, so that others meet it at work."""

    method: str = "*"
    path: str = "*"
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Limit:
    """So many requests in so many seconds of the account's time; more are refused with 429."""

    requests: int
    seconds: int
    done_at: deque[int] = field(default_factory=deque)

    def is_reached(self, at: int) -> bool:
        """Count one more request, unless that is too many."""
        while self.done_at and self.done_at[0] <= at - self.seconds:
            self.done_at.popleft()
        if len(self.done_at) >= self.requests:
            return True
        self.done_at.append(at)
        return False


@dataclass
class Faults:
    """The faults that are planned, in order; each strikes as many requests as it says."""

    planned: list[Fault] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    limit: Limit | None = None
    """The rate that all requests together have to keep; none without."""

    def add(
        self,
        kind: Kind,
        *,
        times: int = 1,
        method: str = "*",
        path: str = "*",
        after: bool = False,
    ) -> None:
        """Let the next `times` requests meet a fault; `path` may have stars (`/v1/invoices/*`)."""
        self.planned.append(Fault(kind, times, method, path, after))

    def hold(self, *, method: str = "*", path: str = "*") -> Hold:
        """Let the next request that matches wait until `released` is set."""
        hold = Hold(method, path)
        self.holds.append(hold)
        return hold

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that strikes a request, once."""
        for fault in self.planned:
            if _matches(fault, method, path):
                fault.times -= 1
                if fault.times <= 0:
                    self.planned.remove(fault)
                return fault
        return None

    def refuse_excess(self, at: int) -> None:
        """Refuse a request that is over the limit of the rate."""
        if self.limit is not None and self.limit.is_reached(at):
            raise RateLimited

    async def wait(self, method: str, path: str) -> None:
        """Wait where a hold was set for such a request."""
        for hold in self.holds:
            if _matches(hold, method, path):
                self.holds.remove(hold)
                hold.reached.set()
                await hold.released.wait()
                return


def _matches(wanted: Fault | Hold, method: str, path: str) -> bool:
    return fnmatchcase(method, wanted.method) and fnmatchcase(path, wanted.path)
