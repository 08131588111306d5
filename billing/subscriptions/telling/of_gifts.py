"""Tells of gifts: who bought one that it is paid and redeemed, who redeems one what it is.

The code is never told: it is kept nowhere, and who bought it reads it on a page.
"""

from datetime import datetime

from billing.subscriptions.gift_rows import Gift
from billing.subscriptions.grounds import Gift as Given
from billing.subscriptions.house import House
from billing.subscriptions.telling.telling import tell
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId

GIFTS = "/gifts"


async def tell_of_paid(connection: Connection, house: House, gift: Gift, at: datetime) -> None:
    """Tell who bought a gift where its code is, and until when it is good."""
    assert gift.valid_until is not None, "it is paid"
    await tell(
        connection,
        gift.bought_by,
        "gift_paid",
        gift.id,
        at=at,
        countries=house.countries,
        path=GIFTS,
        facts={
            "plan": await _plan_name(connection, house, gift),
            "months": gift.months,
            "price": gift.price,
            "until": gift.valid_until,
        },
    )


async def tell_of_redeemed(
    connection: Connection,
    house: House,
    gift: Gift,
    given: Given,
    *,
    member: MemberId,
    at: datetime,
    is_put_off: bool = False,
) -> None:
    """Tell who redeemed a gift what it has, and who bought it that it is redeemed.

    `is_put_off` where the gift puts off a payment, so that the plan goes on after it.
    """
    plan = await _plan_name(connection, house, gift)
    countries = house.countries
    await tell(
        connection,
        member,
        "gift_put_off" if is_put_off else "gift_received",
        gift.id,
        at=at,
        countries=countries,
        facts={
            "plan": plan,
            "months": gift.months,
            "begins": given.begins,
            "ends": given.ends,
        },
    )
    if gift.bought_by == member:
        return
    await tell(
        connection,
        gift.bought_by,
        "gift_redeemed",
        gift.id,
        at=at,
        countries=countries,
        path=GIFTS,
        facts={"plan": plan, "months": gift.months},
    )


async def _plan_name(connection: Connection, house: House, gift: Gift) -> str:
    plans = await house.shelf.read(connection)
    return plans.plan(gift.plan_no).document.name
