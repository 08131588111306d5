"""A message as an e-mail: plain text with the headers that it needs; pure.

Its Message-ID follows from the message, so that one that is sent twice can be known for one. No
header can hold a line break: `EmailMessage` refuses it as it is, and what would be read as one (an
encoded word, RFC 2047) is in no address and no subject: it is put in decoded otherwise.
"""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from uuid import UUID

import idna
import msgspec

from coalition.messages.inbox import Message
from coalition.messages.saying import Purpose
from coalition.messages.words import FOOTERS

_ENCODED_WORD = "=?"
"""What an encoded word begins with."""


class UnwritableAddressError(Exception):
    """An address cannot stand in an e-mail."""


class Letterhead(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes, the domain of its Message-IDs, and our address (no slash at its end)."""

    sender: str
    domain: str
    home: str


def id_of(message_id: UUID, domain: str) -> str:
    """Return the Message-ID of a message, the same for every attempt."""
    return f"<{message_id}@{domain}>"


def recipient_of(email: str) -> str:
    """Return an address as it goes over the wire: its domain in ASCII (RFC 5891).

    Raises `UnwritableAddressError`.
    """
    local, at_sign, domain = email.strip().rpartition("@")
    try:
        plain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise UnwritableAddressError from error
    written = f"{local}@{plain}"
    never = (*' ,;<>()[]"\\', _ENCODED_WORD)
    is_one_word = written.isprintable() and not any(sign in written for sign in never)
    if not (at_sign and local and plain and is_one_word):
        raise UnwritableAddressError
    return written


def mail_of(
    message: Message, recipient: str, head: Letterhead, *, no_more: str | None = None
) -> EmailMessage:
    """Return a message as an e-mail to `recipient`, as `recipient_of` gives it.

    `no_more` is the address at which marketing is refused; it must be there for marketing.
    """
    assert (message.purpose is Purpose.MARKETING) == (no_more is not None)
    mail = EmailMessage(policy=SMTP)
    name, address = parseaddr(head.sender)
    mail["From"] = Address(display_name=name, addr_spec=address)
    local, _, domain = recipient.rpartition("@")
    mail["To"] = Address(username=local, domain=domain)
    mail["Subject"] = message.subject.replace(_ENCODED_WORD, "= ?")
    mail["Date"] = format_datetime(message.said_at)
    mail["Message-ID"] = id_of(message.message_id, head.domain)
    mail["Auto-Submitted"] = "auto-generated"
    if no_more is not None:
        mail["List-Unsubscribe"] = f"<{no_more}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_text(message, head, no_more), cte="quoted-printable")
    mail["Content-Language"] = message.language  # `set_content` drops all headers of content
    return mail


def _text(message: Message, head: Letterhead, no_more: str | None) -> str:
    footer = FOOTERS[message.language if message.language in FOOTERS else "en"]
    parts = [message.body]
    if message.path is not None:
        parts.append(head.home + message.path)
    parts.append("-- \n" + footer.inbox.format(address=f"{head.home}/messages"))
    if no_more is not None:
        parts[-1] += "\n" + footer.no_more.format(address=no_more)
    return "\n\n".join(parts) + "\n"
