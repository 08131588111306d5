"""Subscriptions through their periods: first payment, month ends, trials, pauses, the end."""

from tests.billing.sandbox.shop import Shop, day


async def test_a_subscription_is_paid_at_once_and_runs() -> None:
    shop = Shop()
    await shop.listen()
    customer = await shop.customer()
    price = await shop.price(9900)
    await shop.told()
    subscription = await shop.subscribe(customer, price, metadata={"member_id": "m1"})
    assert subscription.status == "active"
    item = subscription["items"].data[0]
    assert (day(item.current_period_start), day(item.current_period_end)) == (
        "2027-01-31",
        "2027-02-28",
    )
    (invoice,) = await shop.invoices(subscription.id)
    assert (invoice.status, invoice.total, invoice.amount_paid) == ("paid", 9900, 9900)
    assert invoice.parent is not None
    details = invoice.parent.subscription_details
    assert details is not None
    assert details.subscription == subscription.id
    assert details.metadata is not None
    assert details.metadata.to_dict() == {"member_id": "m1"}
    assert invoice.payments is not None
    assert invoice.payments.data[0].payment.payment_intent is not None
    assert await shop.told() == [
        "customer.subscription.created",
        "invoice.created",
        "payment_intent.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "customer.subscription.updated",
        "invoice.payment_succeeded",
    ]


async def test_twelve_renewals_keep_to_the_last_days_of_months() -> None:
    shop = Shop()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    await shop.advance(days=365)
    invoices = await shop.invoices(subscription.id)
    assert [invoice.status for invoice in invoices] == ["paid"] * 12 + ["draft"]
    starts = [day(invoice.lines.data[0].period.start) for invoice in invoices]
    assert starts == [
        *("2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30"),
        *("2027-07-31", "2027-08-31", "2027-09-30", "2027-10-31", "2027-11-30", "2027-12-31"),
        "2028-01-31",
    ]
    await shop.advance(hours=1)
    assert (await shop.invoices(subscription.id))[-1].status == "paid"
