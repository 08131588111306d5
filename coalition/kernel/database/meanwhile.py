"""What can be computed while the server works on a statement."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
Made = TypeVar("Made")


async def meanwhile(
    statement: Coroutine[Any, Any, Result],  # Any: what coroutines yield and are sent
    work: Callable[[], Made],
) -> tuple[Result, Made]:
    """Send `statement` off, do `work` while the server is at it, and return what came of both.

    `work` asks nothing of the connection. Whatever fails, the statement has ended when this does.
    """
    sent = asyncio.create_task(statement)
    try:
        await asyncio.sleep(0)  # lets the statement go out
        made = work()
    except BaseException as error:
        if not isinstance(error, Exception):
            sent.cancel()
        await asyncio.gather(sent, return_exceptions=True)
        raise
    return await sent, made
