"""What acts of staff ask of Stripe, be it by whoever acts or by the worker after a crash."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from billing.gateway.client import Gateway
from billing.gateway.intents import Intent
from billing.gateway.shapes import Refund, Subscription
from billing.subscriptions.desk.rules import REFUND_ID
from billing.subscriptions.stretches import is_over
from coalition.kernel.money import Money

CANCEL = "desk-cancel"
"""End a subscription with its period, or at once where `now` says so."""
UNCANCEL = "desk-uncancel"
"""Let a subscription go on that was to end."""
REFUND = "desk-refund"
"""Give a part of a payment back, or all of it."""
CREDIT = "desk-credit"
"""Take back credit for later invoices, whose money goes back."""
OF_CREDIT = ":credit"
"""What follows the key of a refund in that of the credit taken back with it."""

Request = Mapping[str, Any]  # Any: JSON of the kind


async def cancel(gateway: Gateway, key: str, request: Request) -> Subscription:
    """Let a subscription end; one that has ended stays as it is."""
    one = (await gateway.picture(request["subscription"])).subscription
    if is_over(one):
        return one
    if request["now"]:
        return await gateway.cancel_now(key, one.id)
    await gateway.drop_schedule(f"{key}:drop", one)
    return await gateway.cancel_at_period_end(key, one.id, cancel=True)


async def uncancel(gateway: Gateway, key: str, request: Request) -> Subscription:
    """Let a subscription go on."""
    return await gateway.cancel_at_period_end(key, request["subscription"], cancel=False)


async def refund(gateway: Gateway, key: str, request: Request) -> Refund:
    """Give money of a payment back."""
    return await gateway.refund(key, request["payment"], _money(request), _metadata(request))


async def take_credit(gateway: Gateway, key: str, request: Request) -> str:
    """Take credit back, once the money that it was of has gone back.

    That is asked again by its own key, which does it once: where Stripe refuses it, the credit
    stays, whichever of the two the worker comes to first.
    """
    await refund(gateway, key.removesuffix(OF_CREDIT), request)
    money = Money(request["credit_minor"], request["currency"])
    return await gateway.take_credit(key, request["customer"], money, _metadata(request))


def _money(request: Request) -> Money:
    return Money(request["amount_minor"], request["currency"])


def _metadata(request: Request) -> dict[str, str]:
    return {name: request[name] for name in ("member_id", REFUND_ID)}


CALLS: Mapping[str, Callable[[Gateway, str, Request], Awaitable[object]]] = {
    CANCEL: cancel,
    UNCANCEL: uncancel,
    REFUND: refund,
    CREDIT: take_credit,
}


def calls(gateway: Gateway) -> dict[str, Callable[[Intent], Awaitable[object]]]:
    """Return what the worker does with each kind of promise that nobody has kept."""

    def of(
        call: Callable[[Gateway, str, Request], Awaitable[object]],
    ) -> Callable[[Intent], Awaitable[object]]:
        return lambda intent: call(gateway, intent.key, intent.request)

    return {kind: of(call) for kind, call in CALLS.items()}
