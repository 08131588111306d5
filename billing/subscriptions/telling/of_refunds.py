"""Tells a member of money that staff have given back, once Stripe shows it."""

from datetime import datetime

from billing.gateway.shapes import Picture
from billing.plans.catalogue import Plans
from billing.subscriptions.desk.rules import REFUND_ID
from billing.subscriptions.register import Membership
from billing.subscriptions.telling.telling import Fact, tell
from coalition.kernel.database import Connection


async def tell_of(
    connection: Connection, membership: Membership, picture: Picture, plans: Plans, *, at: datetime
) -> None:
    """Tell a member once of each refund by staff; what a withdrawal gives back its receipt tells.

    Works in the transaction that applies the picture.
    """
    plan = plans.plan(membership.plan_no).document.name
    for one in picture.refunds:
        if one.counts and REFUND_ID in one.metadata:
            facts: dict[str, Fact] = {"amount": one.amount, "plan": plan}
            await tell(connection, membership.member_id, "refunded", one.id, at=at, facts=facts)
