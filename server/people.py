"""What keeps something about members, in one place: for merges, for copies and for forgetting.

A feature that begins to keep something about members adds its keeper, and its follower, here.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from billing.benefits import keeping as benefits
from billing.subscriptions import keeping as memberships
from billing.subscriptions import merging as membership_merging
from coalition.access import logins
from coalition.access.sign_in import SignIns
from coalition.families import keeping as families
from coalition.families.kin import merged_places
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members import disclosure as members
from coalition.members.blind_index import contact_digest
from coalition.members.closing import Leaver
from coalition.members.contacts import ContactKind
from coalition.members.merging import Follower
from coalition.members.privacy import Keeper
from coalition.members.sealing import MemberKeys
from coalition.messages import keeping as messages
from coalition.messages import tongues
from coalition.points import disclosure as points
from coalition.points import merging
from coalition.points.guards import keeping as guards
from partners.batches import disclosure as batches

FOLLOWERS: tuple[Follower, ...] = (
    tongues.take_over,
    merging.take_over,
    merged_places.take_over,
    benefits.take_over,
    membership_merging.take_over,
)
"""What is done above the members when two of them become one."""


def keepers(settings: Settings) -> tuple[Keeper, ...]:
    """Return every keeper; the person's own data and key come first and are gone first."""
    return (
        members.keeper(MemberKeys.of(settings)),
        messages.KEEPER,
        points.KEEPER,
        guards.KEEPER,
        batches.KEEPER,
        families.keeper(MemberKeys.of(settings)),
        benefits.KEEPER,
        memberships.KEEPER,
        _LOGINS,
    )


def sign_ins(settings: Settings) -> SignIns:
    """Return what lets members in, by the addresses that they are found by."""

    def digest(email: str) -> bytes:
        return contact_digest(settings.blind_index_key, ContactKind.EMAIL, email)

    return SignIns(settings=settings, digest=digest)


async def _login(
    connection: Connection, member_id: MemberId, _: datetime
) -> AsyncIterator[tuple[str, object]]:
    yield "login", await logins.kept_of(connection, member_id)


async def _forget_login(connection: Connection, member_id: MemberId, _: datetime) -> None:
    await logins.forget(connection, member_id)


_LOGINS = Keeper(name="logins", export=_login, erase=_forget_login)


def leavers(keys: MemberKeys) -> tuple[Leaver, ...]:
    """Return what is done above the members before a membership ends."""
    return (families.leaver(keys), benefits.leave, memberships.leave)
