"""The value meter of one member: saved against paid in the period under way, and the advice."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from billing.benefits import value
from billing.benefits.value import Saved, Stretch
from billing.figures.rules import Advice, Offer, advise
from billing.plans.catalogue import Plan, Plans
from billing.plans.documents import Interval
from billing.subscriptions import entries, register
from billing.subscriptions.entries import Entry
from billing.subscriptions.register import Membership
from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money


class MeterView(msgspec.Struct, frozen=True, kw_only=True):
    """What a membership has saved in its period so far, beside what was paid for all of it.

    `saved` is the sum of `items`, of which `shared` is what it saved those with whom it is shared:
    of them it tells no more. Who shares another's plan pays nothing for it. `advice` is null while
    the plan pays, or it is too early to tell.
    """

    membership_id: UUID
    plan: str
    period_start: datetime
    period_end: datetime
    paid: Money
    saved: Money
    shared: Money
    items: tuple[Saved, ...]
    advice: Advice | None


async def read(
    connection: Connection, member: MemberId, *, plans: Plans, known: Catalogue, at: datetime
) -> MeterView | None:
    """Return the meter of a member's membership; None for who has none that has a period."""
    held = await register.live(connection, member)
    if held is None or held.period_start is None or held.period_end is None:
        return None
    plan = plans.plan(held.plan_no)
    mine = [one for one in await entries.of_member(connection, member) if _is_of(one, held)]
    currency = _currency(held, plan, mine, plans)
    stretch = Stretch(held.period_start, held.period_end)
    together = await value.saved_together(
        connection, member, held.id, stretch, known=known, currency=currency
    )
    saved = together.all
    paid = Money(
        sum(one.amount.amount_minor for one in mine if one.amount.currency == currency), currency
    )
    length = held.period_end - held.period_start
    passed = min(max(at - held.period_start, length * 0), length)
    offers = _offers(plans, _interval(held, plans), currency, at)
    advice = advise(
        saved,
        paid,
        plan=plan.document,
        offers=offers,
        passed=Decimal(int(passed.total_seconds())) / Decimal(int(length.total_seconds())),
    )
    return MeterView(
        membership_id=held.id,
        plan=plan.code,
        period_start=held.period_start,
        period_end=held.period_end,
        paid=paid,
        saved=value.total(saved, currency),
        shared=value.total(together.shared, currency),
        items=saved,
        advice=advice,
    )


def _is_of(entry: Entry, held: Membership) -> bool:
    """Tell whether an entry is for the period under way: what is for it, or happened in it."""
    assert held.period_start is not None, "asked of memberships in a period"
    assert held.period_end is not None, "asked of memberships in a period"
    begins = entry.period_start or entry.occurred_at
    return entry.membership_id == held.id and held.period_start <= begins < held.period_end


def _currency(held: Membership, plan: Plan, paid: list[Entry], plans: Plans) -> str:
    if paid:
        return paid[-1].amount.currency
    if held.price_no is not None:
        return plans.price(held.price_no).money.currency
    return plan.prices[0].money.currency


def _interval(held: Membership, plans: Plans) -> Interval:
    return "month" if held.price_no is None else plans.price(held.price_no).interval


def _offers(plans: Plans, interval: Interval, currency: str, at: datetime) -> list[Offer]:
    return [
        Offer(plan.document, price.money)
        for plan in plans.at(at)
        for price in plan.prices
        if price.interval == interval
        and price.money.currency == currency
        and price.eligibility is None
    ]
