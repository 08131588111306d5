"""What the worker asks of Stripe where nobody waits for it: what was promised, or broken off."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial

from billing.gateway import intents
from billing.gateway.client import Gateway
from billing.gateway.intents import Intent
from billing.subscriptions import put_offs
from billing.subscriptions.desk import acts
from billing.subscriptions.stretches import is_over
from coalition.kernel.money import Money

CREDIT = "take-credit"
"""Take back credit for later invoices, whose money a withdrawal gives back."""
END = "end"
"""End a subscription at once: its member has left."""
EXPIRE = "expire"
"""Close a page on which an order could still be paid."""
FORGET = "forget-customer"
"""Let Stripe forget a customer."""
FEE_BACK = "fee-back"
"""Give a family's fee back of which nothing came."""
PUT_OFF = "put-off"
"""Let a subscription be charged next when what was given has ended."""
REFUND = "refund"
STOP = "stop"
"""Let a subscription end with what is paid: the bank took a payment for it back for good."""
WITHDRAW = "withdraw"
"""The parts of a withdrawal, which go on when its process dies in between."""


async def recover(gateway: Gateway, at: datetime) -> int:
    """Ask Stripe for what is promised and was not done within two minutes; return how many were."""
    return await intents.recover(_calls(gateway), at)


def _calls(gateway: Gateway) -> Mapping[str, Callable[[Intent], Awaitable[object]]]:
    async def credit(intent: Intent) -> object:
        request = intent.request
        money = Money(request["amount_minor"], request["currency"])
        metadata = {name: request[name] for name in ("member_id", "withdrawal_id")}
        return await gateway.take_credit(intent.key, request["customer"], money, metadata)

    async def end(intent: Intent) -> object:
        return await gateway.cancel_now(intent.key, intent.request["subscription"])

    async def expire(intent: Intent) -> object:
        return await gateway.expire_checkout(intent.key, intent.request["checkout"])

    async def forget(intent: Intent) -> object:
        return await gateway.forget_customer(intent.key, intent.request["customer"])

    async def refund(intent: Intent) -> object:
        request = intent.request
        money = Money(request["amount_minor"], request["currency"])
        metadata = {name: request[name] for name in ("member_id", "withdrawal_id")}
        return await gateway.refund(intent.key, request["payment"], money, metadata)

    async def give_back(intent: Intent) -> object:
        request = intent.request
        money = Money(request["amount_minor"], request["currency"])
        metadata = {name: request[name] for name in ("member_id", "fee_id")}
        return await gateway.refund(intent.key, request["payment"], money, metadata)

    async def put_off(intent: Intent) -> object:
        request = intent.request
        until = datetime.fromisoformat(request["until"])
        metadata = put_offs.metadata_of(request)
        return await gateway.put_off(intent.key, request["subscription"], until, metadata)

    return acts.calls(gateway) | {
        PUT_OFF: put_off,
        FEE_BACK: give_back,
        CREDIT: credit,
        END: end,
        EXPIRE: expire,
        FORGET: forget,
        REFUND: refund,
        STOP: partial(_stop, gateway),
        WITHDRAW: end,
    }


async def _stop(gateway: Gateway, intent: Intent) -> object:
    one = (await gateway.picture(intent.request["subscription"])).subscription
    if is_over(one) or one.cancel_at_period_end:
        return one
    await gateway.drop_schedule(f"{intent.key}:drop", one)
    return await gateway.cancel_at_period_end(intent.key, one.id, cancel=True)
