"""Saying no to marketing by the address that each such e-mail carries, without signing in.

The address holds the member's id and a proof that we made it (RFC 8058 asks for one that nobody can
guess). It can do nothing but say no.
"""

import base64
import binascii
import hmac
from datetime import datetime
from uuid import UUID

from coalition.kernel.ids import MemberId
from coalition.members import consents
from coalition.members.consents import Channel, Given
from coalition.members.sealing import MemberKeys
from coalition.messages.refusals import UnknownUnsubscription
from coalition.messages.saying import MARKETING

PATH = "/unsubscribe"
TEXT_VERSION = "unsubscribe-1"

_PROOF_BYTES = 16


def path_of(member: MemberId, keys: MemberKeys) -> str:
    """Return the path at which this member says no."""
    token = base64.urlsafe_b64encode(member.bytes + _proof(member, keys)).decode().rstrip("=")
    return f"{PATH}/{token}"


def member_of(token: str, keys: MemberKeys) -> MemberId:
    """Return whose token it is. Raises `UnknownUnsubscription`."""
    try:
        held = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        member = MemberId(UUID(bytes=held[:16]))
    except (binascii.Error, ValueError) as error:
        raise UnknownUnsubscription from error
    if not hmac.compare_digest(held[16:], _proof(member, keys)):
        raise UnknownUnsubscription
    return member


async def unsubscribe(token: str, keys: MemberKeys, at: datetime) -> None:
    """Withdraw the consent to marketing by e-mail; however often, it is one no.

    Raises `UnknownUnsubscription`, and what `consents.give_by_member` does.
    """
    member = member_of(token, keys)
    given = Given(
        purpose=MARKETING, granted=False, text_version=TEXT_VERSION, channel=Channel.EMAIL
    )
    await consents.give_by_member(member, given, source="member:unsubscribed", at=at)


def _proof(member: MemberId, keys: MemberKeys) -> bytes:
    made = hmac.digest(keys.master_key, b"unsubscribe" + member.bytes, "sha256")
    return made[:_PROOF_BYTES]
