"""How a member finds another by card, e-mail or phone: by the exact value, and not by trying.

Whoever asks for somebody who is no member learns that; so after a few such questions it has to
wait, longer each time, as after wrong passwords.
"""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from coalition.access import logins, standing
from coalition.access.refusals import TooManyAttempts
from coalition.families.doors.asking import member_of
from coalition.kernel.database import transaction
from coalition.kernel.errors import Invalid
from coalition.kernel.ids import digest16
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Call
from coalition.members import service
from coalition.members.contacts import ContactKind
from coalition.members.personal import CardText, EmailText, PhoneText
from coalition.members.refusals import (
    InvalidCard,
    InvalidEmail,
    InvalidField,
    InvalidPhone,
    UnknownMember,
)
from coalition.members.sealing import MemberKeys


class OneMemberWanted(Invalid):
    """Name exactly one of member_id, card, email and phone."""

    code, title = "one_member_wanted", "One member wanted"


OF_FINDING = (
    *(OneMemberWanted, UnknownMember, TooManyAttempts),
    *(InvalidCard, InvalidEmail, InvalidPhone),
)
"""What naming somebody may be refused for."""


class Named(Body, frozen=True, kw_only=True):
    """Somebody, named by exactly one of id, card, e-mail and phone."""

    member_id: UUID | None = None
    card: CardText | None = None
    email: EmailText | None = None
    phone: PhoneText | None = None


Somebody = Annotated[
    UUID | Named,
    Meta(description="A member by its id, or by one of member_id, card, email and phone"),
]


async def find(call: Call, named: Named | UUID, keys: MemberKeys) -> UUID:
    """Return who is named in the body of a call; by an id it need not be anybody.

    Raises `OneMemberWanted`, `UnknownMember`, `TooManyAttempts`, the `InvalidField` of its kind,
    and what `standing.check` says of who asks.
    """
    if isinstance(named, UUID):
        return named
    asked = {
        ContactKind.CARD: named.card,
        ContactKind.EMAIL: named.email,
        ContactKind.PHONE: named.phone,
    }
    given = [(kind, value) for kind, value in asked.items() if value is not None]
    if len(given) + (named.member_id is not None) != 1:
        raise OneMemberWanted
    if named.member_id is not None:
        return named.member_id
    ((kind, value),) = given
    async with transaction() as connection:
        await standing.check(connection, member_of(call.caller), writes=True)
    asker = digest16("looks for members", str(call.caller.member_id))
    # Counted before it is looked for, so that many guesses at once count as many.
    await logins.count_attempt(asker, call.at)
    try:
        found = await service.find(kind, value, keys=keys)
    except InvalidField:
        await logins.forgive_attempt(asker)
        raise
    await logins.forgive_attempt(asker)
    return found
