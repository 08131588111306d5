"""Waiting in a process that may be told to stop."""

import asyncio


async def is_set_within(stop: asyncio.Event, pause_s: float) -> bool:
    """Wait at most `pause_s` for `stop`; tell whether it came."""
    try:
        async with asyncio.timeout(pause_s):
            await stop.wait()
    except TimeoutError:
        return False
    return True
