"""Ordering: from a chosen price to a page on which it is paid, and what became of it.

The order is written down before Stripe hears of it. What was paid is learnt by looking at Stripe,
by whoever comes first: the member's return, the event, or reconciling.
"""

from datetime import datetime
from uuid import UUID

from billing.gateway import intents
from billing.gateway.shapes import Checkout
from billing.plans.catalogue import Plans
from billing.subscriptions import (
    customers,
    offering,
    orders,
    put_offs,
    putting_off,
    selling,
    syncing,
    trials,
)
from billing.subscriptions.house import House, one_act
from billing.subscriptions.orders import OrderRow, OrderState
from billing.subscriptions.refusals import (
    CheckoutOpen,
    DisclosureOutdated,
    TrialUsed,
    UnknownCheckout,
    UnknownPromotion,
)
from billing.subscriptions.telling import of_orders
from billing.subscriptions.views import CheckoutView, Order
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, digest16

RETURNED = "checkout={CHECKOUT_SESSION_ID}"
"""What the address of the way back ends with; Stripe puts the id of its page in."""


async def checkout(
    house: House, member: MemberId, order: Order, *, key: str, at: datetime
) -> CheckoutView:
    """Begin an order; see `Memberships.checkout`."""
    back = house.way_back(order.back_to)
    async with one_act(member, "checkout", key, at) as own:
        await _settle_waiting(house, member, at=at)
        promotion = await _promotion(house, order)
        begun = await _begin(house, member, order, order_id=_order_id(own), at=at)
        plans = await house.plans()
        if begun.state is OrderState.OPEN:
            return view(begun, plans)
        price = plans.price(begun.price_no)
        customer = await customers.ensure(house, member, country=order.country, at=at)
        stripe_price = await selling.stripe_price_of(house.gateway, price, at=at)
        made = await _open(
            house,
            begun,
            customer=customer,
            stripe_price=stripe_price,
            back=back,
            promotion=promotion,
            own=own,
            at=at,
        )
        assert made.url is not None, "a page that is open has an address"
        async with transaction() as connection:
            await orders.opened(
                connection, begun, checkout_id=made.id, url=made.url, expires_at=made.expires_at
            )
            opened = await orders.read(connection, member, begun.id)
    assert opened is not None, "it was written down above"
    return view(opened, plans)


async def drop(house: House, member: MemberId, *, key: str, at: datetime) -> None:
    """Let an order that waits be none; see `Memberships.drop_checkout`."""
    async with one_act(member, "drop-checkout", key, at) as own:
        async with transaction() as connection:
            order = await orders.waiting(connection, member)
        if order is None:
            return
        if order.checkout_id is not None:
            found = await house.gateway.checkout(order.checkout_id)
            if found.status == "open":
                await house.gateway.expire_checkout(own, order.checkout_id)
            await settle(house, order.checkout_id, at=at)
            return
        async with transaction() as connection:
            await orders.settle(connection, order, OrderState.EXPIRED, subscription=None, at=at)


async def returned(house: House, member: MemberId, checkout_id: str, *, at: datetime) -> None:
    """Look what became of an order; see `Memberships.returned`.

    Raises `UnknownCheckout`, and `TrialUsed` where its trial was had before.
    """
    async with transaction() as connection:
        found = await orders.of_member(connection, member)
    order = next((one for one in found if one.checkout_id == checkout_id), None)
    if order is None:
        raise UnknownCheckout
    state = await settle(house, checkout_id, at=at)
    if state is OrderState.TRIAL_REFUSED:
        raise TrialUsed


async def settle(house: House, checkout_id: str, *, at: datetime) -> OrderState | None:
    """Write down what Stripe says of an order's page; however often, it counts once.

    Whoever had a trial before, by any of what it is known by, gets none: the subscription is ended
    before anything was charged. None for a page that is no order of ours.
    """
    page = await house.gateway.checkout(checkout_id)
    order = await _order_of(page)
    if order is None:
        return None
    if order.settled_at is not None:
        return order.state
    if page.status == "complete" and page.subscription_id is not None:
        return await _completed(house, order, page.subscription_id, at=at)
    if page.status == "expired":
        async with transaction() as connection:
            await orders.settle(connection, order, OrderState.EXPIRED, subscription=None, at=at)
        return OrderState.EXPIRED
    return order.state


def view(order: OrderRow, plans: Plans) -> CheckoutView:
    """Return an open order as its member sees it."""
    assert order.checkout_id is not None, "an open order has a page"
    assert order.url is not None, "an open order has a page"
    assert order.expires_at is not None, "an open order has a page"
    price = plans.price(order.price_no)
    return CheckoutView(
        checkout_id=order.checkout_id,
        url=order.url,
        expires_at=order.expires_at,
        plan=plans.plan(price.plan_no).code,
        price=price.money,
        trial_days=order.trial_days,
    )


async def _promotion(house: House, order: Order) -> str | None:
    """Return what Stripe calls the promotion code of an order, if it has one."""
    if order.promotion is None:
        return None
    found = await house.gateway.promotion_code(order.promotion.strip())
    if found is None:
        raise UnknownPromotion
    return found


def _order_id(own: str) -> UUID:
    """Return the id of the order that the act with this key begins: again, it is the same."""
    return UUID(bytes=digest16("order", own))


async def _settle_waiting(house: House, member: MemberId, *, at: datetime) -> None:
    """Learn what became of an order before, so that it does not stand in the way for nothing."""
    async with transaction() as connection:
        order = await orders.waiting(connection, member)
    if order is not None and order.checkout_id is not None:
        await settle(house, order.checkout_id, at=at)


async def _begin(
    house: House, member: MemberId, order: Order, *, order_id: UUID, at: datetime
) -> OrderRow:
    """Return the order as it is written down: a new one, or the same one that waits."""
    terms = house.countries.of(order.country)
    if order.disclosure_version != terms.disclosure_version:
        raise DisclosureOutdated(disclosure_version=terms.disclosure_version)
    async with transaction() as connection:
        plans = await house.shelf.read(connection)
        known = await orders.read(connection, member, order_id)
        if known is not None and known.settled_at is None:
            return known
        await _check_free(connection, member, order_id, at)
        price = await offering.price_on_sale(connection, plans, order.price_no, member, at)
        waiting = await orders.waiting(connection, member)
        if waiting is not None and waiting.id == order_id:
            return waiting  # A second click wrote it down meanwhile.
        if waiting is not None and not await _is_given_up(connection, waiting, at=at):
            return _same_or_refused(waiting, order)
        digests = await trials.digests_of(
            connection, member, await house.person(connection, member), house.keys
        )
        days = plans.plan(price.plan_no).document.trial_days
        if days and await trials.is_taken(connection, digests):
            days = 0
        await orders.begin(
            connection,
            order_id=order_id,
            member=member,
            price_no=price.no,
            country=order.country,
            shown=offering.disclosure(terms, order.language),
            trial_days=days,
            trial_digests=digests,
            at=at,
        )
        begun = await orders.read(connection, member, order_id)
    assert begun is not None, "it was written down just now"
    return begun


async def _check_free(
    connection: Connection, member: MemberId, order_id: UUID, at: datetime
) -> None:
    await putting_off.beginning(connection, member, at)
    # The same key again, after what it ordered is over, is not another order.
    known = await orders.read(connection, member, order_id)
    if known is not None and known.settled_at is not None:
        raise CheckoutOpen("This order is settled; take a new key for a new one")


async def _is_given_up(connection: Connection, order: OrderRow, *, at: datetime) -> bool:
    """Let an order be none whose page nobody has seen: its process died before it could say."""
    if order.state is not OrderState.BEGUN:
        return False
    await orders.settle(connection, order, OrderState.EXPIRED, subscription=None, at=at)
    return True


def _same_or_refused(waiting: OrderRow, order: Order) -> OrderRow:
    if (waiting.price_no, waiting.country) == (order.price_no, order.country):
        return waiting
    raise CheckoutOpen(checkout_id=waiting.checkout_id, url=waiting.url, price_no=waiting.price_no)


async def _open(
    house: House,
    order: OrderRow,
    *,
    customer: str,
    stripe_price: str,
    back: str,
    promotion: str | None,
    own: str,
    at: datetime,
) -> Checkout:
    mark = "&" if "?" in back else "?"
    async with transaction() as connection:
        given_until = await putting_off.beginning(connection, order.member_id, at)
    begins: datetime | None = None
    why: dict[str, str] = {}
    if given_until is not None:
        begins, why = put_offs.ordered(given_until, order.trial_days, at)
    metadata = {
        "member_id": str(order.member_id),
        "order_id": str(order.id),
        "price_no": str(order.price_no),
        **why,
    }

    async def call() -> Checkout:
        return await house.gateway.open_checkout(
            own,
            customer_id=customer,
            price_id=stripe_price,
            trial_days=order.trial_days,
            metadata=metadata,
            success_url=f"{back}{mark}{RETURNED}",
            cancel_url=back,
            promotion=promotion,
            begins=begins,
        )

    request = metadata | {"price": stripe_price, "customer": customer, "back": back}
    return await intents.perform("checkout", own, request, call, answer=Checkout, at=at)


async def _order_of(page: Checkout) -> OrderRow | None:
    named, member = page.metadata.get("order_id"), page.metadata.get("member_id")
    if named is None or member is None:
        return None
    async with transaction() as connection:
        return await orders.read(connection, MemberId(UUID(member)), UUID(named))


async def _completed(
    house: House, order: OrderRow, subscription: str, *, at: datetime
) -> OrderState:
    state = OrderState.COMPLETE
    if order.trial_days:
        picture = await house.gateway.picture(subscription)
        card = await house.gateway.card_fingerprint(picture.subscription.customer_id)
        digests = order.trial_digests
        digests += () if card is None else (trials.digest_of_card(card),)
        async with transaction() as connection:
            has_trial = await trials.take(connection, digests, order_id=order.id, at=at)
        if not has_trial:
            state = OrderState.TRIAL_REFUSED
            await house.gateway.cancel_now(f"no-trial-{order.id}", subscription)
    # Whoever finds the order settled finds its membership, also in another tab.
    await syncing.sync(house.gateway, subscription, at=at)
    async with transaction() as connection:
        if await orders.settle(connection, order, state, subscription=subscription, at=at):
            await of_orders.tell_of(connection, house, order, state, subscription, at=at)
    return state
