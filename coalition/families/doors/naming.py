"""What a member may know of another's name: how the first name begins, and of few.

That is told of family, and of who has agreed to it: consent `name_to_senders`, without a channel.
"""

from uuid import UUID

from coalition.families.kin import guardians, places, relationships
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.members import consents, queries
from coalition.members.sealing import MemberKeys
from coalition.members.service import opened

NAME_TO_SENDERS = "name_to_senders"
"""The purpose of showing whoever sends points how one's first name begins."""
REST = "…"


async def masked_name(asker: UUID, other: UUID, keys: MemberKeys) -> str | None:
    """Return the first letter of the first name of `other`; None where `asker` may not know."""
    async with transaction() as connection:
        if not (
            await _are_family(connection, asker, other) or await _has_agreed(connection, other)
        ):
            return None
        stored = await queries.read(connection, MemberId(other))
    if stored is None or stored.sealed is None:
        return None
    data, _ = opened(stored, member_id=MemberId(other), keys=keys)
    return None if not data.first_name else data.first_name[0] + REST


async def _are_family(connection: Connection, asker: UUID, other: UUID) -> bool:
    """Tell whether both share a group, have said so both, or one guards the other."""
    belonging = await places.groups_of(connection, [asker, other])
    if not set(belonging[asker]).isdisjoint(belonging[other]):
        return True
    declared = await relationships.read(connection, asker, other)
    if any(one.confirmed_at is not None for one in declared):
        return True
    guarding = await guardians.guardians_of(connection, [asker, other])
    return asker in guarding[other] or other in guarding[asker]


async def _has_agreed(connection: Connection, member: UUID) -> bool:
    words = await consents.current(connection, MemberId(member), partner_no=0)
    return any(
        word.granted for word in words if word.purpose == NAME_TO_SENDERS and word.channel is None
    )
