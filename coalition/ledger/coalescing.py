"""Coalescing: single requests of concurrent callers share one transaction, each has its own answer.

There is no lingering: the commit of one batch is the window in which the next one gathers, and an
idle coalescer runs a lone request straight through.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Generic, TypeVar

from coalition.kernel.database.transactions import is_lock_timeout, is_outage
from coalition.kernel.errors import Unavailable

Request = TypeVar("Request")
Answer = TypeVar("Answer")

_Submitted = tuple[Request, asyncio.Future[Answer]]

_LANES = 4
"""How many requests that were taken out of their batch run at once; each has a connection."""


class Coalescer(Generic[Request, Answer]):
    """Runs `work` over whatever requests have gathered: at most `most`, one batch at a time."""

    def __init__(
        self, work: Callable[[list[Request]], Awaitable[list[Answer]]], *, most: int = 256
    ) -> None:
        """Prepare; `work` answers each request in its place, an exception as a value included."""
        self._work = work
        self._most = most
        self._waiting: list[_Submitted[Request, Answer]] = []
        self._running: asyncio.Task[None] | None = None
        self._alone: set[asyncio.Task[None]] = set()
        self._lanes = asyncio.Semaphore(_LANES)

    @property
    def gathered(self) -> int:
        """How many requests wait for the next batch."""
        return len(self._waiting)

    def submit(self, request: Request) -> "asyncio.Future[Answer]":
        """Return the future answer of `request`; it fails with what `work` fails with."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._running is None:
            # A context of its own: the caller's may hold an open transaction, which is not ours.
            self._running = asyncio.create_task(self._run(), context=Context())
        return future

    async def finish(self) -> None:
        """Wait until everything submitted so far is answered."""
        while tasks := [
            task for task in (self._running, *self._alone) if task is not None and not task.done()
        ]:
            await asyncio.wait(tasks)

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._most]
                del self._waiting[: self._most]
                await self._answer(batch)
        finally:
            self._running = None

    async def _answer(self, batch: list[_Submitted[Request, Answer]]) -> None:
        try:
            answers = await self._work([request for request, _ in batch])
            assert len(answers) == len(batch), "each request has its answer"
        except Exception as error:  # noqa: BLE001 - every caller must hear of it, whatever it is
            if len(batch) > 1 and is_lock_timeout(error):
                # One of them waits for another session; only that one shall go on waiting.
                self._answer_alone(batch)
            elif len(batch) > 1 and not is_outage(error):
                # One request that the database refuses must not fail the others: halve until alone.
                middle = len(batch) // 2
                await self._answer(batch[:middle])
                await self._answer(batch[middle:])
            else:
                # The database could not be reached for all of the attempts: whoever waits now
                # hears of it too, even one that came late, rather than wait for as many again.
                waiting = self._waiting if isinstance(error, Unavailable) else []
                for _, future in (*batch, *waiting):
                    if not future.done():
                        future.set_exception(error)
                waiting.clear()
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    def _answer_alone(self, batch: list[_Submitted[Request, Answer]]) -> None:
        async def answer(one: _Submitted[Request, Answer]) -> None:
            async with self._lanes:
                await self._answer([one])

        for one in batch:
            task = asyncio.create_task(answer(one), context=Context())
            self._alone.add(task)
            task.add_done_callback(self._alone.discard)
