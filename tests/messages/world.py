"""A mail server in the process, and members to whom something is said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import count
from typing import Any
from uuid import UUID

from aiosmtpd.smtp import SMTP, Envelope

from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members import consents
from coalition.members.consents import Channel, Given
from coalition.messages import saying, sending
from coalition.messages.office import Office
from coalition.messages.saying import Purpose, Words
from coalition.messages.sending import Post
from tests.members.world import KEYS, enrolled

HOME = "https://points.example"
SENDER = "Nørre Points <hello@points.example>"
WORDS = Words(language="en", subject="Your trial ends", body="On Monday.", path="/membership")

_addresses = count(1)
_keys = count(1)


class Mailbox:
    """What a mail server took, and what it says to each address."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refuses: dict[str, str] = {}
        """What is said to RCPT TO, by address; to all others what stands at `*`."""
        self.stops_after: int | None = None
        """After so many mails it says that, and answers no more."""
        self.stopped = asyncio.Event()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer RCPT TO."""
        del server, session, options
        refusal = self.refuses.get(address) or self.refuses.get("*")
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope
    ) -> str:
        """Keep a mail."""
        del server, session
        assert isinstance(envelope.content, bytes)
        parsed = message_from_bytes(envelope.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        self.recipients += envelope.rcpt_tos
        if len(self.mails) == self.stops_after:
            self.stopped.set()
            await asyncio.Event().wait()
        return "250 OK"


class Town:
    """Members, a clock, and the way to the mail server."""

    def __init__(self, at: datetime, mailbox: Mailbox, port: int) -> None:
        self.clock, self.mailbox = FixedClock(at), mailbox
        self.post = Post(office_at(port), HOME, KEYS)

    @property
    def at(self) -> datetime:
        return self.clock.now()

    async def member(self, email: str | None = None) -> MemberId:
        """Return a member with an address of its own, or with the one given."""
        address = email or f"person{next(_addresses)}@exempel.example"
        return await enrolled(self.at, email=address)

    async def say(
        self,
        member: MemberId,
        words: Words = WORDS,
        *,
        key: str | None = None,
        purpose: Purpose = Purpose.CONTRACT,
    ) -> UUID | None:
        """Say something to a member."""
        async with transaction() as connection:
            return await saying.say(
                connection,
                words,
                member=member,
                key=key or f"key-{next(_keys)}",
                kind="test",
                at=self.at,
                purpose=purpose,
            )

    async def send(self) -> int:
        """Send what is due."""
        return await sending.send_due(self.post, self.clock)

    async def agree(self, member: MemberId, *, granted: bool = True) -> None:
        """Let a member say yes or no to marketing by e-mail."""
        word = Given(purpose="marketing", granted=granted, text_version="1", channel=Channel.EMAIL)
        await consents.give_by_member(member, word, source="member:test", at=self.at)

    async def state(self, message_id: UUID | None) -> tuple[str, int, str | None]:
        """Return the state of an e-mail, how often it was tried, and the last error."""
        assert message_id is not None, "it was said"
        async with transaction() as connection:
            row = await connection.fetchrow(
                "SELECT email, email_attempts, email_error FROM message "
                "WHERE bucket = $1 AND id = $2",
                bucket_of(message_id),
                message_id,
            )
        return tuple(row)


def office_at(port: int) -> Office:
    """Return the mail server on this machine, at a port."""
    return Office(
        host="127.0.0.1",
        port=port,
        is_wrapped=False,
        needs_tls=False,
        username=None,
        password=None,
        sender=SENDER,
    )


@asynccontextmanager
async def mail_server(mailbox: Mailbox, *, takes_utf8: bool = True) -> AsyncIterator[int]:
    """Serve SMTP on this machine; yield the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, enable_SMTPUTF8=takes_utf8, hostname="mail.example", loop=loop),
        "127.0.0.1",
        0,
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def open_town(at: datetime, *, takes_utf8: bool = True) -> AsyncIterator[Town]:
    """Open a town with a mail server."""
    mailbox = Mailbox()
    async with mail_server(mailbox, takes_utf8=takes_utf8) as port:
        yield Town(at, mailbox, port)
