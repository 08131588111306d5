"""Payments that fail: at the start, at a renewal, recovered, or never."""

import pytest
import stripe

from billing.sandbox.dunning import Timetable
from billing.sandbox.engine import invoicing
from tests.billing.sandbox.shop import Shop, day

FAILS_LATER = "pm_card_chargeCustomerFail"
WANTS_3DS = "pm_card_authenticationRequired"


async def test_a_declined_start_is_incomplete_and_expires_after_23_hours() -> None:
    shop = Shop()
    await shop.listen()
    price = await shop.price(9900)
    subscription = await shop.subscribe(await shop.customer(FAILS_LATER), price)
    assert subscription.status == "incomplete"
    (invoice,) = await shop.invoices(subscription.id)
    assert (invoice.status, invoice.attempt_count, invoice.next_payment_attempt) == (
        "open",
        1,
        None,
    )
    await shop.told()
    await shop.advance(hours=22, minutes=59)
    assert (await shop.again(subscription)).status == "incomplete"
    await shop.advance(minutes=1)
    assert (await shop.again(subscription)).status == "incomplete_expired"
    assert (await shop.invoices(subscription.id))[0].status == "void"
    assert await shop.told() == [
        "customer.subscription.updated",
        "payment_intent.canceled",
        "invoice.voided",
    ]


async def test_a_start_that_must_be_complete_leaves_nothing_when_declined() -> None:
    shop = Shop()
    customer, price = await shop.customer(FAILS_LATER), await shop.price(9900)
    with pytest.raises(stripe.CardError) as error:
        await shop.subscribe(customer, price, payment_behavior="error_if_incomplete")
    assert error.value.code == "card_declined"
    found = await shop.client.subscriptions.list_async({"customer": customer, "status": "all"})
    assert found.data == []


async def test_a_start_that_waits_for_its_payment_runs_once_the_intent_succeeds() -> None:
    shop = Shop()
    customer, price = await shop.customer(card=None), await shop.price(9900)
    subscription = await shop.subscribe(customer, price, payment_behavior="default_incomplete")
    assert subscription.status == "incomplete"
    (invoice,) = await shop.invoices(subscription.id)
    assert invoice.payments is not None
    intent = invoice.payments.data[0].payment.payment_intent
    assert isinstance(intent, str)
    await shop.client.payment_intents.confirm_async(intent, {"payment_method": "pm_card_visa"})
    assert (await shop.again(subscription)).status == "active"


async def test_a_card_that_wants_its_holder_starts_after_3d_secure() -> None:
    shop = Shop()
    await shop.listen()
    customer, price = await shop.customer(WANTS_3DS), await shop.price(9900)
    subscription = await shop.subscribe(customer, price)
    assert subscription.status == "incomplete"
    assert "invoice.payment_action_required" in await shop.told()
    (invoice,) = await shop.invoices(subscription.id)
    assert invoice.payments is not None
    intent = invoice.payments.data[0].payment.payment_intent
    await shop.browser.post(f"/3ds/{intent}", data={"outcome": "complete"})
    assert (await shop.again(subscription)).status == "active"
    assert (await shop.told())[-3:] == [
        "invoice.paid",
        "customer.subscription.updated",
        "invoice.payment_succeeded",
    ]


async def test_a_failed_renewal_is_tried_on_days_1_3_5_and_7_and_then_cancelled() -> None:
    shop = Shop()
    await shop.listen()
    customer, price = await shop.customer(), await shop.price(9900)
    subscription = await shop.subscribe(customer, price)
    await shop.keep_card(customer, FAILS_LATER)
    await shop.advance(days=28, hours=1)
    assert (await shop.again(subscription)).status == "past_due"
    attempts = []
    for _ in range(4):
        invoice = (await shop.invoices(subscription.id))[-1]
        attempts.append((invoice.attempt_count, day(invoice.next_payment_attempt)))
        await shop.advance(days=1 if not attempts[1:] else 2)
    assert attempts == [
        (1, "2027-03-01"),
        (2, "2027-03-03"),
        (3, "2027-03-05"),
        (4, "2027-03-07"),
    ]
    gone = await shop.again(subscription)
    assert (gone.status, day(gone.ended_at)) == ("canceled", "2027-03-07")
    assert gone.cancellation_details is not None
    assert gone.cancellation_details.reason == "payment_failed"
    invoice = (await shop.invoices(subscription.id))[-1]
    assert (invoice.status, invoice.attempt_count, invoice.next_payment_attempt) == (
        "open",
        5,
        None,
    )
    assert (await shop.told())[-1] == "customer.subscription.deleted"


@pytest.mark.parametrize("last_resort", ["unpaid", "past_due"])
async def test_an_account_may_keep_who_does_not_pay(last_resort: str) -> None:
    shop = Shop()
    with shop.sandbox.store.transaction() as transaction:
        world = shop.sandbox.world(transaction)
        invoicing.set_timetable(world, Timetable((1,), last_resort))  # type: ignore[arg-type]  # both are words of it
    customer, price = await shop.customer(), await shop.price(9900)
    subscription = await shop.subscribe(customer, price)
    await shop.keep_card(customer, FAILS_LATER)
    await shop.advance(days=31)
    assert (await shop.again(subscription)).status == last_resort


async def test_a_new_card_recovers_a_failed_renewal_at_the_next_try() -> None:
    shop = Shop()
    customer, price = await shop.customer(), await shop.price(9900)
    subscription = await shop.subscribe(customer, price)
    await shop.keep_card(customer, FAILS_LATER)
    await shop.advance(days=28, hours=2)
    await shop.keep_card(customer, "pm_card_visa")
    assert (await shop.again(subscription)).status == "past_due"
    await shop.advance(days=1)
    assert (await shop.again(subscription)).status == "active"
    paid = (await shop.invoices(subscription.id))[-1]
    assert (paid.status, paid.attempt_count) == ("paid", 2)


async def test_an_open_invoice_is_paid_by_request_and_a_void_one_is_forgiven() -> None:
    shop = Shop()
    customer, price = await shop.customer(), await shop.price(9900)
    subscription = await shop.subscribe(customer, price)
    await shop.keep_card(customer, FAILS_LATER)
    await shop.advance(days=28, hours=2)
    late = (await shop.invoices(subscription.id))[-1]
    assert late.id is not None
    with pytest.raises(stripe.CardError):
        await shop.client.invoices.pay_async(late.id)
    paid = await shop.client.invoices.pay_async(late.id, {"payment_method": "pm_card_visa"})
    assert paid.status == "paid"
    assert (await shop.again(subscription)).status == "active"
    await shop.advance(days=31, hours=2)
    late = (await shop.invoices(subscription.id))[-1]
    assert late.id is not None
    assert (await shop.again(subscription)).status == "past_due"
    assert (await shop.client.invoices.void_invoice_async(late.id)).status == "void"
    assert (await shop.again(subscription)).status == "active"
