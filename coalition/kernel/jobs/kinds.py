"""What a worker knows how to do, and what it does by the clock."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar, cast

import msgspec

P = TypeVar("P")


class NoPayload(msgspec.Struct, frozen=True):
    """The payload of a job that needs none, such as a scheduled one."""


@dataclass(frozen=True, kw_only=True)
class JobKind(Generic[P]):
    """One kind of job: its name in the queue, the Struct it carries, and who does it.

    `handle(payload, at)` gets the time at which it starts. If it raises, it is tried again after a
    pause that doubles from `first_pause_s`; after `attempts` the job is kept as failed until
    somebody asks for it again. One at a time means over all workers.
    """

    name: str
    handle: Callable[[P, datetime], Awaitable[None]]
    payload: type[P] = cast("type[P]", NoPayload)  # noqa: RUF009 - a class, which nobody changes
    attempts: int = 10
    first_pause_s: float = 1.0
    one_at_a_time: bool = False


@dataclass(frozen=True)
class Schedule:
    """Asks for the job `name`, without payload, at the times of `cron` (five fields, UTC).

    A job that is still waiting or running is not asked for a second time.
    """

    cron: str
    name: str
