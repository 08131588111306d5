"""A sender that is killed in the middle loses nothing: the next one sends what it had taken."""

import asyncio
import sys
from datetime import datetime

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.messages.rules import LEASE
from tests.messages.world import Town, open_town

pytestmark = pytest.mark.slow

MANY = 30


@pytest.mark.parametrize("killed_after", [1, 7, MANY - 1])
async def test_every_message_comes_though_its_sender_was_killed(
    at: datetime, database: Engine, database_url: str, killed_after: int
) -> None:
    async with open_town(at) as town:
        said = {f"<{await town.say(await town.member())}@points.example>" for _ in range(MANY)}
        # Just when it is about to hear that its mail was taken.
        await _killed(town, database_url, killed_after)
        town.clock.advance(LEASE)
        await town.send()
        came = [str(mail["Message-ID"]) for mail in town.mailbox.mails]
        assert set(came) == said
        assert len(came) - MANY <= 1
        async with transaction() as connection:
            left = await connection.fetchval("SELECT count(*) FROM message WHERE email <> 'sent'")
        assert left == 0


async def _killed(town: Town, database_url: str, after: int) -> None:
    """Let a process send, and kill it when the mail server has taken so many."""
    town.mailbox.stops_after = after
    command = [sys.executable, "-m", "tests.messages.sender"]
    sender = await asyncio.create_subprocess_exec(
        *command, database_url, str(town.post.office.port), town.at.isoformat()
    )
    await town.mailbox.stopped.wait()
    sender.kill()
    await sender.wait()
    town.mailbox.stops_after = None
