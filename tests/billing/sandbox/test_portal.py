"""The portal, the page of an invoice and the time machine, as a browser uses them."""

from typing import Any

import httpx
import pytest
import stripe

from tests.billing.sandbox.shop import Shop, day

FAILS_LATER = "pm_card_chargeCustomerFail"
CARD = {"number": "4242 4242 4242 4242", "expiry": "12/34", "cvc": "123"}


async def entered(shop: Shop, customer: str, **more: Any) -> str:
    """Return the path of a portal session."""
    wish: Any = {"customer": customer, "return_url": "http://shop.test/me", **more}
    session = await shop.client.billing_portal.sessions.create_async(wish)
    assert session.url.endswith(f"/portal/{session.id}")
    return f"/portal/{session.id}"


async def press(shop: Shop, path: str, **form: str) -> httpx.Response:
    """Send a form and follow the way on within the sandbox."""
    answer = await shop.browser.post(path, data=form)
    while answer.is_redirect:
        answer = await shop.browser.get(answer.url.join(answer.headers["location"]))
    return answer


async def test_a_customer_leaves_and_stays_in_two_clicks() -> None:
    shop = Shop()
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, await shop.price(9900))
    path = await entered(shop, customer)
    page = await shop.browser.get(path)
    assert "Charged again on 28 Feb 2027." in page.text
    assert "Visa ending in 4242" in page.text
    left = await press(shop, path, action="cancel", subscription=subscription.id)
    assert "Ends on 28 Feb 2027" in left.text
    assert (await shop.again(subscription)).cancel_at_period_end
    stays = await press(shop, path, action="keep", subscription=subscription.id)
    assert "You stay." in stays.text
    assert not (await shop.again(subscription)).cancel_at_period_end


async def test_nobody_leaves_for_somebody_else() -> None:
    shop = Shop()
    price = await shop.price(9900)
    subscription = await shop.subscribe(await shop.customer(), price)
    path = await entered(shop, await shop.customer())
    answer = await press(shop, path, action="cancel", subscription=subscription.id)
    assert "There is no such membership." in answer.text
    assert not (await shop.again(subscription)).cancel_at_period_end


async def test_a_new_card_in_the_portal_pays_what_is_open() -> None:
    shop = Shop()
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, await shop.price(9900))
    await shop.keep_card(customer, FAILS_LATER)
    await shop.advance(days=28, hours=1)
    path = await entered(shop, customer)
    assert "Payment is late" in (await shop.browser.get(path)).text
    kept = await press(shop, path, action="card", **CARD)
    assert "Your new card is kept." in kept.text
    assert (await shop.again(subscription)).status == "active"


@pytest.mark.parametrize(("outcome", "told"), [("complete", "is kept"), ("fail", "not kept")])
async def test_a_new_card_may_ask_its_holder(outcome: str, told: str) -> None:
    shop = Shop()
    path = await entered(shop, await shop.customer(card=None))
    challenge = await press(shop, path, action="card", **(CARD | {"number": "4000002500003155"}))
    assert "Complete authentication" in challenge.text
    answer = await press(shop, challenge.url.path, outcome=outcome)
    assert told in answer.text


async def test_a_plan_is_switched_where_the_account_offers_it() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600, name="Max")
    price = await shop.client.prices.retrieve_async(big)
    assert isinstance(price.product, str)
    configuration = await shop.client.billing_portal.configurations.create_async(
        {
            "features": {
                "subscription_update": {
                    "enabled": True,
                    "default_allowed_updates": ["price"],
                    "products": [{"product": price.product, "prices": [big]}],
                    "proration_behavior": "always_invoice",
                }
            }
        }
    )
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, small)
    path = await entered(shop, customer, configuration=configuration.id)
    assert "Max, 56.00 SEK per month" in (await shop.browser.get(path)).text
    await press(shop, path, action="switch", subscription=subscription.id, price=big)
    assert (await shop.again(subscription))["items"].data[0].price.id == big
    refused = await press(shop, path, action="switch", subscription=subscription.id, price=small)
    assert "not on offer" in refused.text


async def test_the_link_to_the_portal_is_good_for_a_day() -> None:
    shop = Shop()
    path = await entered(shop, await shop.customer())
    await shop.advance(days=1, seconds=1)
    assert (await shop.browser.get(path)).status_code == 404


async def test_an_open_invoice_is_paid_on_its_page() -> None:
    shop = Shop()
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, await shop.price(9900))
    await shop.keep_card(customer, FAILS_LATER)
    await shop.advance(days=28, hours=1)
    invoice = (await shop.invoices(subscription.id))[-1]
    path = f"/invoices/{invoice.id}"
    assert str(invoice.hosted_invoice_url).endswith(path)
    assert "Pay 99.00 SEK" in (await shop.browser.get(path)).text
    declined = await press(shop, path, **(CARD | {"number": "4000000000009995"}))
    assert "insufficient funds" in declined.text
    challenge = await press(shop, path, **(CARD | {"number": "4000002760003184"}))
    paid = await press(shop, challenge.url.path, outcome="complete")
    assert "paid" in paid.text
    assert (await shop.again(subscription)).status == "active"


async def test_the_time_machine_moves_time_on_and_tells_what_happened() -> None:
    shop = Shop()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    before = await shop.browser.get("/time-machine")
    assert "A period ends (anna@example.org)" in before.text
    moved = await press(shop, "/time-machine", jump="month")
    assert "Time has moved on." in moved.text
    assert "invoice.upcoming" in moved.text
    await press(shop, "/time-machine", jump="to", to="2027-03-01")
    assert f"{shop.sandbox.now():%Y-%m-%d %H:%M}" == "2027-03-01 23:59"
    assert [invoice.status for invoice in await shop.invoices(subscription.id)] == ["paid", "paid"]
    back = await press(shop, "/time-machine", jump="to", to="2027-02-01")
    assert "Time goes forward only" in back.text
    nonsense = await press(shop, "/time-machine", jump="to", to="soon")
    assert "Write a date" in nonsense.text


async def test_pages_load_nothing_from_elsewhere_and_say_so() -> None:
    shop = Shop()
    page = await shop.browser.get("/time-machine")
    assert "default-src 'none'; style-src 'self'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "style=" not in page.text
    sheet = await shop.browser.get("/static/sandbox.css")
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert "url(" not in sheet.text
    assert (await shop.browser.get("/static/nothing.css")).status_code == 404


async def test_all_that_falls_due_runs_in_order_of_time() -> None:
    shop = Shop()
    await shop.listen()
    price = await shop.price(9900)
    for days in (3, 1, 2):
        await shop.subscribe(await shop.customer(), price, trial_period_days=days)
    await shop.advance(days=4)
    events = await shop.client.events.list_async({"limit": 100, "types": ["invoice.created"]})
    assert [day(event.created) for event in reversed(events.data)][3:] == [
        "2027-02-01",
        "2027-02-02",
        "2027-02-03",
    ]


async def test_a_customer_on_a_test_clock_lives_by_it() -> None:
    shop = Shop()
    clocks = shop.client.test_helpers.test_clocks
    clock = await clocks.create_async({"frozen_time": int(shop.start.timestamp())})
    customer = await shop.customer(test_clock=clock.id)
    subscription = await shop.subscribe(customer, await shop.price(9900))
    assert subscription.test_clock == clock.id
    await clocks.advance_async(clock.id, {"frozen_time": int(shop.start.timestamp()) + 59 * 86_400})
    statuses = [invoice.status for invoice in await shop.invoices(subscription.id)]
    assert statuses == ["paid", "paid", "draft"]
    found = await shop.client.invoices.list_async({"customer": customer, "status": "draft"})
    assert isinstance(found.data[0], stripe.Invoice)
