"""How a membership stands, as its member is told, and what it pays for as Stripe has it now."""

from datetime import datetime

import msgspec

from billing.benefits.entitlements import Ground
from billing.gateway.shapes import InvoiceStatus, Picture, Subscription, SubscriptionStatus
from billing.plans.catalogue import PlanPrice, Plans
from billing.subscriptions import checkouts, orders, register, syncing
from billing.subscriptions.campaigns import agreeing
from billing.subscriptions.house import House
from billing.subscriptions.orders import OrderState
from billing.subscriptions.refusals import NotAMember
from billing.subscriptions.register import Membership
from billing.subscriptions.states import State
from billing.subscriptions.views import (
    CheckoutView,
    MembershipState,
    MembershipView,
    WithdrawalRight,
)
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId

LIVING = frozenset(SubscriptionStatus) - {
    SubscriptionStatus.CANCELED,
    SubscriptionStatus.INCOMPLETE_EXPIRED,
    SubscriptionStatus.UNKNOWN,
}
_SHOWN = {
    State.TRIALING: MembershipState.TRIALING,
    State.ACTIVE: MembershipState.ACTIVE,
    State.GRACE: MembershipState.PAST_DUE,
    State.PAUSED: MembershipState.PAUSED,
    State.SUSPENDED: MembershipState.PAST_DUE,
    State.ENDED: MembershipState.ENDED,
}


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """A membership that is paid by a subscription, which was looked at just now."""

    membership: Membership
    picture: Picture
    price: PlanPrice

    @property
    def subscription(self) -> Subscription:
        """The subscription at Stripe."""
        return self.picture.subscription


async def paid(house: House, member: MemberId) -> Paid:
    """Return what a member pays for, looked at at Stripe. Raises `NotAMember`."""
    async with transaction() as connection:
        live = await register.live(connection, member)
        plans = await house.shelf.read(connection)
    if live is None or live.subscription is None:
        raise NotAMember
    picture = await house.gateway.picture(live.subscription)
    price = plans.price_at_stripe(picture.subscription.price_id)
    if picture.subscription.status not in LIVING or price is None:
        raise NotAMember
    return Paid(membership=live, picture=picture, price=price)


async def view(house: House, member: MemberId, *, at: datetime) -> MembershipView:
    """Return a membership as its member is told of it; see `Memberships.membership`.

    One whose time has come stands as it should, also before the worker has seen to it.
    """
    async with transaction() as connection:
        now = await register.live(connection, member)
    if now is not None and now.turns_at is not None and now.turns_at <= at:
        await syncing.derive_again(now.id, at=at)
    async with transaction() as connection:
        plans = await house.shelf.read(connection)
        waiting = await orders.waiting(connection, member)
        found = await register.of_member(connection, member)
        live = next((one for one in found if one.ended_at is None), None)
        shown = live or (found[0] if found else None)
        picture = None if shown is None else await _picture(connection, shown)
        notice = None if live is None else await agreeing.notice(connection, plans, member)
        right = None if shown is None else await withdrawal_right(house, connection, shown, picture)
    checkout = None
    if waiting is not None and waiting.state is OrderState.OPEN:
        checkout = checkouts.view(waiting, plans)
    if right is not None and right.until <= at:
        right = None
    seen = _view(shown, picture, plans, checkout, None if live is None else right)
    return seen if notice is None else msgspec.structs.replace(seen, price_notice=notice)


async def withdrawal_right(
    house: House, connection: Connection, membership: Membership, picture: Picture | None
) -> WithdrawalRight | None:
    """Return until when a membership may be withdrawn from, by the law of where it was ordered."""
    if picture is None or membership.subscription is None:
        return None
    order = await orders.of_subscription(connection, membership.member_id, membership.subscription)
    if order is None:
        return None
    terms = house.countries.of(order.country)
    until = terms.withdrawal_until(picture.subscription.created_at)
    return None if until is None else WithdrawalRight(until=until, days=terms.withdrawal_days)


async def _picture(connection: Connection, membership: Membership) -> Picture | None:
    if membership.subscription is None:
        return None
    kept = await register.kept(connection, membership.subscription)
    return None if kept is None else kept.picture


def _view(
    shown: Membership | None,
    picture: Picture | None,
    plans: Plans,
    checkout: CheckoutView | None,
    right: WithdrawalRight | None,
) -> MembershipView:
    if shown is None:
        state = MembershipState.NONE if checkout is None else MembershipState.CHECKOUT
        return MembershipView(state=state, checkout=checkout)
    plan = plans.plan(shown.plan_no)
    told = MembershipView(
        state=_SHOWN[shown.state],
        membership_id=shown.id,
        plan=plan.code,
        plan_name=plan.document.name,
        plan_version=plan.version,
        seats=0 if shown.ground is Ground.SHARED else plan.document.seats,
        ground=shown.ground,
        entitled_until=shown.entitled_until,
        period_start=shown.period_start,
        period_end=shown.period_end,
        ends_at=shown.ended_at,
        checkout=checkout,
        withdrawal=right,
        credit=None if picture is None else picture.credit,
    )
    if picture is None or picture.subscription.status not in LIVING:
        is_given = shown.state is not State.ENDED
        given = MembershipState.GIVEN if is_given else told.state
        ends = shown.entitled_until if is_given else shown.ended_at
        return msgspec.structs.replace(told, state=given, ends_at=ends)
    return _with_subscription(told, picture, plans)


def _with_subscription(told: MembershipView, picture: Picture, plans: Plans) -> MembershipView:
    """Add what Stripe's subscription says: price, renewal, what it changes to, what is unpaid."""
    one = picture.subscription
    price = plans.price_at_stripe(one.price_id)
    following = _following(told, one, plans)
    ends_at = one.cancel_at or (one.period_end if one.cancel_at_period_end else None)
    return msgspec.structs.replace(
        told,
        state=_state_of(told.state, one),
        price_no=None if price is None else price.no,
        price=None if price is None else price.money,
        interval=None if price is None else price.interval,
        trial_ends_at=told.period_end if told.state is MembershipState.TRIALING else None,
        renews_at=None if ends_at or one.is_collection_paused else one.period_end,
        ends_at=ends_at,
        paused_until=one.resumes_at if one.is_collection_paused else None,
        next_price_no=None if following is None else following.no,
        next_plan=None if following is None else plans.plan(following.plan_no).code,
        changes_at=None if following is None else one.period_end,
        has_pending_change=one.has_pending_update,
        payment_url=_unpaid(picture),
        is_disputed=any(dispute.is_open for dispute in picture.disputes),
    )


def _following(told: MembershipView, one: Subscription, plans: Plans) -> PlanPrice | None:
    """Return the price that comes next: as scheduled, or as chosen while another is tried."""
    if one.next_price_id is not None:
        return plans.price_at_stripe(one.next_price_id)
    chosen = plans.price_at_stripe(one.price_id)
    is_tried = one.status is SubscriptionStatus.TRIALING and chosen is not None
    if is_tried and chosen is not None and plans.plan(chosen.plan_no).code != told.plan:
        return chosen
    return None


def _state_of(state: MembershipState, one: Subscription) -> MembershipState:
    if state is MembershipState.ENDED:
        return state
    if one.cancel_at_period_end or one.cancel_at is not None:
        return MembershipState.ENDING
    return MembershipState.PAUSED if one.is_collection_paused else state


def _unpaid(picture: Picture) -> str | None:
    waiting = [
        one
        for one in picture.invoices
        if one.status is InvoiceStatus.OPEN and one.hosted_url is not None
    ]
    return waiting[-1].hosted_url if waiting else None
