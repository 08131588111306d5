"""Everything that keeps something about members, named in one place: for copies and for forgetting.

A feature that begins to keep something about members adds its keeper here.
"""

from coalition.kernel.settings import Settings
from coalition.members import disclosure as members
from coalition.members.privacy import Keeper
from coalition.members.sealing import MemberKeys
from coalition.points import disclosure as points
from coalition.points.guards import keeping as guards
from partners.batches import disclosure as batches


def keepers(settings: Settings) -> tuple[Keeper, ...]:
    """Return every keeper; the person's own data and key come first and are gone first."""
    return (
        members.keeper(MemberKeys.of(settings)),
        points.KEEPER,
        guards.KEEPER,
        batches.KEEPER,
    )
