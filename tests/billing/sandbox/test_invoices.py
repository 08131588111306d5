"""Invoices by request: finalised early, paid elsewhere, given up; their lines, lists, previews."""

from typing import Any

import pytest
import stripe

from tests.billing.sandbox.shop import Shop, day

FAILS_LATER = "pm_card_chargeCustomerFail"


async def late(shop: Shop) -> tuple[stripe.Subscription, str]:
    """Return a subscription that is past due, and its open invoice."""
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, await shop.price(9900))
    await shop.keep_card(customer, FAILS_LATER)
    await shop.advance(days=28, hours=1)
    invoice = (await shop.invoices(subscription.id))[-1]
    assert invoice.id is not None
    return subscription, invoice.id


async def preview(shop: Shop, **wish: Any) -> stripe.Invoice:
    given: Any = wish
    return await shop.client.invoices.create_preview_async(given)


async def test_a_draft_may_be_finalised_before_its_hour() -> None:
    shop = Shop()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    await shop.advance(days=28)
    draft = (await shop.invoices(subscription.id))[-1]
    assert draft.id is not None
    assert (draft.status, draft.number) == ("draft", None)
    final = await shop.client.invoices.finalize_invoice_async(draft.id)
    assert final.status == "open"
    assert str(final.number).endswith("-0002")
    assert (await shop.client.invoices.retrieve_async(draft.id)).status == "paid"
    with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
        await shop.client.invoices.finalize_invoice_async(draft.id)


async def test_a_draft_that_is_paid_is_finalised_first_and_a_paid_one_not_paid_again() -> None:
    shop = Shop()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    await shop.advance(days=28)
    draft = (await shop.invoices(subscription.id))[-1]
    assert draft.id is not None
    assert (await shop.client.invoices.pay_async(draft.id)).status == "paid"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        await shop.client.invoices.pay_async(draft.id)
    with pytest.raises(stripe.InvalidRequestError, match="open invoice"):
        await shop.client.invoices.void_invoice_async(draft.id)


async def test_an_open_invoice_is_paid_elsewhere_or_given_up() -> None:
    shop = Shop()
    subscription, invoice = await late(shop)
    paid = await shop.client.invoices.pay_async(invoice, {"paid_out_of_band": True})
    assert (paid.status, (await shop.again(subscription)).status) == ("paid", "active")
    other, invoice = await late(shop)
    given_up = await shop.client.invoices.mark_uncollectible_async(invoice)
    assert (given_up.status, (await shop.again(other)).status) == ("uncollectible", "active")


async def test_without_any_card_a_renewal_fails() -> None:
    shop = Shop()
    customer = await shop.customer(card=None)
    price = await shop.price(9900)
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        await shop.subscribe(customer, price)
    trial = await shop.subscribe(customer, price, trial_period_days=3)
    await shop.advance(days=3, hours=1)
    assert (await shop.again(trial)).status == "past_due"


async def test_invoices_change_their_notes_and_are_listed_by_state() -> None:
    shop = Shop()
    subscription, invoice = await late(shop)
    invoices = shop.client.invoices
    method = await shop.client.payment_methods.create_async(
        {"type": "card", "card": {"token": "tok_visa"}}
    )
    changed = await invoices.update_async(
        invoice,
        {
            "metadata": {"seen": "yes"},
            "description": "February",
            "auto_advance": False,
            "default_payment_method": method.id,
        },
    )
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"seen": "yes"}
    wish: Any = {"customer": subscription.customer, "status": "open"}
    assert [one.id for one in (await invoices.list_async(wish)).data] == [invoice]
    payments = await shop.client.invoice_payments.list_async({"invoice": invoice})
    assert [payment.status for payment in payments.data] == ["open"]
    payment = await shop.client.invoice_payments.retrieve_async(payments.data[0].id)
    found = await shop.client.invoice_payments.list_async(
        {
            "payment": {
                "type": "payment_intent",
                "payment_intent": str(payment.payment.payment_intent),
            }
        }
    )
    assert [one.id for one in found.data] == [payment.id]
    secret = await invoices.retrieve_async(invoice, {"expand": ["confirmation_secret"]})
    assert secret.confirmation_secret is not None
    assert secret.confirmation_secret.client_secret.startswith(str(payment.payment.payment_intent))


async def test_an_invoice_shows_ten_lines_and_lists_all() -> None:
    shop = Shop()
    prices = [await shop.price(100 + number) for number in range(12)]
    customer = await shop.customer()
    items: Any = [{"price": price} for price in prices]
    made = await shop.client.subscriptions.create_async({"customer": customer, "items": items})
    (invoice,) = await shop.invoices(made.id)
    assert invoice.id is not None
    assert (len(invoice.lines.data), invoice.lines.has_more) == (10, True)
    page = await shop.client.invoices.line_items.list_async(invoice.id, {"limit": 7})
    rest = await shop.client.invoices.line_items.list_async(
        invoice.id, {"limit": 7, "starting_after": page.data[-1].id}
    )
    assert [line.amount for line in (*page.data, *rest.data)] == list(range(100, 112))
    assert (page.has_more, rest.has_more) == (True, False)
    with pytest.raises(stripe.InvalidRequestError, match="No such line_item"):
        await shop.client.invoices.line_items.list_async(invoice.id, {"starting_after": "il_no"})


async def test_a_preview_with_a_coupon_takes_nothing_up() -> None:
    shop = Shop()
    coupon = await shop.client.coupons.create_async({"percent_off": 25, "duration": "once"})
    subscription = await shop.subscribe(await shop.customer(), await shop.price(10000))
    shown = await preview(shop, subscription=subscription.id, discounts=[{"coupon": coupon.id}])
    assert shown.total == 7500
    assert (await shop.client.coupons.retrieve_async(coupon.id)).times_redeemed == 0


async def test_previews_of_a_start_a_stop_and_a_change_that_waits() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600)
    customer = await shop.customer()
    first = await preview(
        shop, customer=customer, subscription_details={"items": [{"price": small}]}
    )
    assert (first.total, first.billing_reason) == (2800, "subscription_create")
    until = int(shop.start.timestamp()) + 7 * 86_400
    trial = await preview(
        shop,
        customer=customer,
        subscription_details={"items": [{"price": small}], "trial_end": until},
    )
    assert (trial.total, day(trial.lines.data[0].period.end)) == (0, "2027-02-07")
    subscription = await shop.subscribe(customer, small)
    await shop.advance(days=14)
    stop = await preview(
        shop, subscription=subscription.id, subscription_details={"cancel_now": True}
    )
    assert (stop.total, stop.amount_due, stop.ending_balance) == (-1400, 0, -1400)
    item = subscription["items"].data[0].id
    waits = await preview(
        shop,
        subscription=subscription.id,
        subscription_details={"items": [{"id": item, "price": big}]},
    )
    assert [line.amount for line in waits.lines.data] == [-1400, 2800, 5600]


async def test_what_ends_has_no_next_invoice() -> None:
    shop = Shop()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    await shop.update(subscription.id, cancel_at_period_end=True)
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as error:
            await preview(shop, subscription=subscription.id)
        assert error.value.code == "invoice_upcoming_none"
        await shop.client.subscriptions.cancel_async(subscription.id) if _ == 0 else None


async def test_tax_rates_lie_within_or_upon_a_price() -> None:
    shop = Shop()
    rates = shop.client.tax_rates
    within = await rates.create_async(
        {"display_name": "Moms", "percentage": 25, "inclusive": True, "country": "SE"}
    )
    upon = await rates.create_async(
        {"display_name": "Sales tax", "percentage": 8.875, "inclusive": False}
    )
    assert (await rates.retrieve_async(upon.id)).percentage == 8.875
    assert len((await rates.list_async({"active": True})).data) == 2
    price = await shop.price(10000)
    first = await shop.subscribe(await shop.customer(), price, default_tax_rates=[within.id])
    assert first.default_tax_rates is not None
    assert first.default_tax_rates[0].display_name == "Moms"
    second = await shop.subscribe(await shop.customer(), price, default_tax_rates=[upon.id])
    amounts = [
        (invoice.total, invoice.total_excluding_tax)
        for subscription in (first, second)
        for invoice in await shop.invoices(subscription.id)
    ]
    assert amounts == [(10000, 8000), (10888, 10000)]
    await shop.update(first.id, default_tax_rates="")
    await shop.advance(days=28, hours=1)
    assert (await shop.invoices(first.id))[-1].total_taxes == []
