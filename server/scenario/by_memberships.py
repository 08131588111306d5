"""What members do with paid memberships, by the services of the pages, and what came of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from billing.plans.documents import Interval
from billing.subscriptions import entries
from billing.subscriptions.refusals import NothingToChange
from billing.subscriptions.views import ChangeKind, MembershipState, MembershipView, Order
from coalition.kernel.database import transaction
from coalition.kernel.errors import Conflict
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from server.scenario.membership_steps import (
    Cancel,
    Downgrade,
    Pause,
    PaymentCard,
    Resume,
    Subscribe,
    Uncancel,
    Upgrade,
    Withdraw,
)
from server.scenario.world import Done, World


class CardDeclined(Conflict):
    """The member's card was declined, so nothing was ordered; give it another card first."""

    code, title = "card_declined", "Card declined"


class OtherChange(Conflict):
    """The change goes the other way; say upgrade or downgrade as the plans' ranks have it."""

    code, title = "other_change", "Other change"


class PaymentOutcome(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One entry of what was paid for a membership; what was given back is negative."""

    at: datetime
    kind: str
    amount_minor: int
    currency: str


class MembershipOutcome(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How a member's membership stands at the end of a story, and all that was paid for it."""

    state: MembershipState
    plan: str | None = None
    ground: str | None = None
    entitled_until: datetime | None = None
    renews_at: datetime | None = None
    shared_by: str | None = None
    """Who pays for the plan that is shared with the member."""
    payments: list[PaymentOutcome] = []


async def _subscribe(world: World, step: Subscribe, n: int) -> Done:
    club, member = world.its_club(), world.member(step.member)
    offers = await club.memberships.plans_for(
        member, country=step.country, language="en", at=world.at
    )
    wanted = step.currency or world.story.coalition.currency
    prices = [
        price.price_no
        for plan in offers.items
        for price in plan.prices
        if (plan.plan, price.interval, price.price.currency) == (step.plan, step.interval, wanted)
        and price.eligibility is None
    ]
    if not prices:
        raise NothingToChange(f"{step.plan} has no price by the {step.interval} in {wanted}")
    order = Order(
        price_no=prices[0],
        country=step.country,
        language="en",
        disclosure_version=offers.terms.disclosure.version,
    )
    opened = await club.memberships.checkout(member, order, key=_key(n), at=world.at)
    if not await club.pay(member, opened.url):
        await club.memberships.drop_checkout(member, key=f"{_key(n)}-drop", at=world.at)
        raise CardDeclined
    view = await club.memberships.returned(member, opened.checkout_id, at=world.at)
    await club.hear()
    tried = f", {opened.trial_days} days free" if opened.trial_days else ""
    said = f"{step.member} has {step.plan} by the {step.interval}{tried}"
    paid = None if opened.trial_days else opened.price
    return Done(said, state=view.state, paid=paid)


async def _upgrade(world: World, step: Upgrade, n: int) -> Done:
    return await _change(world, step, n, ChangeKind.UPGRADE)


async def _downgrade(world: World, step: Downgrade, n: int) -> Done:
    return await _change(world, step, n, ChangeKind.DOWNGRADE)


async def _change(world: World, step: Upgrade | Downgrade, n: int, kind: ChangeKind) -> Done:
    club, member = world.its_club(), world.member(step.member)
    view = await club.memberships.membership(member, at=world.at)
    price_no = await _price_of(world, view, step.plan, step.interval)
    preview = await club.memberships.preview(member, price_no, at=world.at)
    if preview.kind is not kind:
        raise OtherChange
    await club.memberships.change(
        member, price_no, previewed_at=preview.previewed_at, key=_key(n), at=world.at
    )
    await club.hear()
    after = await club.memberships.membership(member, at=world.at)
    if after.has_pending_change:
        return Done(f"{step.member}'s card does not pay for the change", state="pending")
    when = "at once" if preview.takes_effect_at <= world.at else f"{preview.takes_effect_at:%F}"
    said = f"{step.member} changes to {preview.plan}, {when}"
    return Done(said, state=after.state, paid=preview.due_now)


async def _price_of(
    world: World, view: MembershipView, plan: str | None, interval: Interval | None
) -> int:
    """Return the price in the member's currency that a change names, by what stays as it is."""
    plans = await world.its_club().memberships.house.plans()
    currency = None if view.price is None else view.price.currency
    wanted = (plan or view.plan, interval or view.interval, currency)
    for one in plans.at(world.at):
        for price in one.prices:
            if (one.code, price.interval, price.money.currency) == wanted:
                return price.no
    raise NothingToChange(f"There is no {wanted[0]} by the {wanted[1]} in {currency}")


async def _cancel(world: World, step: Cancel, n: int) -> Done:
    member = world.member(step.member)
    made = await world.its_club().memberships.cancel(member, key=_key(n), at=world.at)
    return Done(f"{step.member} cancels; it ends {made.ends_at:%F}", state="ending")


async def _uncancel(world: World, step: Uncancel, n: int) -> Done:
    await world.its_club().memberships.uncancel(world.member(step.member), key=_key(n), at=world.at)
    return Done(f"{step.member} keeps its membership after all")


async def _pause(world: World, step: Pause, n: int) -> Done:
    made = await world.its_club().memberships.pause(
        world.member(step.member), months=step.months, key=_key(n), at=world.at
    )
    return Done(f"{step.member} pauses until {made.paused_until:%F}")


async def _resume(world: World, step: Resume, n: int) -> Done:
    await world.its_club().memberships.resume(world.member(step.member), key=_key(n), at=world.at)
    return Done(f"{step.member} ends its pause")


async def _withdraw(world: World, step: Withdraw, n: int) -> Done:
    club, member = world.its_club(), world.member(step.member)
    declared = await club.memberships.declare_withdrawal(member, at=world.at)
    made = await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key=_key(n), at=world.at
    )
    await club.hear()
    back = declared.refund if made.refund is None else made.refund
    said = f"{step.member} withdraws; what was not used comes back"
    return Done(said, state="ended", paid=Money(-back.amount_minor, back.currency))


async def _card(world: World, step: PaymentCard, n: int) -> Done:
    del n
    club = world.its_club()
    await club.take_card(world.member(step.member), step.card)
    await club.hear()
    words = step.card.replace("_", " ")
    return Done(f"{step.member} has a card that {words}")


async def outcomes(world: World) -> dict[str, MembershipOutcome]:
    """Return how memberships stand at the end, of members who have or had one."""
    if world.club is None:
        return {}
    found = {}
    names = {member_id: name for name, member_id in world.members.items()}
    for name, member_id in world.members.items():
        member = MemberId(member_id)
        view = await world.club.memberships.membership(member, at=world.at)
        seats = await world.club.memberships.seats(member, at=world.at)
        async with transaction() as connection:
            paid = await entries.of_member(connection, member)
        if view.state is not MembershipState.NONE or paid or seats.shared_by is not None:
            found[name] = MembershipOutcome(
                state=view.state,
                plan=view.plan,
                ground=view.ground,
                entitled_until=view.entitled_until,
                renews_at=view.renews_at,
                shared_by=None if seats.shared_by is None else names[seats.shared_by],
                payments=[
                    PaymentOutcome(
                        at=one.occurred_at,
                        kind=one.kind,
                        amount_minor=one.amount.amount_minor,
                        currency=one.amount.currency,
                    )
                    for one in paid
                ],
            )
    return found


def _key(n: int) -> str:
    return f"story-step-{n}"


_Act = Callable[[World, Any, int], Awaitable[Done]]  # Any: the step that it is for
ACTS: Final[dict[type, _Act]] = {
    Subscribe: _subscribe,
    Upgrade: _upgrade,
    Downgrade: _downgrade,
    Cancel: _cancel,
    Uncancel: _uncancel,
    Pause: _pause,
    Resume: _resume,
    Withdraw: _withdraw,
    PaymentCard: _card,
}
