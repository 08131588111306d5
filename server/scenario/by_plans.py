"""What happens to paid memberships beside orders: gifts, seats, dearer prices, disputes."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from billing.plans.countries import shipped
from billing.sandbox.engine import disputes
from billing.subscriptions import register
from billing.subscriptions.campaigns import proposing
from billing.subscriptions.refusals import NotAMember, UnknownGift
from billing.subscriptions.views import GiftOrder
from coalition.kernel.database import transaction
from coalition.kernel.errors import Conflict
from coalition.kernel.ids import MemberId
from server.scenario.by_memberships import CardDeclined
from server.scenario.club import Club, put_on_sale
from server.scenario.founding import ACTOR, SECOND
from server.scenario.plan_steps import (
    Agree,
    Campaign,
    Dispute,
    DisputeEnd,
    DisputeEnds,
    Gift,
    RedeemGift,
    Sell,
    Share,
    Unshare,
)
from server.scenario.world import Done, World

_EVIDENCE: Final = {DisputeEnd.WON: "winning_evidence", DisputeEnd.LOST: "losing_evidence"}


class NoDispute(Conflict):
    """The member disputes nothing; let it dispute a payment first."""

    code, title = "no_dispute", "No dispute"


async def _gift(world: World, step: Gift, n: int) -> Done:
    club, member = world.its_club(), world.member(step.member)
    order = GiftOrder(
        plan=step.plan,
        months=step.months,
        currency=step.currency or world.story.coalition.currency,
    )
    bought = await club.memberships.buy_gift(member, order, key=f"story-step-{n}", at=world.at)
    assert bought.url is not None, "a gift that was ordered just now waits to be paid"
    if not await club.pay(member, bought.url):
        raise CardDeclined
    await club.hear()
    said = f"{step.member} buys {step.months} months of {step.plan} for somebody"
    return Done(said, gift=bought.gift_id, sender=member, paid=bought.price)


async def _redeem_gift(world: World, step: RedeemGift, n: int) -> Done:
    club, given = world.its_club(), world.done.get(step.gift)
    if given is None or given.sender is None:
        raise UnknownGift
    bought = await club.memberships.gifts(MemberId(given.sender), at=world.at)
    code = next((one.code for one in bought if one.gift_id == given.gift), None)
    if code is None:
        raise UnknownGift
    member = world.member(step.member)
    view = await club.memberships.redeem_gift(member, code, key=f"story-step-{n}", at=world.at)
    return Done(f"{step.member} redeems {step.gift}", state=view.state)


async def _share(world: World, step: Share, n: int) -> Done:
    del n
    payer, other = world.member(step.member), world.member(step.with_member)
    await world.its_club().memberships.add_seat(payer, other, at=world.at)
    return Done(f"{step.member} shares its plan with {step.with_member}")


async def _unshare(world: World, step: Unshare, n: int) -> Done:
    del n
    payer, other = world.member(step.member), world.member(step.with_member)
    await world.its_club().memberships.remove_seat(payer, other, at=world.at)
    return Done(f"{step.member} shares its plan with {step.with_member} no more")


async def _sell(world: World, step: Sell, n: int) -> Done:
    del n
    await put_on_sale(world.its_club(), (step.plan,), by=(ACTOR, SECOND))
    found = (await world.its_club().memberships.house.plans()).by_code(step.plan.code, world.at)
    return Done(f"version {found.version} of {step.plan.code} is on sale")


async def _campaign(world: World, step: Campaign, n: int) -> Done:
    del n
    club, document = world.its_club(), step.campaign
    proposed = await proposing.prepare(
        document, countries=shipped(), prepared_by=ACTOR, at=world.at
    )
    made = await proposing.approve(proposed, approved_by=SECOND, at=world.at)
    club.has_campaigns = True
    await club.hear()
    prices = ", ".join(f"{one.from_minor} -> {one.to_minor} {one.currency}" for one in made.moves)
    return Done(f"the campaign {document.code} begins: {prices}")


async def _agree(world: World, step: Agree, n: int) -> Done:
    club, member = world.its_club(), world.member(step.member)
    made = await club.memberships.agree_to_price(member, key=f"story-step-{n}", at=world.at)
    await club.hear()
    return Done(f"{step.member} agrees to the new price from {made.applies_at:%F}")


async def _dispute(world: World, step: Dispute, n: int) -> Done:
    del n
    club = world.its_club()
    charges = await _charges(club, world.member(step.member))
    if not charges:
        raise NotAMember
    with club.sandbox.store.transaction() as making:
        at_bank = club.sandbox.world(making)
        disputes.open_one(at_bank, at_bank.get("charge", charges[0]), reason="fraudulent")
    await club.hear()
    return Done(f"{step.member} disputes its last payment")


async def _dispute_ends(world: World, step: DisputeEnds, n: int) -> Done:
    del n
    club = world.its_club()
    charges = await _charges(club, world.member(step.member))
    found = [one async for one in club.gateway.pages("/v1/disputes", {})]
    waiting = [
        one for one in found if one["charge"] in charges and one["status"] not in {"won", "lost"}
    ]
    if not waiting:
        raise NoDispute
    evidence = {"evidence": {"uncategorized_text": _EVIDENCE[step.outcome]}, "submit": True}
    await club.gateway.post(None, f"/v1/disputes/{waiting[0]['id']}", evidence)
    await club.hear()
    return Done(f"the bank decides: the dispute of {step.member} is {step.outcome}")


async def _charges(club: Club, member: MemberId) -> list[str]:
    """Return the payments of a member, the last one first, by their ids at the sandbox."""
    async with transaction() as connection:
        held = await register.of_member(connection, member)
    customers = {one.customer_id for one in held if one.customer_id is not None}
    return [
        cast("str", one["id"])
        for customer in sorted(customers)
        async for one in club.gateway.pages("/v1/charges", {"customer": customer})
    ]


_Act = Callable[[World, Any, int], Awaitable[Done]]  # Any: the step that it is for
ACTS: Final[dict[type, _Act]] = {
    Gift: _gift,
    RedeemGift: _redeem_gift,
    Share: _share,
    Unshare: _unshare,
    Sell: _sell,
    Campaign: _campaign,
    Agree: _agree,
    Dispute: _dispute,
    DisputeEnds: _dispute_ends,
}
