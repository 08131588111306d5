"""A process that sends what is due at a time, to a mail server on this machine."""

import asyncio
import sys
from datetime import datetime

from coalition.kernel.clock import FixedClock
from coalition.kernel.database import open_database
from coalition.messages import sending
from coalition.messages.sending import Post
from server.apps import APPS
from tests.members.world import KEYS
from tests.messages.world import HOME, office_at


async def send(url: str, port: int, at: datetime) -> None:
    """Send what is due."""
    engine = await open_database(url, apps=APPS)
    try:
        await sending.send_due(Post(office_at(port), HOME, KEYS), FixedClock(at))
    finally:
        await engine.close()


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], int(sys.argv[2]), datetime.fromisoformat(sys.argv[3])))
