"""The mail server that takes our e-mails, and the way to it; the only place that speaks SMTP."""

import contextlib
import ipaddress
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr
from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import aiosmtplib

from coalition.kernel.settings import Settings

TIMEOUT_S = 30.0

_STATUS = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
"""An enhanced status code (RFC 3463), such as 5.1.1 for no such mailbox."""


class MailServerAwayError(Exception):
    """The mail server cannot be reached, or does not let us in; it says by which codes."""


class Fate(Enum):
    """What became of an attempt."""

    TAKEN = "taken"
    NEVER = "never"
    """The server will not take it, now or later."""
    LATER = "later"
    """The server will not take this one now."""
    NOT_NOW = "not_now"
    """The server takes nothing now, for a reason that is not this e-mail's."""


class Answer(NamedTuple):
    """What became of an attempt, and why: codes of the server's answer, never its words.

    Its words may hold the address.
    """

    fate: Fate
    why: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Office:
    """A mail server by its address, and who writes; never shown, since it holds a password."""

    host: str
    port: int
    is_wrapped: bool
    """Whether TLS begins with the connection (smtps), not by STARTTLS."""
    needs_tls: bool
    username: str | None
    password: str | None
    sender: str

    @classmethod
    def of(cls, settings: Settings) -> "Office | None":
        """Return the mail server of the settings; None where there is none.

        Over the network it has to speak TLS; on this machine it need not.
        """
        if settings.smtp_url is None or settings.mail_from is None:
            return None
        url = urlsplit(settings.smtp_url)
        assert url.hostname is not None, "settings are checked"
        is_wrapped = url.scheme == "smtps"
        return cls(
            host=url.hostname,
            port=url.port or (465 if is_wrapped else 587),
            is_wrapped=is_wrapped,
            needs_tls=not is_wrapped and not _is_here(url.hostname),
            username=None if url.username is None else unquote(url.username),
            password=None if url.password is None else unquote(url.password),
            sender=settings.mail_from,
        )

    @property
    def domain(self) -> str:
        """Return the domain of who writes."""
        return parseaddr(self.sender)[1].rpartition("@")[2]

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Counter"]:
        """Connect, and sign in where there is a name; close when the block ends.

        Raises `MailServerAwayError` where that does not work.
        """
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            use_tls=self.is_wrapped,
            # None: where the server on this machine offers it.
            start_tls=False if self.is_wrapped else True if self.needs_tls else None,
            timeout=TIMEOUT_S,
        )
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailServerAwayError(_why(error)) from error
        try:
            yield Counter(client, parseaddr(self.sender)[1])
        finally:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()
            client.close()


class Counter:
    """A connection over which one e-mail goes after the other."""

    def __init__(self, client: aiosmtplib.SMTP, sender: str) -> None:
        """Send as `sender`, over a client that is connected."""
        self._client, self._sender = client, sender

    async def hand_over(self, mail: EmailMessage, recipient: str) -> Answer:
        """Hand one e-mail over; return what became of it."""
        try:
            await self._client.send_message(mail, sender=self._sender, recipients=[recipient])
        except aiosmtplib.SMTPRecipientsRefused as refused:
            return _answer(refused.recipients[0])
        except aiosmtplib.SMTPDataError as refused:
            return _answer(refused)
        except aiosmtplib.SMTPNotSupported:
            return Answer(Fate.NEVER, "the mail server takes no address with such letters")
        except (aiosmtplib.SMTPException, OSError) as error:
            return Answer(Fate.NOT_NOW, _why(error))
        return Answer(Fate.TAKEN)


def _answer(refused: aiosmtplib.SMTPResponseException) -> Answer:
    """Return what a reply to one e-mail says (RFC 5321 section 4.2.1): 5xx is for good."""
    why = _why(refused)
    if refused.code == aiosmtplib.SMTPStatus.domain_unavailable:  # 421: it closes the connection
        return Answer(Fate.NOT_NOW, why)
    return Answer(Fate.NEVER if refused.code >= 500 else Fate.LATER, why)


def _why(error: Exception) -> str:
    """Return the codes of a reply, or the kind of an error that is none."""
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return type(error).__name__
    status = _STATUS.search(error.message)
    return str(error.code) if status is None else f"{error.code} {status[0]}"


def _is_here(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
