"""Tells members ahead, as their country wants it: that a trial ends, that a year renews.

A notice is a message to the member, and an event. Each is told once, to nobody who has cancelled or
paused.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from billing.gateway.shapes import Subscription, SubscriptionStatus
from billing.plans.catalogue import PlanPrice, Plans
from billing.plans.countries import Countries
from billing.subscriptions import deriving, orders, put_offs, register
from billing.subscriptions.telling import telling
from billing.subscriptions.telling.telling import Each
from coalition.kernel import outbox
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import MemberId, bucket_of, shard_of
from coalition.kernel.outbox import Event

AT_ONCE = 500

_SOON = """
SELECT id, member_id, subscription, period_end FROM membership
WHERE ended_at IS NULL AND subscription IS NOT NULL AND period_end > $1 AND period_end <= $2
    AND (state = 'trialing' AND period_end <= $3 OR state = 'active' AND price_no = ANY ($4))
    AND (period_end, id) > ($5, $6)
    AND NOT EXISTS (
        SELECT FROM membership_notice AS told
        WHERE told.bucket = membership.bucket AND told.membership_id = membership.id
            AND told.about = membership.period_end)
ORDER BY period_end, id LIMIT $7
"""
_TELL = """
INSERT INTO membership_notice (bucket, membership_id, about, kind, told_at, text_version)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (bucket, membership_id, about) DO NOTHING
RETURNING true
"""


class _Notice(NamedTuple):
    kind: str
    days: int
    price: PlanPrice


async def tell(countries: Countries, at: datetime) -> int:
    """Tell of all that is near enough at `at`; return how many were told."""
    every = countries.all()
    trials = timedelta(days=max(one.trial_end_notice_days for one in every))
    years = timedelta(days=max(one.renewal_notice_days for one in every))
    async with transaction() as connection:
        plans = await deriving.plans_now(connection)
    yearly = [price.no for plan in plans.plans for price in plan.prices if price.interval == "year"]
    told, after, last = 0, at, UUID(int=0)
    while True:
        async with transaction() as connection:
            rows = await connection.fetch(
                _SOON, at, at + max(trials, years), at + trials, yearly, after, last, AT_ONCE
            )
        told += await _tell_some(countries, plans, rows, at)
        if len(rows) < AT_ONCE:
            return told
        after, last = rows[-1]["period_end"], rows[-1]["id"]


async def _tell_some(
    countries: Countries, plans: Plans, rows: Sequence[asyncpg.Record], at: datetime
) -> int:
    async def attempt() -> int:
        told = 0
        async with transaction() as connection:
            for row in rows:
                told += await _tell_one(connection, countries, plans, row, at)
        return told

    return await retrying(attempt)


async def _tell_one(
    connection: Connection,
    countries: Countries,
    plans: Plans,
    row: asyncpg.Record,
    at: datetime,
) -> bool:
    member = MemberId(row["member_id"])
    kept = await register.kept(connection, row["subscription"])
    order = await orders.of_subscription(connection, member, row["subscription"])
    if kept is None or kept.picture is None:
        return False
    terms = countries.of(None if order is None else order.country)
    notice = _notice(
        kept.picture.subscription,
        plans,
        trial_days=terms.trial_end_notice_days,
        renewal_days=terms.renewal_notice_days,
    )
    ends_at: datetime = row["period_end"]
    if put_offs.waits_beyond(kept.picture.subscription, ends_at):
        return False
    if notice is None or at < ends_at - timedelta(days=notice.days):
        return False
    bucket = bucket_of(row["id"])
    facts_kept = row["id"], ends_at, notice.kind, at, terms.disclosure_version
    is_news = await connection.fetchval(_TELL, bucket, *facts_kept)
    if is_news:
        facts = {
            "member_id": str(member),
            "membership_id": str(row["id"]),
            "plan": plans.plan(notice.price.plan_no).code,
            "at": ends_at.isoformat(),
            "amount_minor": notice.price.money.amount_minor,
            "currency": notice.price.money.currency,
            "text_version": terms.disclosure_version,
        }
        event = Event(f"membership.{notice.kind}", facts, shard=shard_of(bucket))
        await outbox.append(connection, [event], at)
        await telling.tell(
            connection,
            member,
            notice.kind,
            f"{row['id']}:{ends_at.isoformat()}",
            at=at,
            countries=countries,
            facts={
                "plan": plans.plan(notice.price.plan_no).document.name,
                "ends": ends_at,
                "price": Each(notice.price.money, notice.price.interval),
            },
        )
    return bool(is_news)


def _notice(
    one: Subscription, plans: Plans, *, trial_days: int, renewal_days: int
) -> _Notice | None:
    """Return of what a member is to be told, and how many days ahead; None where nothing comes."""
    price = plans.price_at_stripe(one.next_price_id or one.price_id)
    is_ending = one.cancel_at_period_end or one.cancel_at is not None or one.is_collection_paused
    if price is None or is_ending:
        return None
    if one.status is SubscriptionStatus.TRIALING and not put_offs.is_put_off(one):
        return _Notice("trial_ends", trial_days, price)
    return _Notice("renews", renewal_days, price)
