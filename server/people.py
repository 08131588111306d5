"""What keeps something about members, in one place: for merges, for copies and for forgetting.

A feature that begins to keep something about members adds its keeper, and its follower, here.
"""

from coalition.families import keeping as families
from coalition.families import merged_places
from coalition.kernel.settings import Settings
from coalition.members import disclosure as members
from coalition.members.closing import Leaver
from coalition.members.merging import Follower
from coalition.members.privacy import Keeper
from coalition.members.sealing import MemberKeys
from coalition.points import disclosure as points
from coalition.points import merging
from coalition.points.guards import keeping as guards
from partners.batches import disclosure as batches

FOLLOWERS: tuple[Follower, ...] = (merging.take_over, merged_places.take_over)
"""What is done above the members when two of them become one."""


def keepers(settings: Settings) -> tuple[Keeper, ...]:
    """Return every keeper; the person's own data and key come first and are gone first."""
    return (
        members.keeper(MemberKeys.of(settings)),
        points.KEEPER,
        guards.KEEPER,
        batches.KEEPER,
        families.keeper(MemberKeys.of(settings)),
    )


def leavers(keys: MemberKeys) -> tuple[Leaver, ...]:
    """Return what is done above the members before a membership ends."""
    return (families.leaver(keys),)
