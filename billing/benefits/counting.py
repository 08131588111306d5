"""How often a benefit in money was had, and how often it still can be.

Who shares the plan of another has its uses of that membership: all of a household count together.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from billing.benefits import entitlement_rows
from billing.benefits.entitlement_rows import OfMembership
from billing.benefits.entitlements import Pool
from billing.benefits.funding import partner_no
from billing.plans.documents import FreeShipping, PartnerDiscount
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

MoneyBenefit = FreeShipping | PartnerDiscount

# Those of the member who pays, and of all who share.
_COUNT = """
SELECT (
    SELECT count(*) FROM benefit_use
    WHERE bucket = $1 AND member_id = $2 AND membership_id = $3 AND benefit = $4
      AND used_at >= $5 AND used_at < $6 AND returned_at IS NULL
) + (
    SELECT count(*) FROM benefit_use
    WHERE paid_by = $3 AND benefit = $4 AND used_at >= $5 AND used_at < $6
      AND returned_at IS NULL
)
"""


class Window(NamedTuple):
    """From when until when uses count together."""

    begins: datetime
    ends: datetime


class Held(NamedTuple):
    """A benefit that a member has by a membership, and in which time its uses count together.

    `pool` is whose uses it counts to: the own membership, or that of who shares it.
    """

    membership_id: UUID
    plan_no: int
    benefit: MoneyBenefit
    window: Window
    pool: Pool


async def remaining_of(connection: Connection, held: Held) -> int | None:
    """Return how often a benefit can still be had in its period; None without a limit."""
    limit = held.benefit.uses_per_period
    if limit is None:
        return None
    payer, membership_id = held.pool
    key = bucket_of(payer), payer, membership_id, held.benefit.code
    count: int = await connection.fetchval(_COUNT, *key, *held.window)
    return max(0, limit - count)


async def held_by(
    connection: Connection,
    member: MemberId,
    benefit: MoneyBenefit,
    *,
    entitled: Sequence[OfMembership],
    of: OfMembership,
    at: datetime,
) -> Held:
    """Return a benefit that a member has at an instant by one of what it is `entitled` to.

    What is shared is counted in the period of who pays.
    """
    membership_id, one = of
    pool = one.pool or Pool(member, membership_id)
    if one.pool is not None:
        entitled = await entitlement_rows.read(connection, MemberId(pool.payer))
    counted = window(entitled, pool.membership_id, at)
    return Held(membership_id, one.plan_no, benefit, counted, pool)


def window(entitled: Iterable[OfMembership], membership_id: UUID, at: datetime) -> Window:
    """Return from when until when uses count together with one at an instant that is entitled.

    It is the billing period, in grace the last one. Where a period was changed, the one before
    counts on for as long as it would have lasted: so changing to and fro begins nothing anew.
    """
    periods = [
        (one.period_start, max(one.period_end, one.ends))
        for of, one in entitled
        if of == membership_id
        and (one.period_start <= at < one.period_end or one.begins <= at < one.ends)
    ]
    return Window(min(start for start, _ in periods), max(end for _, end in periods))


def holds_here(benefit: MoneyBenefit, at_partner: int) -> bool:
    """Tell whether a benefit can be had at a partner."""
    only = partner_no(benefit.partner)
    return only is None or only == at_partner
