"""Coalescing: single requests of concurrent callers share one transaction, each has its own answer.

There is no lingering: the commit of one batch is the window in which the next one gathers, and an
idle coalescer runs a lone request straight through.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Coalescer(Generic[Request, Answer]):
    """Runs `work` over whatever requests have gathered: at most `most`, one batch at a time."""

    def __init__(
        self, work: Callable[[list[Request]], Awaitable[list[Answer]]], *, most: int = 256
    ) -> None:
        """Prepare; `work` answers each request in its place, an exception as a value included."""
        self._work = work
        self._most = most
        self._waiting: list[tuple[Request, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    def submit(self, request: Request) -> "asyncio.Future[Answer]":
        """Return the future answer of `request`; it fails with what `work` fails with."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return future

    async def finish(self) -> None:
        """Wait until everything submitted so far is answered."""
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._most]
                del self._waiting[: self._most]
                await self._answer(batch)
        finally:
            self._running = None

    async def _answer(self, batch: list[tuple[Request, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._work([request for request, _ in batch])
        except Exception as error:  # noqa: BLE001 - every caller must hear of it, whatever it is
            if len(batch) > 1:
                # One request that the database refuses must not fail the others: halve until alone.
                middle = len(batch) // 2
                await self._answer(batch[:middle])
                await self._answer(batch[middle:])
                return
            _, future = batch[0]
            if not future.done():
                future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
