"""When a member is merged: nobody whose money is still under way, and no page that could be paid.

What was paid stays in the books of the merged member, and is shown to the survivor. What is taken
back later is taken back of the survivor's points.
"""

from collections.abc import Iterable
from datetime import datetime

from billing.benefits.refusals import PlanOfMerged
from billing.gateway.shapes import Picture
from billing.subscriptions import grounds, keeping, register
from billing.subscriptions.reading import LIVING
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId


async def take_over(
    connection: Connection, from_id: MemberId, into_id: MemberId, at: datetime
) -> None:
    """Refuse to merge a member away who is charged, or whose payment a bank holds back.

    An order that waits for its payment is none any more. Raises `PlanOfMerged`: what such a member
    gets, now or when a dispute is won, would be nobody's.
    """
    memberships = await register.of_member(connection, from_id)
    kept = [one for of in memberships for one in await register.kept_of(connection, of.id)]
    shown = [one.picture for one in kept if one.picture is not None]
    is_live = any(one.ended_at is None for one in memberships)
    rests = await grounds.rests(connection, from_id)
    if is_live or rests or _is_under_way(shown):
        raise PlanOfMerged(member_id=str(from_id), into=str(into_id))
    await keeping.drop_order(connection, from_id, at)


def _is_under_way(pictures: Iterable[Picture]) -> bool:
    """Tell whether a subscription may be charged again, or a dispute may give its money back."""
    return any(
        picture.subscription.status in LIVING or any(one.is_open for one in picture.disputes)
        for picture in pictures
    )
