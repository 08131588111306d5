"""Runs campaigns: tells members of their new price, and lets it come at the promised renewal.

Each member is told in one transaction, and each act at Stripe is an intent under a key of its own,
so a run that was killed goes on where it ended. Nothing is taken from what was done before but its
number: what is next follows from how the subscription stands at Stripe at that moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec
import structlog

from billing.gateway import intents
from billing.gateway.refusals import StripeRefused, StripeUnavailable
from billing.gateway.shapes import Subscription
from billing.plans.catalogue import Plans
from billing.subscriptions import register, selling, syncing
from billing.subscriptions.campaigns import reach, rows, rules
from billing.subscriptions.campaigns.documents import Campaign
from billing.subscriptions.campaigns.reach import Reached
from billing.subscriptions.campaigns.rows import Change
from billing.subscriptions.campaigns.rules import Promise, Stand, Step
from billing.subscriptions.house import HELD, House, one_act
from billing.subscriptions.refusals import ActInProgress
from billing.subscriptions.telling import of_prices
from coalition.kernel import outbox
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import bucket_of, random_id, shard_of
from coalition.kernel.outbox import Event
from coalition.members import queries

JOB = "plans.campaigns"
"""The job that goes on with all campaigns."""
LOOKS_AGAIN = timedelta(hours=6)
"""How long after a look a member is looked at again, while its price is to change."""
PAUSE_S = 0.2
"""Between acts at Stripe, so that a campaign takes a small part of what Stripe allows us."""
SOME = 200

_STATE = {
    Step.DONE: "done",
    Step.KEEP: "kept",
    Step.LEAVE: "left",
    Step.RESTORE: "told",
    Step.WAIT: "told",
}
_OVER = frozenset({Step.DONE, Step.KEEP, Step.LEAVE})
_AT_STRIPE = frozenset({Step.SCHEDULE, Step.END, Step.RESTORE})

_logger = structlog.get_logger(__name__)


class Progress(msgspec.Struct, kw_only=True):
    """What a run did; `is_paused` when Stripe did not answer, so that the rest waits."""

    told: int = 0
    looked_at: int = 0
    acts: int = 0
    refused: int = 0
    is_paused: bool = False


async def run(
    house: House, *, at: datetime, code: str | None = None, pause_s: float = PAUSE_S
) -> Progress:
    """Go on with all campaigns, or with one: tell whom it reaches, do what is due.

    Run again, also after a kill or by two at once, it does nothing twice. Where Stripe wants us to
    wait it stops, and the next run goes on. Of one that is paused or stopped, be it meanwhile, it
    only follows what is scheduled at Stripe already.
    """
    progress = Progress()
    async with transaction() as connection:
        found = await rows.campaigns(connection)
    for one in found:
        if code not in {None, one.code}:
            continue
        try:
            if one.standing == "runs":
                await _tell_all(house, one, progress, at=at)
                await _follow_all(house, one, progress, at=at, pause_s=pause_s)
            await _watch_all(house, one, progress, at=at)
        except StripeUnavailable:
            progress.is_paused = True
            _logger.warning("campaign_paused", campaign=one.code)
            return progress
    return progress


async def _tell_all(house: House, campaign: Campaign, progress: Progress, *, at: datetime) -> None:
    async for page in reach.pages(campaign, house.countries, at=at):
        async with transaction() as connection:
            pairs = [(one.membership.id, one.membership.subscription or "") for one in page]
            known = await rows.known(connection, campaign.no, pairs)
        for one in page:
            if isinstance(one.verdict, Promise) and one.membership.subscription not in known:
                progress.told += await _tell(house, campaign, one, at=at)


async def _tell(house: House, campaign: Campaign, seen: Reached, *, at: datetime) -> bool:
    """Tell a member once, of what holds for it while nobody else changes its membership."""

    async def attempt() -> bool:
        async with transaction() as connection:
            await queries.lock_members(connection, [seen.membership.member_id])
            if not await rows.runs(connection, campaign.no):
                return False
            wanted = [seen.membership.id]
            now = await reach.judged(connection, campaign, house.countries, wanted, at=at)
            if not now or not isinstance(now[0].verdict, Promise):
                return False
            change = _promised(campaign, now[0], now[0].verdict, at)
            if not await rows.tell(connection, change):
                return False
            await outbox.append(connection, [_notice(campaign, change, now[0])], at)
            await of_prices.tell_of_new(connection, house, campaign, change, now[0].move)
            return True

    return await retrying(attempt)


def _promised(campaign: Campaign, reached: Reached, promise: Promise, at: datetime) -> Change:
    membership = reached.membership
    assert membership.subscription is not None, "it was reached by its subscription"
    return Change(
        campaign_no=campaign.no,
        subscription=membership.subscription,
        member_id=membership.member_id,
        membership_id=membership.id,
        from_price=reached.move.from_price,
        to_price=reached.move.to_price,
        country=reached.country,
        text_version=reached.text_version,
        wants_consent=promise.wants_consent,
        told_at=at,
        applies_at=promise.applies_at,
        agreed_at=None,
        state="told",
        reason="told",
        acts=0,
        doing=None,
        look_at=at,
        changed_at=at,
    )


def _notice(campaign: Campaign, change: Change, reached: Reached) -> Event:
    move = reached.move
    agree_by = change.applies_at - rules.CLOSES
    told = {
        "member_id": str(change.member_id),
        "membership_id": str(change.membership_id),
        "campaign": campaign.code,
        "plan": campaign.document.plan,
        "interval": move.interval,
        "currency": move.currency,
        "old_minor": move.from_minor,
        "new_minor": move.to_minor,
        "applies_at": change.applies_at.isoformat(),
        "wants_consent": change.wants_consent,
        "agree_by": agree_by.isoformat() if change.wants_consent else None,
        "without_consent": campaign.document.without_consent if change.wants_consent else None,
        "country": change.country,
        "text_version": change.text_version,
    }
    return Event("membership.price_notice", told, shard=shard_of(bucket_of(change.membership_id)))


async def _follow_all(
    house: House, campaign: Campaign, progress: Progress, *, at: datetime, pause_s: float
) -> None:
    while True:
        async with transaction() as connection:
            found = await rows.due(connection, campaign.no, at, SOME)
        if not found:
            return
        for change in found:
            async with transaction() as connection:
                if not await rows.runs(connection, campaign.no):
                    return
            progress.looked_at += 1
            if await _follow(house, campaign, change, progress, at=at):
                progress.acts += 1
                await asyncio.sleep(pause_s)


async def _watch_all(house: House, campaign: Campaign, progress: Progress, *, at: datetime) -> None:
    """Follow what is at Stripe of a campaign that goes on no more, or not now; ask for nothing."""
    while True:
        async with transaction() as connection:
            if await rows.runs(connection, campaign.no):
                return
            found = await rows.due(connection, campaign.no, at, SOME, at_stripe=True)
        if not found:
            return
        for change in found:
            progress.looked_at += 1
            await _watch(house, campaign, change, at=at)


async def _watch(house: House, campaign: Campaign, change: Change, *, at: datetime) -> None:
    async with transaction() as connection:
        plans = await house.shelf.read(connection)
        kept = await register.pictures(connection, [change.subscription])
    prices = await _at_stripe(house, plans, change, at=at)
    picture = kept.get(change.subscription)
    if picture is None or change.doing is not None:
        picture = await house.gateway.picture(change.subscription)
    step, why = _next(campaign, change, picture.subscription, prices, at)
    if step in _OVER or step is Step.WATCH:
        await _stand(campaign, change, step, why, at=at)
        return
    async with transaction() as connection:
        await rows.look_again(connection, change, at + LOOKS_AGAIN)


async def _follow(
    house: House, campaign: Campaign, change: Change, progress: Progress, *, at: datetime
) -> bool:
    """Do what is next for a member; return whether Stripe was asked for anything."""
    async with transaction() as connection:
        plans = await house.shelf.read(connection)
        kept = await register.pictures(connection, [change.subscription])
    prices = await _at_stripe(house, plans, change, at=at)
    picture = kept.get(change.subscription)
    if picture is not None and change.doing is None:
        step, why = _next(campaign, change, picture.subscription, prices, at)
        if step not in _AT_STRIPE:
            await _stand(campaign, change, step, why, at=at)
            return False
    try:
        # A key of its own keeps another run out as well.
        async with one_act(change.member_id, "price-change", str(random_id()), at):
            await _act(house, campaign, change, prices, at=at)
    except ActInProgress:
        # The member is doing something, or a run was killed: what came of it is looked at then.
        async with transaction() as connection:
            await rows.look_again(connection, change, at + HELD)
    except StripeRefused as refused:
        progress.refused += 1
        await _refused(change, refused.reason, at=at)
    return True


async def _act(
    house: House, campaign: Campaign, change: Change, prices: tuple[str, str], *, at: datetime
) -> None:
    """Look at Stripe, and do there what is next: what broke off may have been done by now."""
    subscription = (await house.gateway.picture(change.subscription)).subscription
    step, why = _next(campaign, change, subscription, prices, at)
    if step in _AT_STRIPE:
        async with transaction() as connection:
            number = await rows.begin(connection, change, step)
        key = f"campaign-{campaign.no}-{change.subscription}-{number}"
        request = {"subscription": change.subscription, "step": step, "price": prices[1]}
        call = _call(house, step, key, subscription, prices[1])
        await intents.perform("price-change", key, request, call, answer=str, at=at)
        await syncing.sync(house.gateway, change.subscription, at=at)
    await _stand(campaign, change, step, why, at=at)


def _call(
    house: House, step: Step, key: str, one: Subscription, price: str
) -> Callable[[], Awaitable[str]]:
    async def call() -> str:
        if step is Step.SCHEDULE:
            await house.gateway.schedule_price(key, one, price)
        else:
            if step is Step.END and one.schedule_id is not None:
                await house.gateway.drop_schedule(f"{key}:drop", one)
            cancels = step is Step.END
            await house.gateway.cancel_at_period_end(key, one.id, cancel=cancels)
        return one.id

    return call


def _next(
    campaign: Campaign,
    change: Change,
    one: Subscription,
    prices: tuple[str, str],
    at: datetime,
) -> tuple[Step, str]:
    stand = Stand(
        applies_at=change.applies_at,
        wants_consent=change.wants_consent,
        has_agreed=change.agreed_at is not None,
        is_ending=change.state == "ending" or change.doing == Step.END,
        without_consent=campaign.document.without_consent,
    )
    old, new = prices
    return rules.next_step(stand, one, old=old, new=new, at=at)


async def _at_stripe(
    house: House, plans: Plans, change: Change, *, at: datetime
) -> tuple[str, str]:
    old = await selling.stripe_price_of(house.gateway, plans.price(change.from_price), at=at)
    new = await selling.stripe_price_of(house.gateway, plans.price(change.to_price), at=at)
    return old, new


async def _stand(campaign: Campaign, change: Change, step: Step, why: str, *, at: datetime) -> None:
    """Write down how a member stands after a step, and tell others of what it means."""
    state = _state(step, why)
    look_at = None if step in _OVER else at if step is Step.RESTORE else at + LOOKS_AGAIN

    async def attempt() -> None:
        async with transaction() as connection:
            await rows.stand(connection, change, state, why, look_at=look_at, at=at)
            await _tell_of(connection, campaign, change, state, at)
            if state == "ending" and change.state != state:
                await of_prices.tell_of_end(connection, campaign, change, at)

    await retrying(attempt)


def _state(step: Step, why: str) -> str:
    if step is Step.SCHEDULE or (step is Step.WATCH and why == "scheduled"):
        return "scheduled"
    if step in {Step.END, Step.WATCH}:
        return "ending"
    return _STATE[step]


async def _tell_of(
    connection: Connection, campaign: Campaign, change: Change, state: str, at: datetime
) -> None:
    kinds = {"done": "membership.price_changed", "ending": "membership.price_not_agreed"}
    if state == change.state or state not in kinds:
        return
    told = {
        "member_id": str(change.member_id),
        "membership_id": str(change.membership_id),
        "campaign": campaign.code,
        "applies_at": change.applies_at.isoformat(),
    }
    shard = shard_of(bucket_of(change.membership_id))
    await outbox.append(connection, [Event(kinds[state], told, shard=shard)], at)


async def _refused(change: Change, reason: str, *, at: datetime) -> None:
    """Write down that Stripe said no; what is tried next is another act."""
    state = "told" if change.state == "scheduled" else change.state

    async def attempt() -> None:
        async with transaction() as connection:
            why, look_at = f"refused:{reason}", at + LOOKS_AGAIN
            await rows.stand(connection, change, state, why, look_at=look_at, at=at)

    await retrying(attempt)
