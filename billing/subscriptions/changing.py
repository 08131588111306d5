"""Changing the plan or the interval: upgrades at once, downgrades at the end of what is paid."""

from datetime import datetime, timedelta

from billing.gateway import intents
from billing.gateway.shapes import Subscription, SubscriptionStatus
from billing.plans.catalogue import PlanPrice, Plans
from billing.subscriptions import offering, reading, selling, syncing
from billing.subscriptions.campaigns import agreeing
from billing.subscriptions.house import House, one_act
from billing.subscriptions.reading import Paid
from billing.subscriptions.refusals import (
    ChangeNotPossible,
    NothingToChange,
    PreviewOutdated,
)
from billing.subscriptions.views import ChangeKind, ChangeLine, ChangePreview
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money

PREVIEW_HOLDS = timedelta(minutes=15)
"""For how long what a preview said may be confirmed."""

_CHANGEABLE = frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING})
_LONGER = {"month": 0, "year": 1}


async def preview(house: House, member: MemberId, price_no: int, *, at: datetime) -> ChangePreview:
    """Say what a change would charge and when it holds; see `Memberships.preview`."""
    wanted, paid, plans = await _judged(house, member, price_no, at=at)
    kind = kind_of(plans, paid.price, wanted)
    plan = plans.plan(wanted.plan_no).code
    begins = at.replace(microsecond=0)
    if kind is ChangeKind.DOWNGRADE or paid.subscription.status is SubscriptionStatus.TRIALING:
        # What comes after a trial is charged when the trial ends, as the trial itself would be.
        return ChangePreview(
            kind=kind,
            plan=plan,
            price_no=wanted.no,
            price=wanted.money,
            due_now=Money(0, wanted.money.currency),
            previewed_at=begins,
            takes_effect_at=_effect_of(paid.subscription, kind, begins),
        )
    stripe_price = await selling.stripe_price_of(house.gateway, wanted, at=at)
    said = await house.gateway.preview_change(paid.subscription, stripe_price, begins)
    return ChangePreview(
        kind=kind,
        plan=plan,
        price_no=wanted.no,
        price=wanted.money,
        due_now=said.amount_due,
        previewed_at=begins,
        takes_effect_at=_effect_of(paid.subscription, kind, begins),
        lines=tuple(
            ChangeLine(
                amount=line.amount, period_start=line.period_start, period_end=line.period_end
            )
            for line in said.lines
        ),
    )


async def change(
    house: House,
    member: MemberId,
    price_no: int,
    *,
    previewed_at: datetime,
    key: str,
    at: datetime,
) -> None:
    """Change as it was previewed; see `Memberships.change`."""
    async with one_act(member, "change", key, at) as own:
        if await intents.is_answered(own):
            return
        begun = await intents.begun(own)
        if begun is None:
            wanted, paid, plans = await _judged(house, member, price_no, at=at)
            subscription = paid.subscription
            if not subscription.period_start <= previewed_at <= at < previewed_at + PREVIEW_HOLDS:
                raise PreviewOutdated
            kind = kind_of(plans, paid.price, wanted)
            stripe_price = await selling.stripe_price_of(house.gateway, wanted, at=at)
        else:
            # Stripe may have done it, and then it is judged no more: the same is asked again.
            subscription = (await reading.paid(house, member)).subscription
            kind, stripe_price = ChangeKind(begun.kind), begun.request["price"]
        request = {"subscription": subscription.id, "price": stripe_price}
        if kind is ChangeKind.DOWNGRADE:

            async def schedule() -> str:
                await house.gateway.schedule_price(own, subscription, stripe_price)
                return subscription.id

            await intents.perform("downgrade", own, request, schedule, answer=str, at=at)
        else:
            if subscription.schedule_id is not None:
                await house.gateway.drop_schedule(f"{own}:drop", subscription)

            async def upgrade() -> Subscription:
                return await house.gateway.change_price(
                    own, subscription, stripe_price, proration_at=previewed_at
                )

            request |= {"proration_at": previewed_at.isoformat()}
            await intents.perform("upgrade", own, request, upgrade, answer=Subscription, at=at)
        await syncing.sync(house.gateway, subscription.id, at=at)


async def keep_plan(house: House, member: MemberId, *, key: str, at: datetime) -> None:
    """Take a downgrade back that waits; see `Memberships.keep_plan`."""
    async with one_act(member, "keep-plan", key, at) as own:
        paid = await reading.paid(house, member)
        if await _comes_by_campaign(house, paid):
            return
        if paid.subscription.schedule_id is not None:
            async with transaction() as connection:
                await offering.check_is_for(connection, paid.price, member, at)
            await house.gateway.drop_schedule(own, paid.subscription)
            await syncing.sync(house.gateway, paid.subscription.id, at=at)


async def _comes_by_campaign(house: House, paid: Paid) -> bool:
    """Tell whether what is scheduled is a price of which the member was told, not its own wish."""
    following = paid.subscription.next_price_id
    async with transaction() as connection:
        plans = await house.shelf.read(connection)
        price = None if following is None else plans.price_at_stripe(following)
        return price is not None and await agreeing.is_to_come(
            connection, paid.membership.member_id, price.no
        )


def kind_of(plans: Plans, before: PlanPrice, wanted: PlanPrice) -> ChangeKind:
    """Return whether the change holds at once: to a higher plan, or to the longer interval."""
    ranks = [plans.plan(price.plan_no).document.rank for price in (before, wanted)]
    steps = (
        (ranks[1] > ranks[0]) - (ranks[1] < ranks[0]),
        _LONGER[wanted.interval] - _LONGER[before.interval],
        wanted.money.amount_minor - before.money.amount_minor,
    )
    first = next((step for step in steps if step), 0)
    return ChangeKind.UPGRADE if first > 0 else ChangeKind.DOWNGRADE


def _effect_of(subscription: Subscription, kind: ChangeKind, begins: datetime) -> datetime:
    """Return when a change holds: at once, or after what is paid, or after what is tried."""
    if subscription.status is SubscriptionStatus.TRIALING and subscription.trial_end is not None:
        return subscription.trial_end
    return subscription.period_end if kind is ChangeKind.DOWNGRADE else begins


async def _judged(
    house: House, member: MemberId, price_no: int, *, at: datetime
) -> tuple[PlanPrice, Paid, Plans]:
    """Return the wanted price beside what the member pays for now, as Stripe has it."""
    paid = await reading.paid(house, member)
    async with transaction() as connection:
        plans = await house.shelf.read(connection)
        wanted = await offering.price_on_sale(connection, plans, price_no, member, at)
    one = paid.subscription
    if wanted.no == paid.price.no:
        raise NothingToChange
    is_going = one.status in _CHANGEABLE and not one.cancel_at_period_end
    if not is_going or one.is_collection_paused or one.has_pending_update:
        raise ChangeNotPossible
    if wanted.money.currency != paid.price.money.currency:
        raise ChangeNotPossible(
            "A membership stays in its currency; order anew in another once it has ended",
            currency=paid.price.money.currency,
        )
    return wanted, paid, plans
