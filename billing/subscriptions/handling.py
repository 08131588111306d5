"""What an event asks for: a look at a subscription, or at a payment that is for none.

A target is an id of Stripe, whose beginning says what it is.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, TypeVar

from billing.gateway.client import Gateway
from billing.gateway.refusals import StripeRefused
from billing.subscriptions import syncing
from billing.subscriptions.stretches import is_over

Found = TypeVar("Found")

Look = Callable[[str, datetime], Awaitable[object]]
"""Looks at a checkout or a payment, by its id, at a time."""


class Handler(NamedTuple):
    """Handles targets of events, as the drain wants it.

    `checkouts` looks at hosted pages, of orders and of gifts; `payments` at payments that are for
    no subscription, such as a gift that is refunded.
    """

    gateway: Gateway
    checkouts: Look | None = None
    payments: Look | None = None

    async def handle(self, target: str, at: datetime) -> None:
        """Look at what an event was about; done twice it does nothing more.

        Raises `StripeUnavailable`, and whatever fails.
        """
        kind, _, _ = target.partition("_")
        if kind == "sub":
            await syncing.sync(self.gateway, target, at=at)
        elif kind == "in":
            await self._follow(await _found(self.gateway.subscription_of_invoice(target)), at)
        elif kind == "pi":
            await self._payment(target, at)
        elif kind == "cs":
            await self._checkout(target, at)
        elif kind == "cus":
            await self._customer(target, at)

    async def _customer(self, target: str, at: datetime) -> None:
        """Look at what a customer pays for, whose credit has changed."""
        for one in await _found(self.gateway.subscriptions_of(target)) or ():
            if not is_over(one):
                await self._follow(one.id, at)

    async def _payment(self, target: str, at: datetime) -> None:
        subscription = await _found(self.gateway.subscription_of_payment(target))
        await self._follow(subscription, at)
        if subscription is None and self.payments is not None:
            await self.payments(target, at)

    async def _checkout(self, target: str, at: datetime) -> None:
        checkout = await _found(self.gateway.checkout(target))
        if checkout is None:
            return
        await self._follow(checkout.subscription_id, at)
        if self.checkouts is not None:
            await self.checkouts(target, at)

    async def _follow(self, subscription: str | None, at: datetime) -> None:
        if subscription is not None:
            await syncing.sync(self.gateway, subscription, at=at)


async def _found(asking: Awaitable[Found | None]) -> Found | None:
    """Return what was asked for; None for what Stripe has not, or has no more."""
    try:
        return await asking
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return None
