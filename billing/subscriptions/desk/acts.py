"""What acts of staff ask of Stripe, be it by whoever acts or by the worker after a crash."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from billing.gateway.client import Gateway
from billing.gateway.intents import Intent
from billing.gateway.shapes import Subscription
from billing.subscriptions.stretches import is_over

CANCEL = "desk-cancel"
"""End a subscription with its period, or at once where `now` says so."""
UNCANCEL = "desk-uncancel"
"""Let a subscription go on that was to end."""

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


CALLS: Mapping[str, Callable[[Gateway, str, Request], Awaitable[object]]] = {
    CANCEL: cancel,
    UNCANCEL: uncancel,
}


def calls(gateway: Gateway) -> dict[str, Callable[[Intent], Awaitable[object]]]:
    """Return what the worker does with each kind of promise that nobody has kept."""

    def of(
        call: Callable[[Gateway, str, Request], Awaitable[object]],
    ) -> Callable[[Intent], Awaitable[object]]:
        return lambda intent: call(gateway, intent.key, intent.request)

    return {kind: of(call) for kind, call in CALLS.items()}
