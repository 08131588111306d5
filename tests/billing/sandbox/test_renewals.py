"""Subscriptions through their periods: first payment, month ends, trials, pauses, the end."""

import pytest

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


async def test_a_trial_costs_nothing_reminds_three_days_before_and_then_is_paid() -> None:
    shop = Shop()
    await shop.listen()
    customer, price = await shop.customer(), await shop.price(9900)
    subscription = await shop.subscribe(customer, price, trial_period_days=14)
    assert subscription.status == "trialing"
    assert day(subscription.trial_end) == "2027-02-14"
    (first,) = await shop.invoices(subscription.id)
    assert (first.status, first.total) == ("paid", 0)
    await shop.told()
    await shop.advance(days=10, hours=23)
    assert await shop.told() == []
    await shop.advance(hours=1)
    assert await shop.told() == ["customer.subscription.trial_will_end"]
    await shop.advance(days=3)
    subscription = await shop.again(subscription)
    assert subscription.status == "active"
    assert day(subscription["items"].data[0].current_period_end) == "2027-03-14"
    assert await shop.told() == ["invoice.created", "customer.subscription.updated"]
    await shop.advance(hours=1)
    charged = (await shop.invoices(subscription.id))[-1]
    assert (charged.status, charged.total, charged.billing_reason) == (
        "paid",
        9900,
        "subscription_cycle",
    )


async def test_a_trial_without_a_card_pauses_when_it_was_made_so_and_resumes_by_request() -> None:
    shop = Shop()
    await shop.listen()
    customer, price = await shop.customer(card=None), await shop.price(9900)
    ends = {"end_behavior": {"missing_payment_method": "pause"}}
    subscription = await shop.subscribe(customer, price, trial_period_days=7, trial_settings=ends)
    await shop.advance(days=7)
    assert (await shop.again(subscription)).status == "paused"
    assert "customer.subscription.paused" in await shop.told()
    await shop.keep_card(customer, "pm_card_visa")
    resumed = await shop.client.subscriptions.resume_async(subscription.id)
    assert resumed.status == "active"
    assert (await shop.invoices(subscription.id))[-1].status == "paid"


async def test_an_ended_trial_is_charged_at_once() -> None:
    shop = Shop()
    customer, price = await shop.customer(), await shop.price(9900)
    subscription = await shop.subscribe(customer, price, trial_period_days=14)
    await shop.advance(days=2)
    after = await shop.update(subscription.id, trial_end="now")
    assert after.status == "active"
    assert day(after["items"].data[0].current_period_start) == "2027-02-02"
    assert [invoice.total for invoice in await shop.invoices(subscription.id)] == [0, 9900]


async def test_a_renewal_is_announced_a_week_before() -> None:
    shop = Shop()
    await shop.listen()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    await shop.told()
    await shop.advance(days=21)
    (delivery,) = shop.mailbox.deliveries
    assert delivery.event_type == "invoice.upcoming"
    preview = await shop.client.invoices.create_preview_async({"subscription": subscription.id})
    assert (preview.total, day(preview.lines.data[0].period.start)) == (9900, "2027-02-28")


async def test_who_cancels_keeps_the_period_and_may_stay_after_all() -> None:
    shop = Shop()
    await shop.listen()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    leaving = await shop.update(subscription.id, cancel_at_period_end=True)
    assert (leaving.status, day(leaving.cancel_at)) == ("active", "2027-02-28")
    staying = await shop.update(subscription.id, cancel_at_period_end=False)
    assert (staying.cancel_at, staying.canceled_at) == (None, None)
    await shop.update(subscription.id, cancel_at_period_end=True)
    await shop.told()
    await shop.advance(days=40)
    gone = await shop.again(subscription)
    assert (gone.status, day(gone.ended_at)) == ("canceled", "2027-02-28")
    assert await shop.told() == ["customer.subscription.deleted"]
    assert len(await shop.invoices(subscription.id)) == 1


async def test_cancelled_at_once_with_credit_for_the_rest() -> None:
    shop = Shop()
    customer, price = await shop.customer(), await shop.price(2800)
    subscription = await shop.subscribe(customer, price)
    await shop.advance(days=7)
    gone = await shop.client.subscriptions.cancel_async(
        subscription.id, {"prorate": True, "invoice_now": True}
    )
    assert gone.status == "canceled"
    assert (await shop.invoices(subscription.id))[-1].total == -2100
    assert (await shop.client.customers.retrieve_async(customer)).balance == -2100


async def test_paused_collection_makes_void_invoices_and_ends_by_itself_or_when_unset() -> None:
    shop = Shop()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    until = int(shop.sandbox.now().timestamp()) + 45 * 86_400
    paused = await shop.update(
        subscription.id, pause_collection={"behavior": "void", "resumes_at": until}
    )
    assert paused.status == "active"
    await shop.advance(days=40)
    await shop.advance(days=20)
    statuses = [invoice.status for invoice in await shop.invoices(subscription.id)]
    assert statuses == ["paid", "void", "paid"]
    assert (await shop.again(subscription)).pause_collection is None
    await shop.update(subscription.id, pause_collection={"behavior": "keep_as_draft"})
    assert (await shop.update(subscription.id, pause_collection="")).pause_collection is None


async def test_a_coupon_holds_for_its_months_and_one_use_for_one_invoice() -> None:
    shop = Shop()
    half = await shop.client.coupons.create_async(
        {"percent_off": 50, "duration": "repeating", "duration_in_months": 2}
    )
    once = await shop.client.coupons.create_async(
        {"amount_off": 1000, "currency": "sek", "duration": "once"}
    )
    price = await shop.price(9900)
    lasting = await shop.subscribe(await shop.customer(), price, discounts=[{"coupon": half.id}])
    single = await shop.subscribe(await shop.customer(), price, discounts=[{"coupon": once.id}])
    await shop.advance(days=62)
    assert [one.total for one in await shop.invoices(lasting.id)] == [4950, 4950, 9900]
    assert [one.total for one in await shop.invoices(single.id)] == [8900, 9900, 9900]


async def test_tax_is_a_part_of_the_price() -> None:
    shop = Shop()
    price = await shop.price(12500, tax_behavior="inclusive")
    customer = await shop.customer(address={"country": "SE"})
    subscription = await shop.subscribe(customer, price, automatic_tax={"enabled": True})
    (invoice,) = await shop.invoices(subscription.id)
    assert invoice.total_taxes is not None
    assert (invoice.total, invoice.total_excluding_tax, invoice.total_taxes[0].amount) == (
        12500,
        10000,
        2500,
    )


@pytest.mark.parametrize(
    ("behavior", "status"), [("keep_as_draft", "draft"), ("mark_uncollectible", "uncollectible")]
)
async def test_invoices_of_a_pause_are_kept_or_given_up_as_asked(
    behavior: str, status: str
) -> None:
    shop = Shop()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    await shop.update(subscription.id, pause_collection={"behavior": behavior})
    await shop.advance(days=29)
    assert [one.status for one in await shop.invoices(subscription.id)] == ["paid", status]


async def test_a_trial_without_a_card_is_cancelled_when_it_was_made_so() -> None:
    shop = Shop()
    subscription = await shop.subscribe(
        await shop.customer(card=None),
        await shop.price(9900),
        trial_period_days=2,
        trial_settings={"end_behavior": {"missing_payment_method": "cancel"}},
    )
    await shop.advance(days=2)
    assert (await shop.again(subscription)).status == "canceled"
    assert len(await shop.invoices(subscription.id)) == 1
