"""Checkout: what its page sells, declines, authenticates and completes."""

from typing import Any

import httpx
import pytest
import stripe

from tests.billing.sandbox.shop import Shop, day

PAYS = "4242 4242 4242 4242"
WANTS_3DS = "4000 0027 6000 3184"
DECLINES = "4000 0000 0000 0002"


async def opened(shop: Shop, **more: Any) -> stripe.checkout.Session:
    wish: Any = {
        "mode": "subscription",
        "success_url": "http://shop.test/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://shop.test/plans",
        **more,
    }
    return await shop.client.checkout.sessions.create_async(wish)


async def sold(shop: Shop, **more: Any) -> stripe.checkout.Session:
    """Open a session for a monthly plan."""
    items = [{"price": await shop.price(9900), "quantity": 1}]
    return await opened(shop, line_items=items, **more)


async def pay(shop: Shop, session: str, number: str = PAYS, **more: str) -> httpx.Response:
    form = {"action": "pay", "number": number, "expiry": "12 / 34", "cvc": "123"}
    form |= {"email": "anna@example.org", **more}
    return await shop.browser.post(f"/checkout/{session}", data=form)


async def walk(shop: Shop, answer: httpx.Response) -> httpx.Response:
    """Follow the redirects of a browser within the sandbox."""
    while answer.is_redirect:
        there = answer.url.join(answer.headers["location"])
        if there.host != "sandbox":
            return httpx.Response(200, text=str(there), request=answer.request)
        answer = await shop.browser.get(there)
    return answer


async def again(shop: Shop, session: stripe.checkout.Session) -> stripe.checkout.Session:
    return await shop.client.checkout.sessions.retrieve_async(
        session.id, {"expand": ["line_items", "subscription"]}
    )


async def test_a_plan_is_bought_and_the_browser_sent_back() -> None:
    shop = Shop()
    await shop.listen()
    customer = await shop.customer(card=None)
    session = await sold(
        shop, customer=customer, subscription_data={"metadata": {"member_id": "7"}}
    )
    assert (session.status, session.payment_status, session.amount_total) == (
        "open",
        "unpaid",
        9900,
    )
    page = await shop.browser.get(f"/checkout/{session.id}")
    assert "Subscribe to Plus" in page.text
    assert "Pay 99.00 SEK" in page.text
    assert "form-action 'self' http://shop.test" in page.headers["content-security-policy"]
    await shop.told()
    back = await walk(shop, await pay(shop, session.id))
    assert back.text == f"http://shop.test/done?session={session.id}"
    done = await again(shop, session)
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    subscription = done.subscription
    assert isinstance(subscription, stripe.Subscription)
    assert (subscription.status, subscription.metadata.to_dict()) == ("active", {"member_id": "7"})
    assert subscription.default_payment_method is not None
    told = await shop.told()
    assert told[0] == "customer.subscription.created"
    assert told.index("invoice.paid") < told.index("checkout.session.completed")
    assert (await walk(shop, await shop.browser.get(f"/checkout/{session.id}"))).text == back.text


async def test_a_declined_card_is_told_and_another_one_pays_for_the_same_subscription() -> None:
    shop = Shop()
    await shop.listen()
    customer = await shop.customer(card=None)
    session = await sold(shop, customer=customer)
    refused = await pay(shop, session.id, DECLINES)
    assert "Your card was declined." in refused.text
    assert "anna@example.org" in refused.text
    assert (await shop.told())[-4:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.updated",
        "invoice.payment_failed",
    ]
    assert "4000 0000 0000 0002" in refused.text
    assert (await again(shop, session)).status == "open"
    await pay(shop, session.id)
    assert (await again(shop, session)).status == "complete"
    found = await shop.client.subscriptions.list_async({"customer": customer, "status": "all"})
    assert [one.status for one in found.data] == ["active"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"number": "4242 4242 4242 4241"}, "card number is incorrect"),
        ({"number": "4111 1111 1111 1111"}, "test cards of Stripe alone"),
        ({"expiry": "01 / 20"}, "expiration year is in the past"),
        ({"expiry": "13 / 34"}, "expiration month is invalid"),
        ({"cvc": "1"}, "security code is invalid"),
        ({"name": "<script>", "cvc": ""}, "&lt;script&gt;"),
    ],
    ids=["number", "real", "past", "month", "code", "escaped"],
)
async def test_what_is_typed_wrongly_is_told_and_shown_escaped(
    typed: dict[str, str], told: str
) -> None:
    shop = Shop()
    session = await sold(shop, customer=await shop.customer(card=None))
    answer = await pay(shop, session.id, **{"number": PAYS, **typed})
    assert told in answer.text
    assert "<script>" not in answer.text


async def test_3d_secure_completes_the_session_or_leaves_it_open() -> None:
    shop = Shop()
    session = await sold(shop, customer=await shop.customer(card=None))
    challenge = await walk(shop, await pay(shop, session.id, WANTS_3DS))
    assert challenge.url.path.startswith("/3ds/pi_")
    failed = await shop.browser.post(challenge.url, data={"outcome": "fail"})
    assert "unable to authenticate" in (await walk(shop, failed)).text
    assert (await again(shop, session)).status == "open"
    challenge = await walk(shop, await pay(shop, session.id, WANTS_3DS))
    done = await shop.browser.post(challenge.url, data={"outcome": "complete"})
    assert (await walk(shop, done)).text.startswith("http://shop.test/done")
    assert (await again(shop, session)).payment_status == "paid"


@pytest.mark.parametrize("number", [PAYS, WANTS_3DS])
async def test_a_trial_keeps_the_card_and_charges_it_after(number: str) -> None:
    shop = Shop()
    session = await sold(
        shop,
        customer=await shop.customer(card=None),
        subscription_data={"trial_period_days": 30},
    )
    assert session.amount_total == 0
    page = await shop.browser.get(f"/checkout/{session.id}")
    assert "Start the trial" in page.text
    assert "Then 99.00 SEK per month" in page.text
    there = await walk(shop, await pay(shop, session.id, number))
    if there.url.path.startswith("/3ds/"):
        await shop.browser.post(there.url, data={"outcome": "complete"})
    done = await again(shop, session)
    assert (done.status, done.payment_status) == ("complete", "no_payment_required")
    subscription = done.subscription
    assert isinstance(subscription, stripe.Subscription)
    assert (subscription.status, day(subscription.trial_end)) == ("trialing", "2027-03-02")
    await shop.advance(days=30, hours=1)
    expected = "active" if number == PAYS else "past_due"
    assert (await shop.again(subscription)).status == expected


async def test_a_trial_may_begin_without_a_card() -> None:
    shop = Shop()
    session = await sold(
        shop,
        customer=await shop.customer(card=None),
        payment_method_collection="if_required",
        subscription_data={"trial_period_days": 7},
    )
    await shop.browser.post(f"/checkout/{session.id}", data={"action": "pay"})
    assert (await again(shop, session)).status == "complete"


async def test_a_promotion_code_takes_off_what_it_says() -> None:
    shop = Shop()
    coupon = await shop.client.coupons.create_async({"percent_off": 20, "duration": "once"})
    await shop.client.promotion_codes.create_async(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HELLO"}
    )
    session = await sold(shop, customer=await shop.customer(card=None), allow_promotion_codes=True)
    wrong = await shop.browser.post(
        f"/checkout/{session.id}", data={"action": "promotion", "code": "NOPE"}
    )
    assert "This code is not valid." in wrong.text
    form = {"action": "promotion", "code": "hello"}
    right = await walk(shop, await shop.browser.post(f"/checkout/{session.id}", data=form))
    assert "Pay 79.20 SEK" in right.text
    await pay(shop, session.id)
    done = await again(shop, session)
    assert done.amount_total == 7920
    assert isinstance(done.subscription, stripe.Subscription)
    (invoice,) = await shop.invoices(done.subscription.id)
    assert invoice.amount_paid == 7920


async def test_a_gift_is_paid_once_without_a_customer() -> None:
    shop = Shop()
    await shop.listen()
    price: Any = {
        "currency": "sek",
        "unit_amount": 59900,
        "product_data": {"name": "Plus for half a year"},
    }
    session = await opened(
        shop,
        mode="payment",
        line_items=[{"price_data": price, "quantity": 1}],
        payment_intent_data={"metadata": {"gift": "g1"}},
        metadata={"gift": "g1"},
    )
    assert session.currency == "sek"
    await pay(shop, session.id)
    done = await again(shop, session)
    assert (done.status, done.payment_status, done.customer) == ("complete", "paid", None)
    assert isinstance(done.payment_intent, str)
    intent = await shop.client.payment_intents.retrieve_async(done.payment_intent)
    assert (intent.amount_received, intent.metadata.to_dict()) == (59900, {"gift": "g1"})
    assert done.customer_details is not None
    assert done.customer_details.email == "anna@example.org"
    assert (await shop.told())[-1] == "checkout.session.completed"


async def test_a_card_is_kept_for_later() -> None:
    shop = Shop()
    customer = await shop.customer(card=None)
    session = await opened(shop, mode="setup", customer=customer, currency="sek")
    await pay(shop, session.id)
    assert (await again(shop, session)).setup_intent is not None
    methods = await shop.client.customers.payment_methods.list_async(customer)
    assert len(methods.data) == 1


async def test_a_session_ends_after_a_day_or_by_request() -> None:
    shop = Shop()
    await shop.listen()
    first, second = await sold(shop), await sold(shop)
    closed = await shop.client.checkout.sessions.expire_async(first.id)
    assert (closed.status, closed.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError, match="has a status of expired"):
        await shop.client.checkout.sessions.expire_async(first.id)
    await shop.told()
    await shop.advance(days=1)
    assert await shop.told() == ["checkout.session.expired"]
    assert (await again(shop, second)).status == "expired"
    assert "has expired" in (await pay(shop, second.id)).text


async def test_a_form_of_another_site_is_refused() -> None:
    shop = Shop()
    session = await sold(shop)
    answer = await shop.browser.post(
        f"/checkout/{session.id}", headers={"sec-fetch-site": "cross-site"}
    )
    assert answer.status_code == 403
