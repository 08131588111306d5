"""What a campaign of prices did: whom it told beside those of the same plan whom it did not.

Both groups are looked at over the same time: from when the first member was told until so many days
after the last of the new prices, or as much of it as has passed. Whoever was told counts from its
own notice on. What each paid a month is by the price that held at the instant.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import asyncpg
import msgspec

from billing.figures.queries import MONTHLY
from billing.figures.shares import percent, whole
from billing.plans.catalogue import Plans
from billing.subscriptions.campaigns import rows
from billing.subscriptions.campaigns.documents import Campaign
from coalition.kernel.database import Connection
from coalition.kernel.money import Money

WITHIN_DAYS = 30
"""How long after a new price members who leave are counted with it."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Members who paid at the beginning, how many have no plan at the end, and what they bring.

    What recurs a month is of all of them at the beginning, and of who is left of them at the end.
    """

    members: int
    left: int
    left_percent: Decimal | None
    recurring_before: Money
    recurring_after: Money


class CampaignEffect(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of a campaign, in one currency, from `begins` until `ends`.

    Of those `told`, `must_agree` are asked for their consent and `agreed` gave it. `applied` are
    those whose new price has come: of them `changed` pay it, `kept` pay the one before, `moved`
    have a plan in another way and `gone` have none, each so many days after their new price or now.
    `others` paid for the same plan and were not told. `is_complete` says that all days have passed.
    """

    campaign: str
    plan: str
    within_days: int
    begins: datetime
    ends: datetime
    is_complete: bool
    must_agree: int
    agreed: int
    applied: int
    changed: int
    kept: int
    moved: int
    gone: int
    told: Group
    others: Group


_SPAN = """
SELECT min(told_at) AS first, max(applies_at) AS last FROM price_change
WHERE campaign_no = $1 AND told_at < $2
"""

# What a member has at an instant: any plan, and of the membership its price and what it brings.
_HAS = """
    SELECT count(*) > 0 AS any,
           max(held.price_no) FILTER (WHERE held.membership_id = {of}.membership_id
               AND held.ground IN ('paid', 'grace')) AS price_no,
           sum({monthly}) FILTER (WHERE held.ground IN ('paid', 'grace')) AS minor
    FROM benefit_entitlement AS held
    LEFT JOIN plan_price AS price ON price.no = held.price_no
    WHERE held.bucket = {of}.bucket AND held.member_id = {of}.member_id
      AND held.begins <= {at} AND held.ends > {at}
"""


def _has(of: str, at: str) -> str:
    return _HAS.format(of=of, at=at, monthly=MONTHLY)


# $2 is the instant that is asked for, $3 the days, $4 the end for both groups.
_TOLD = f"""
WITH told AS (
    SELECT change.bucket, change.member_id, change.membership_id, change.from_price,
           change.to_price, change.wants_consent, change.told_at, change.applies_at,
           coalesce(change.agreed_at < $2, false) AS has_agreed, price.currency,
           change.applies_at <= $2 AS is_due,
           least(change.applies_at + $3::interval, $2) AS until
    FROM price_change AS change JOIN plan_price AS price ON price.no = change.from_price
    WHERE change.campaign_no = $1 AND change.told_at < $2
)
SELECT told.currency, count(*)::int8 AS members,
       count(*) FILTER (WHERE wants_consent)::int8 AS must_agree,
       count(*) FILTER (WHERE wants_consent AND has_agreed)::int8 AS agreed,
       count(*) FILTER (WHERE is_due)::int8 AS applied,
       count(*) FILTER (WHERE is_due AND own.price_no = to_price)::int8 AS changed,
       count(*) FILTER (WHERE is_due AND own.price_no = from_price)::int8 AS kept,
       count(*) FILTER (WHERE is_due AND NOT own.any)::int8 AS gone,
       count(*) FILTER (WHERE NOT at_end.any)::int8 AS left,
       coalesce(sum(before.minor), 0) AS before_minor,
       coalesce(sum(at_end.minor), 0) AS after_minor
FROM told
CROSS JOIN LATERAL ({_has("told", "told.told_at")}) AS before
CROSS JOIN LATERAL ({_has("told", "told.until")}) AS own
CROSS JOIN LATERAL ({_has("told", "$4::timestamptz")}) AS at_end
GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - our own words

# $2 is the beginning, $3 the end, $4 all prices of the plan, $5 the currency, $6 when it is asked.
_OTHERS = f"""
WITH begun AS (
    SELECT held.bucket, held.member_id, held.membership_id, {MONTHLY} AS minor
    FROM benefit_entitlement AS held JOIN plan_price AS price ON price.no = held.price_no
    WHERE held.begins <= $2 AND held.ends > $2 AND held.ground IN ('paid', 'grace')
      AND held.price_no = ANY ($4::int4[]) AND price.currency = $5
      AND NOT EXISTS (
          SELECT FROM price_change AS change
          WHERE change.bucket = held.bucket AND change.campaign_no = $1
            AND change.membership_id = held.membership_id AND change.told_at < $6)
)
SELECT count(*)::int8 AS members, count(*) FILTER (WHERE NOT at_end.any)::int8 AS left,
       coalesce(sum(begun.minor), 0) AS before_minor,
       coalesce(sum(at_end.minor), 0) AS after_minor
FROM begun
CROSS JOIN LATERAL ({_has("begun", "$3::timestamptz")}) AS at_end
"""  # noqa: S608 - our own words


async def read(
    connection: Connection, *, plans: Plans, ends: datetime, within_days: int
) -> tuple[CampaignEffect, ...]:
    """Return the effect of each campaign that had told anybody by `ends`, as of then."""
    found: list[CampaignEffect] = []
    for campaign in await rows.campaigns(connection):
        found += await _of(connection, campaign, plans, ends, timedelta(days=within_days))
    return tuple(found)


async def _of(
    connection: Connection, campaign: Campaign, plans: Plans, asked: datetime, within: timedelta
) -> list[CampaignEffect]:
    first, last = await connection.fetchrow(_SPAN, campaign.no, asked)
    if first is None:
        return []
    ends = min(last + within, asked)
    prices = [
        price.no
        for plan in plans.plans
        if plan.code == campaign.document.plan
        for price in plan.prices
    ]
    found = []
    for row in await connection.fetch(_TOLD, campaign.no, asked, within, ends):
        beside = campaign.no, first, ends, prices, row["currency"], asked
        others = await connection.fetchrow(_OTHERS, *beside)
        found.append(
            CampaignEffect(
                campaign=campaign.code,
                plan=campaign.document.plan,
                within_days=within.days,
                begins=first,
                ends=ends,
                is_complete=last + within <= asked,
                must_agree=row["must_agree"],
                agreed=row["agreed"],
                applied=row["applied"],
                changed=row["changed"],
                kept=row["kept"],
                moved=row["applied"] - row["changed"] - row["kept"] - row["gone"],
                gone=row["gone"],
                told=_group(row, row["currency"]),
                others=_group(others, row["currency"]),
            )
        )
    return found


def _group(row: asyncpg.Record, currency: str) -> Group:
    return Group(
        members=row["members"],
        left=row["left"],
        left_percent=percent(row["left"], row["members"]),
        recurring_before=whole(row["before_minor"], currency),
        recurring_after=whole(row["after_minor"], currency),
    )
