"""What is too little to be charged waits on the customer's balance for the next invoice."""

from tests.billing.sandbox.shop import Shop


async def test_an_invoice_of_too_little_is_paid_at_once_and_owed_with_the_next() -> None:
    shop = Shop()
    cheap, dear = await shop.price(7_900), await shop.price(8_100)
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, cheap)
    at = int(shop.sandbox.now().timestamp())
    preview = await shop.preview(subscription, dear, at)
    assert (preview.amount_due, preview.total, preview.ending_balance) == (0, 200, 200)
    await shop.swap(subscription, dear, proration_date=at)
    first, second = await shop.invoices(subscription.id)
    assert (second.status, second.total, second.amount_due, second.amount_paid) == (
        *("paid", 200),
        *(0, 0),
    )
    assert (await shop.client.customers.retrieve_async(customer)).balance == 200
    await shop.advance(days=32)
    third = (await shop.invoices(subscription.id))[-1]
    assert (third.starting_balance, third.amount_due, third.amount_paid) == (200, 8_300, 8_300)
    assert (await shop.client.customers.retrieve_async(customer)).balance == 0
    charges = await shop.client.charges.list_async({"customer": customer})
    assert sum(each.amount for each in charges.data) == first.amount_paid + 8_300
