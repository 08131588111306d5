"""Confirms an order to its member, with what was shown before it: on something that lasts."""

from datetime import datetime, timedelta

from billing.subscriptions import orders, register
from billing.subscriptions.house import House
from billing.subscriptions.orders import OrderRow, OrderState
from billing.subscriptions.telling.telling import Each, Fact, Part, tell
from coalition.kernel.database import Connection

_LAST_INSTANT = timedelta(microseconds=1)


async def tell_of(
    connection: Connection,
    house: House,
    order: OrderRow,
    state: OrderState,
    subscription: str,
    *,
    at: datetime,
) -> None:
    """Tell a member what became of its order, in the transaction that settles it."""
    plans = await house.shelf.read(connection)
    price = plans.price(order.price_no)
    name = plans.plan(price.plan_no).document.name
    countries = house.countries
    if state is OrderState.TRIAL_REFUSED:
        await tell(
            connection,
            order.member_id,
            "trial_refused",
            order.id,
            at=at,
            countries=countries,
            path="/plans",
            facts={"plan": name},
        )
        return
    kept = await register.kept(connection, subscription)
    made = None if kept is None or kept.picture is None else kept.picture.subscription
    ordered = at if made is None else made.created_at
    await tell(
        connection,
        order.member_id,
        "order",
        order.id,
        at=at,
        countries=countries,
        facts={
            "plan": name,
            "ordered": ordered,
            "price": Each(price.money, price.interval),
            "trial": _trial(None if made is None else made.trial_end),
            "withdrawal": _withdrawal(countries.of(order.country).withdrawal_until(ordered)),
            "version": order.disclosure_version,
            "text": await orders.text_shown(connection, order),
        },
    )


def _trial(ends: datetime | None) -> Fact:
    return "" if ends is None else Part("order.trial", {"ends": ends})


def _withdrawal(until: datetime | None) -> Fact:
    """Return the line of the right to withdraw; `until` is the first instant without it."""
    if until is None:
        return ""
    return Part("order.withdrawal", {"until": until - _LAST_INSTANT})
