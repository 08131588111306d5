"""The gateway: what goes to Stripe, what comes of its answers, and what is asked again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.gateway import mapping
from billing.gateway.amounts import AmountNotTaken, amount_of, money_of
from billing.gateway.client import API_VERSION
from billing.gateway.shapes import InvoiceStatus, SubscriptionStatus
from billing.plans.catalogue import PlanPrice
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.money import Money, UnknownCurrency
from tests.billing.gateway.recorded import INVOICE, SUBSCRIPTION, Recorded, listed

START = datetime(2026, 1, 1, tzinfo=UTC)
MEMBER = MemberId(random_id())
SUBSCRIBED = mapping.subscription_of(SUBSCRIPTION)


# ---- what comes ----------------------------------------------------------------------------------


async def test_a_picture_is_the_subscription_with_all_that_was_paid_and_given_back() -> None:
    charge = {
        "id": "ch_1",
        "payment_intent": "pi_1",
        "disputed": True,
        "refunds": listed(
            {"id": "re_1", "amount": 900, "currency": "sek", "created": 1, "status": "failed"}
        ),
    }
    disputed = {"id": "dp_1", "amount": 9_900, "currency": "sek", "created": 2, "status": "lost"}
    stripe = Recorded(
        {
            "GET /v1/subscriptions/sub_1": [SUBSCRIPTION],
            "GET /v1/invoices": [listed(INVOICE)],
            "GET /v1/charges": [listed(charge, {"id": "ch_2", "payment_intent": "pi_9"})],
            "GET /v1/disputes": [listed(disputed)],
        }
    )
    shown = await stripe.gateway().picture("sub_1")
    (invoice,) = shown.invoices
    assert (shown.subscription.status, shown.subscription.price_id) == ("active", "price_plus")
    assert (invoice.subscription_id, invoice.payment_intent_ids) == ("sub_1", ("pi_1",))
    assert (invoice.total, invoice.tax) == (Money(9_900, "SEK"), Money(1_980, "SEK"))
    assert invoice.lines[0].period_end == datetime(2026, 2, 1, tzinfo=UTC)
    assert [(one.id, one.payment_intent_id, one.counts) for one in shown.refunds] == [
        ("re_1", "pi_1", False)
    ]
    assert [(one.id, one.is_lost) for one in shown.disputes] == [("dp_1", True)]
    assert all(one.version == API_VERSION for one in stripe.asked)


async def test_a_subscription_that_nobody_paid_needs_no_charges() -> None:
    draft = INVOICE | {"status": "draft", "amount_paid": 0, "payments": None}
    stripe = Recorded(
        {"GET /v1/subscriptions/sub_1": [SUBSCRIPTION], "GET /v1/invoices": [listed(draft)]}
    )
    shown = await stripe.gateway().picture("sub_1")
    assert (shown.refunds, shown.disputes) == ((), ())


async def test_lists_are_read_to_their_end() -> None:
    line = INVOICE["lines"]["data"][0]
    long = INVOICE | {"lines": listed(line, has_more=True)}
    refund = {"id": "re_1", "amount": 1, "currency": "sek", "created": 1, "status": None}
    charge = {"id": "ch_1", "payment_intent": "pi_1", "refunds": listed(has_more=True)}
    stripe = Recorded(
        {
            "GET /v1/subscriptions/sub_1": [SUBSCRIPTION],
            "GET /v1/invoices": [
                listed(long | {"id": "in_2"}, has_more=True),
                listed(INVOICE, has_more=True),
                listed(),
            ],
            "GET /v1/invoices/in_2/lines": [listed(line, line, line)],
            "GET /v1/charges": [listed(charge)],
            "GET /v1/refunds": [listed(refund)],
        }
    )
    shown = await stripe.gateway().picture("sub_1")
    assert [len(one.lines) for one in shown.invoices] == [1, 3]
    assert [one.counts for one in shown.refunds] == [True]
    pages = [one.given.get("starting_after") for one in stripe.asked if "invoices" in one.path]
    assert pages == [None, "in_2", "in_1", None]


def test_what_stripe_has_added_since_is_kept_as_unknown() -> None:
    future = SUBSCRIPTION | {"status": "hibernating"}
    assert mapping.subscription_of(future).status is SubscriptionStatus.UNKNOWN
    assert mapping.invoice_of(INVOICE | {"status": None}).status is InvoiceStatus.UNKNOWN


def test_a_schedule_tells_the_next_price() -> None:
    phases = [
        {"start_date": 1, "end_date": 10, "items": [{"price": "price_plus"}]},
        {"start_date": 10, "end_date": 20, "items": [{"price": {"id": "price_prime"}}]},
    ]
    running = {"id": "ss_1", "current_phase": {"start_date": 1, "end_date": 10}, "phases": phases}
    for schedule, price in (
        (running, "price_prime"),
        (running | {"current_phase": {"start_date": 10, "end_date": 20}}, None),
        (running | {"current_phase": None}, None),
        ("ss_1", None),
    ):
        shown = mapping.subscription_of(SUBSCRIPTION | {"schedule": schedule})
        assert (shown.schedule_id, shown.next_price_id) == ("ss_1", price)


def test_a_pause_tells_when_it_ends() -> None:
    paused = {"behavior": "void", "resumes_at": 1_767_225_600}
    shown = mapping.subscription_of(SUBSCRIPTION | {"pause_collection": paused})
    assert (shown.is_collection_paused, shown.resumes_at) == (True, START)


@pytest.mark.parametrize(
    ("there", "currency", "here"),
    [
        (9_900, "sek", Money(9_900, "SEK")),
        (500, "jpy", Money(500, "JPY")),
        (50_000, "isk", Money(500, "ISK")),
        (1_230, "kwd", Money(1_230, "KWD")),
    ],
)
def test_amounts_are_counted_as_each_side_counts_them(
    there: int, currency: str, here: Money
) -> None:
    assert money_of(there, currency) == here
    assert amount_of(here) == there


def test_amounts_that_stripe_does_not_take_are_refused() -> None:
    with pytest.raises(AmountNotTaken):
        amount_of(Money(1_234, "KWD"))
    with pytest.raises(UnknownCurrency):
        money_of(1, "xxx")
    assert money_of(-50, "isk") == Money(-1, "ISK")


# ---- what goes -----------------------------------------------------------------------------------


CHECKOUT = {
    "id": "cs_1",
    "mode": "subscription",
    "status": "open",
    "payment_status": "unpaid",
    "url": "https://checkout.example",
    "expires_at": 1_767_225_600,
}
PAGE: dict[str, Any] = {
    "metadata": {"member_id": "m"},
    "success_url": "https://a",
    "cancel_url": "https://b",
}
PRICE = PlanPrice(
    no=4,
    plan_no=3,
    interval="year",
    money=Money(99_000, "SEK"),
    eligibility=None,
    valid_from=START,
    valid_until=None,
    stripe_price_id=None,
)


def _sent(stripe: Recorded) -> dict[str | None, dict[str, str]]:
    """Return what was asked, by key."""
    return {one.key: one.given for one in stripe.asked}


async def test_customers_and_prices_are_made_under_their_key() -> None:
    stripe = Recorded(
        {
            "POST /v1/customers": [{"id": "cus_1"}],
            "POST /v1/products": [{"id": "prod_1"}],
            "POST /v1/prices": [{"id": "price_1"}],
        }
    )
    gateway = stripe.gateway()
    made = await gateway.customer(
        "k1", member_id=MEMBER, email="a@b.se", country="SE", clock_id="clock_1"
    )
    await gateway.customer("k2", member_id=MEMBER, email=None, country=None)
    await gateway.product("k3", "plus", "Plus")
    assert (made, await gateway.price("k4", "prod_1", PRICE)) == ("cus_1", "price_1")
    await gateway.close()
    sent = _sent(stripe)
    assert sent["k1"] == {
        "metadata[member_id]": str(MEMBER),
        "email": "a@b.se",
        "address[country]": "SE",
        "test_clock": "clock_1",
    }
    assert sent["k2"] == {"metadata[member_id]": str(MEMBER)}
    assert (sent["k4"]["unit_amount"], sent["k4"]["tax_behavior"]) == ("99000", "inclusive")


async def test_hosted_pages_carry_the_member_and_the_billing_mode() -> None:
    stripe = Recorded(
        {
            "POST /v1/checkout/sessions": [CHECKOUT],
            "POST /v1/checkout/sessions/cs_1/expire": [CHECKOUT | {"status": "expired"}],
            "POST /v1/billing_portal/sessions": [{"url": "https://portal.example"}],
        }
    )
    gateway = stripe.gateway()
    opened = await gateway.open_checkout(
        "k1", customer_id="cus_1", price_id="price_1", trial_days=14, promotion="promo_1", **PAGE
    )
    await gateway.open_checkout("k2", customer_id="cus_1", price_id="p", trial_days=0, **PAGE)
    for number, customer_id in (("k3", None), ("k4", "cus_1")):
        await gateway.open_payment_checkout(
            number, customer_id=customer_id, money=Money(500, "JPY"), what="Gift", **PAGE
        )
    assert opened.url == "https://checkout.example"
    assert (await gateway.expire_checkout("k5", "cs_1")).status == "expired"
    assert await gateway.portal("cus_1", "https://a") == "https://portal.example"
    sent = _sent(stripe)
    assert sent["k1"]["subscription_data[billing_mode][type]"] == "flexible"
    assert sent["k1"]["subscription_data[trial_period_days]"] == "14"
    assert sent["k1"]["subscription_data[metadata][member_id]"] == "m"
    assert sent["k1"]["discounts[0][promotion_code]"] == "promo_1"
    assert "subscription_data[trial_period_days]" not in sent["k2"]
    assert sent["k3"]["line_items[0][price_data][unit_amount]"] == "500"
    assert sent["k4"]["customer"] == "cus_1"


async def test_a_schedule_changes_the_price_at_the_end_of_the_period() -> None:
    schedule = {"id": "ss_1", "phases": [{"start_date": 5}], "current_phase": None}
    stripe = Recorded(
        {
            "POST /v1/subscription_schedules": [schedule],
            "GET /v1/subscription_schedules/ss_2": [schedule | {"id": "ss_2"}],
            "POST /v1/subscription_schedules/ss_1": [schedule],
            "POST /v1/subscription_schedules/ss_2": [schedule],
            "POST /v1/subscription_schedules/ss_2/release": [schedule],
        }
    )
    gateway = stripe.gateway()
    scheduled = mapping.subscription_of(SUBSCRIPTION | {"schedule": "ss_2"})
    trying = mapping.subscription_of(SUBSCRIPTION | {"trial_end": 1_768_000_000})
    for key, one in (("k1", SUBSCRIBED), ("k2", scheduled), ("k3", trying)):
        await gateway.schedule_price(key, one, "price_2")
    await gateway.drop_schedule("k4", SUBSCRIBED)
    await gateway.drop_schedule("k5", scheduled)
    sent = _sent(stripe)
    assert sent["k1"]["phases[1][items][0][price]"] == "price_2"
    assert sent["k1:schedule"] == {"from_subscription": "sub_1"}
    assert "phases[0][trial_end]" not in sent["k2"]
    assert sent["k3"]["phases[0][trial_end]"] == "1768000000"
    assert ("k4" in sent, "k5" in sent) == (False, True)


async def test_a_subscription_is_changed_in_the_words_of_stripe() -> None:
    given_back = {"id": "re_1", "amount": 5, "currency": "sek", "created": 1, "status": "pending"}
    stripe = Recorded(
        {
            "POST /v1/subscriptions/sub_1": [SUBSCRIPTION],
            "DELETE /v1/subscriptions/sub_1": [SUBSCRIPTION | {"status": "canceled"}],
            "POST /v1/invoices/create_preview": [INVOICE],
            "POST /v1/refunds": [given_back],
        }
    )
    gateway = stripe.gateway()
    preview = await gateway.preview_change(SUBSCRIBED, "price_2", START)
    await gateway.change_price("k1", SUBSCRIBED, "price_2", proration_at=START)
    await gateway.cancel_at_period_end("k2", "sub_1", cancel=True)
    assert (await gateway.cancel_now("k3", "sub_1")).status == "canceled"
    await gateway.pause("k4", "sub_1", START)
    await gateway.resume("k5", "sub_1")
    assert (await gateway.refund("k6", "pi_1", Money(5, "SEK"), {"why": "w"})).counts
    assert preview.amount_due == Money(9_900, "SEK")
    sent = _sent(stripe)
    assert sent["k1"]["payment_behavior"] == "pending_if_incomplete"
    assert sent["k1"]["proration_date"] == "1767225600"
    assert sent["k2"] == {"cancel_at_period_end": "true"}
    assert sent["k4"] == {
        "pause_collection[behavior]": "void",
        "pause_collection[resumes_at]": "1767225600",
    }
    assert sent["k5"] == {"pause_collection": ""}
    assert sent["k6"]["amount"] == "5"


async def test_questions_find_what_belongs_to_what() -> None:
    stripe = Recorded(
        {
            "GET /v1/invoice_payments": [listed({"invoice": "in_1"}), listed()],
            "GET /v1/invoices/in_1": [INVOICE],
            "GET /v1/customers/cus_1/payment_methods": [
                listed({"type": "link"}, {"type": "card", "card": {"fingerprint": "f"}}),
                listed(),
            ],
            "GET /v1/subscriptions": [listed(SUBSCRIPTION)],
            "GET /v1/events": [listed({"id": "evt_1", "created": 1_767_225_600, "type": "x"})],
        }
    )
    gateway = stripe.gateway("rk_live_x")
    assert gateway.is_live
    assert await gateway.subscription_of_payment("pi_1") == "sub_1"
    assert await gateway.subscription_of_payment("pi_2") is None
    assert await gateway.card_fingerprint("cus_1") == "f"
    assert await gateway.card_fingerprint("cus_1") is None
    assert [one.id for one in await gateway.subscriptions_of("cus_1")] == ["sub_1"]
    assert [one.subscription.id async for one in gateway.every_subscription()] == ["sub_1"]
    (event,) = [one async for one in gateway.events_since(START)]
    assert (event.id, event.created_at) == ("evt_1", START)
    assert stripe.asked[-1].given["created[gte]"] == "1767225600"
