"""What we do at Stripe: each act under a key, by which it is done once however often asked."""

from collections.abc import Mapping
from datetime import datetime

from billing.gateway import mapping
from billing.gateway.amounts import amount_of
from billing.gateway.calls import Calls, Params, Raw, seconds
from billing.gateway.refusals import StripeRefused
from billing.gateway.shapes import Checkout, Refund, Subscription
from billing.plans.catalogue import PlanPrice
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money


class Acts(Calls):
    """The acts of billing at Stripe."""

    async def customer(
        self,
        key: str,
        *,
        member_id: MemberId,
        email: str | None,
        country: str | None,
        clock_id: str | None = None,
    ) -> str:
        """Return the id of a new customer; `clock_id` is a test clock by which it lives."""
        asked: Raw = {"metadata": {"member_id": str(member_id)}}
        if email:
            asked["email"] = email
        if country:
            asked["address"] = {"country": country}
        if clock_id:
            asked["test_clock"] = clock_id
        return str((await self.post(key, "/v1/customers", asked))["id"])

    async def forget_customer(self, key: str, customer_id: str) -> str:
        """Delete a customer with its name, addresses and cards; its invoices stay."""
        return str((await self.ask("delete", f"/v1/customers/{customer_id}", {}, key))["id"])

    async def product(self, key: str, plan_code: str, name: str) -> str:
        """Return the id of a new product for a plan."""
        asked = {"name": name, "metadata": {"plan": plan_code}}
        return str((await self.post(key, "/v1/products", asked))["id"])

    async def price(self, key: str, product_id: str, price: PlanPrice) -> str:
        """Return the id of a new price of a product, tax included. Raises `AmountNotTaken`."""
        asked = {
            "product": product_id,
            "currency": price.money.currency.lower(),
            "unit_amount": amount_of(price.money),
            "recurring": {"interval": price.interval},
            "tax_behavior": "inclusive",
            "metadata": {"plan_no": str(price.plan_no), "price_no": str(price.no)},
        }
        return str((await self.post(key, "/v1/prices", asked))["id"])

    async def open_checkout(
        self,
        key: str,
        *,
        customer_id: str,
        price_id: str,
        trial_days: int,
        metadata: Mapping[str, str],
        success_url: str,
        cancel_url: str,
        promotion: str | None = None,
        begins: datetime | None = None,
    ) -> Checkout:
        """Open a hosted page on which a customer subscribes to a price; a trial asks for a card.

        The subscription carries `metadata` too, so that its events find their member. It is first
        charged at `begins`, if that is given, which Stripe wants two days ahead.
        """
        plan: Raw = {"metadata": dict(metadata), "billing_mode": {"type": "flexible"}}
        if begins is not None:
            plan["trial_end"] = seconds(begins)
        elif trial_days:
            plan["trial_period_days"] = trial_days
        asked: Raw = {
            "mode": "subscription",
            "customer": customer_id,
            "line_items": [{"price": price_id, "quantity": 1}],
            "subscription_data": plan,
            "payment_method_collection": "always",
            "metadata": dict(metadata),
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        if promotion:
            asked["discounts"] = [{"promotion_code": promotion}]
        return mapping.checkout_of(await self.post(key, "/v1/checkout/sessions", asked))

    async def open_payment_checkout(
        self,
        key: str,
        *,
        customer_id: str | None,
        money: Money,
        what: str,
        metadata: Mapping[str, str],
        success_url: str,
        cancel_url: str,
    ) -> Checkout:
        """Open a hosted page on which `money`, tax included, is paid once for `what`.

        Who has a card with us there is offered to pay with it: it was kept for later payments.
        """
        price = {
            "currency": money.currency.lower(),
            "unit_amount": amount_of(money),
            "tax_behavior": "inclusive",
            "product_data": {"name": what},
        }
        asked: Raw = {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "payment_intent_data": {"metadata": dict(metadata)},
            "metadata": dict(metadata),
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        if customer_id:
            asked["customer"] = customer_id
            asked["saved_payment_method_options"] = {
                "allow_redisplay_filters": ["always", "limited", "unspecified"]
            }
        return mapping.checkout_of(await self.post(key, "/v1/checkout/sessions", asked))

    async def expire_checkout(self, key: str, checkout_id: str) -> Checkout:
        """Close a hosted page that is still open; another raises `StripeRefused`."""
        path = f"/v1/checkout/sessions/{checkout_id}/expire"
        return mapping.checkout_of(await self.post(key, path, {}))

    async def portal(self, customer_id: str, return_url: str) -> str:
        """Return the address of the hosted page on which a customer keeps cards and invoices."""
        asked = {"customer": customer_id, "return_url": return_url}
        return str((await self.post(None, "/v1/billing_portal/sessions", asked))["url"])

    async def change_price(
        self, key: str, subscription: Subscription, price_id: str, *, proration_at: datetime
    ) -> Subscription:
        """Change to another price now, charging what `preview_change` at that instant said.

        If that cannot be charged, the plan stays as it is and the change waits for its payment
        (`has_pending_update`), as Stripe's `pending_if_incomplete` has it.
        """
        asked = {
            "items": [{"id": subscription.item_id, "price": price_id}],
            "payment_behavior": "pending_if_incomplete",
            "proration_behavior": "always_invoice",
            "proration_date": seconds(proration_at),
        }
        return await self._update(key, subscription.id, asked)

    async def schedule_price(self, key: str, subscription: Subscription, price_id: str) -> None:
        """Change to another price at the end of the period; an earlier schedule is written over."""
        if subscription.schedule_id is None:
            asked: Params = {"from_subscription": subscription.id}
            schedule = await self.post(f"{key}:schedule", "/v1/subscription_schedules", asked)
        else:
            schedule = await self.get(f"/v1/subscription_schedules/{subscription.schedule_id}")
        current = schedule.get("current_phase") or schedule["phases"][0]
        now: Raw = {
            "items": [{"price": subscription.price_id, "quantity": 1}],
            "start_date": current["start_date"],
            "end_date": seconds(subscription.period_end),
        }
        if (
            subscription.trial_end is not None
            and subscription.trial_end > subscription.period_start
        ):
            now["trial_end"] = seconds(subscription.trial_end)
        # The new price holds for a month at least; then the subscription goes on by itself with it.
        then = {
            "items": [{"price": price_id, "quantity": 1}],
            "duration": {"interval": "month", "interval_count": 1},
        }
        asked = {"end_behavior": "release", "proration_behavior": "none", "phases": [now, then]}
        await self.post(key, f"/v1/subscription_schedules/{schedule['id']}", asked)

    async def drop_schedule(self, key: str, subscription: Subscription) -> None:
        """Let a price that was scheduled not come; without a schedule nothing happens."""
        if subscription.schedule_id is not None:
            path = f"/v1/subscription_schedules/{subscription.schedule_id}/release"
            await self.post(key, path, {})

    async def cancel_at_period_end(
        self, key: str, subscription_id: str, *, cancel: bool
    ) -> Subscription:
        """End a subscription with its period or trial, or take that back.

        One with a schedule is refused by Stripe: drop the schedule first.
        """
        return await self._update(key, subscription_id, {"cancel_at_period_end": cancel})

    async def cancel_now(self, key: str, subscription_id: str) -> Subscription:
        """End a subscription at once, without a proration; what is given back is a `refund`.

        One that has ended already is returned as it is.
        """
        path = f"/v1/subscriptions/{subscription_id}"
        try:
            raw = await self.ask("delete", path, {}, key)
        except StripeRefused as refused:
            # Keys do not count for a DELETE: asked again after a lost answer, it finds nothing.
            if not refused.is_missing:
                raise
            raw = await self.get(path)
        return mapping.subscription_of(raw)

    async def pause(self, key: str, subscription_id: str, resumes_at: datetime) -> Subscription:
        """Charge nothing until `resumes_at`: invoices of the time between are void."""
        paused = {"behavior": "void", "resumes_at": seconds(resumes_at)}
        return await self._update(key, subscription_id, {"pause_collection": paused})

    async def put_off(
        self, key: str, subscription_id: str, until: datetime, metadata: Mapping[str, str]
    ) -> Subscription:
        """Charge next at `until`, and by periods from then on; what is paid stays as it is."""
        asked = {
            "trial_end": seconds(until),
            "proration_behavior": "none",
            "metadata": dict(metadata),
        }
        return await self._update(key, subscription_id, asked)

    async def resume(self, key: str, subscription_id: str) -> Subscription:
        """Charge again, from the next period on."""
        return await self._update(key, subscription_id, {"pause_collection": ""})

    async def refund(
        self, key: str, payment_intent_id: str, amount: Money, metadata: Mapping[str, str]
    ) -> Refund:
        """Give back a part of a payment, or all of it."""
        asked = {
            "payment_intent": payment_intent_id,
            "amount": amount_of(amount),
            "metadata": dict(metadata),
        }
        return mapping.refund_of(await self.post(key, "/v1/refunds", asked))

    async def take_credit(
        self, key: str, customer_id: str, amount: Money, metadata: Mapping[str, str]
    ) -> str:
        """Take back credit that a customer has for later invoices; return what notes it there."""
        asked = {
            "amount": amount_of(amount),
            "currency": amount.currency.lower(),
            "metadata": dict(metadata),
        }
        path = f"/v1/customers/{customer_id}/balance_transactions"
        return str((await self.post(key, path, asked))["id"])

    async def _update(self, key: str, subscription_id: str, asked: Params) -> Subscription:
        path = f"/v1/subscriptions/{subscription_id}"
        return mapping.subscription_of(await self.post(key, path, asked))
