"""What became of a page on which somebody paid: of an order, a gift or a fee."""

from datetime import datetime

from billing.subscriptions import checkouts, gift_paying, gifts
from billing.subscriptions.fees import paying as fees
from billing.subscriptions.handling import Handler
from billing.subscriptions.house import House


async def look(house: House, checkout_id: str, at: datetime) -> None:
    """Write down what Stripe says of a page; one that is none of ours is let be."""
    page = await house.gateway.checkout(checkout_id)
    if "gift_id" in page.metadata:
        await gifts.settle(house, page, at=at)
    elif "fee_id" in page.metadata:
        await fees.settle(house, page, at=at)
    elif "order_id" in page.metadata:
        await checkouts.settle(house, checkout_id, at=at)


def handler(house: House) -> Handler:
    """Return what handles the targets of events for this house."""

    async def checkout(checkout_id: str, at: datetime) -> None:
        await look(house, checkout_id, at)

    async def payment(payment_id: str, at: datetime) -> None:
        await gift_paying.look(house.gateway, payment_id, at)

    return Handler(house.gateway, checkouts=checkout, payments=payment)
