"""Checks special prices anew: whoever holds its standing no more goes on at the price for all.

That price is the one of the same version, and it comes at the end of what is paid, as a downgrade
does; until then the member may show that it holds the standing again, and keep its price.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog

from billing.gateway import intents
from billing.gateway.shapes import Picture, SubscriptionStatus
from billing.plans.catalogue import PlanPrice, Plans
from billing.subscriptions import deriving, offering, register, selling, syncing
from billing.subscriptions.house import House, one_act
from billing.subscriptions.refusals import ActInProgress
from billing.subscriptions.telling import telling
from billing.subscriptions.telling.telling import Each
from coalition.kernel import outbox
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, bucket_of, shard_of
from coalition.kernel.outbox import Event

AT_ONCE = 200

_SPECIAL = """
SELECT id, member_id, subscription, price_no FROM membership
WHERE ended_at IS NULL AND state = 'active' AND price_no = ANY ($1) AND id > $2
ORDER BY id LIMIT $3
"""

_logger = structlog.get_logger(__name__)


async def recheck(house: House, at: datetime) -> int:
    """Look at every membership at a special price; return how many change at its end."""
    async with transaction() as connection:
        plans = await deriving.plans_now(connection)
    special = [price.no for plan in plans.plans for price in plan.prices if price.eligibility]
    changed, last = 0, UUID(int=0)
    while True:
        async with transaction() as connection:
            rows = await connection.fetch(_SPECIAL, special, last, AT_ONCE)
        changed += await _recheck_some(house, plans, rows, at)
        if len(rows) < AT_ONCE:
            return changed
        last = rows[-1]["id"]


async def _recheck_some(
    house: House, plans: Plans, rows: Sequence[asyncpg.Record], at: datetime
) -> int:
    changed = 0
    for row in rows:
        price, member = plans.price(row["price_no"]), MemberId(row["member_id"])
        async with transaction() as connection:
            held = await offering.eligibilities(connection, member, at)
            kept = await register.kept(connection, row["subscription"])
        picture = None if kept is None else kept.picture
        if price.eligibility in held or picture is None or not _renews_so(picture):
            continue
        try:
            await _change(house, plans, member, picture, price, at=at)
        except ActInProgress:
            _logger.info("recheck_waits", membership=str(row["id"]))
            continue
        changed += 1
    return changed


def _renews_so(picture: Picture) -> bool:
    """Tell whether the subscription would renew at the price that it has."""
    one = picture.subscription
    is_ending = one.cancel_at_period_end or one.cancel_at is not None or one.is_collection_paused
    return one.status is SubscriptionStatus.ACTIVE and not is_ending and one.next_price_id is None


async def _change(
    house: House,
    plans: Plans,
    member: MemberId,
    picture: Picture,
    price: PlanPrice,
    *,
    at: datetime,
) -> None:
    one, following = picture.subscription, _for_all(plans, price)
    key = f"{one.id}:{one.period_end.isoformat()}"
    async with one_act(member, "recheck", key, at) as own:
        if await intents.is_answered(own):
            return
        stripe_price = await selling.stripe_price_of(house.gateway, following, at=at)

        async def schedule() -> str:
            await house.gateway.schedule_price(own, one, stripe_price)
            return one.id

        request = {"subscription": one.id, "price": stripe_price}
        await intents.perform("recheck", own, request, schedule, answer=str, at=at)
        await syncing.sync(house.gateway, one.id, at=at)
        facts = {
            "member_id": str(member),
            "plan": plans.plan(price.plan_no).code,
            "eligibility": price.eligibility,
            "at": one.period_end.isoformat(),
            "amount_minor": following.money.amount_minor,
            "currency": following.money.currency,
        }
        shard = shard_of(bucket_of(member))
        async with transaction() as connection:
            event = Event("membership.eligibility_ended", facts, shard=shard)
            await outbox.append(connection, [event], at)
            await telling.tell(
                connection,
                member,
                "special_price_ends",
                key,
                at=at,
                countries=house.countries,
                facts={
                    "plan": plans.plan(price.plan_no).document.name,
                    "applies": one.period_end,
                    "price": Each(following.money, following.interval),
                },
            )


def _for_all(plans: Plans, price: PlanPrice) -> PlanPrice:
    """Return the price for all of the same version, interval and currency; there always is one."""
    (found,) = [
        one
        for one in plans.plan(price.plan_no).prices
        if one.eligibility is None
        and (one.interval, one.money.currency) == (price.interval, price.money.currency)
    ]
    return found
