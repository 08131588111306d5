"""Asking again what failed in passing: bounded, with pauses that grow and differ."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Result = TypeVar("Result")

PAUSES_S = (0.3, 0.8, 2.0)
"""How long to wait before each further attempt, about."""


class Passing(Exception):  # noqa: N818 - it is a state of the other side, not an error of ours
    """An attempt failed and the next one may not; `wait_s` is what the other side asked for."""

    def __init__(self, cause: BaseException, wait_s: float | None = None) -> None:
        """Remember what failed."""
        super().__init__(str(cause))
        self.cause, self.wait_s = cause, wait_s


async def patiently(
    attempt: Callable[[], Awaitable[Result]], pauses_s: Sequence[float] = PAUSES_S
) -> Result:
    """Return what `attempt` does, tried once more after each of `pauses_s` while it is `Passing`.

    Each pause is half to one and a half times as long as said, so that those who failed together
    do not come back together. Raises the last `Passing`.
    """
    for pause_s in pauses_s:
        try:
            return await attempt()
        except Passing as passing:
            longest_s = max(pause_s, min(passing.wait_s or 0.0, pauses_s[-1]))
            await asyncio.sleep(longest_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries
    return await attempt()
