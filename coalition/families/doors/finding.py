"""How a member finds another by card, e-mail or phone: by the exact value, and not by trying.

Whoever asks for somebody who is no member learns that; so after a few such questions it has to
wait, longer each time, as after wrong passwords.
"""

from uuid import UUID

from coalition.access import logins
from coalition.families.doors.group_bodies import NewcomerBody
from coalition.kernel.errors import Invalid
from coalition.kernel.ids import digest16
from coalition.kernel.web.hot import Call
from coalition.members import service
from coalition.members.contacts import ContactKind
from coalition.members.refusals import UnknownMember
from coalition.members.sealing import MemberKeys


class OneMemberWanted(Invalid):
    """Name exactly one of member_id, card, email and phone."""

    code, title = "one_member_wanted", "One member wanted"


async def find(call: Call, keys: MemberKeys) -> UUID:
    """Return who is named in the body of a call.

    Raises `OneMemberWanted`, `UnknownMember`, `TooManyAttempts`, and the `InvalidField` of its
    kind.
    """
    body: NewcomerBody = call.body
    asked = {
        ContactKind.CARD: body.card,
        ContactKind.EMAIL: body.email,
        ContactKind.PHONE: body.phone,
    }
    named = [(kind, value) for kind, value in asked.items() if value is not None]
    if len(named) + (body.member_id is not None) != 1:
        raise OneMemberWanted
    if body.member_id is not None:
        return body.member_id
    ((kind, value),) = named
    asker = digest16("looks for members", str(call.caller.member_id))
    await logins.check_attempts(asker, call.at)
    try:
        return await service.find(kind, value, keys=keys)
    except UnknownMember:
        await logins.count_attempt(asker, call.at)
        raise
