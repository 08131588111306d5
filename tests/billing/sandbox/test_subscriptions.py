"""Subscriptions by request: found, listed, changed in their settings, refused."""

from typing import Any

import pytest
import stripe

from tests.billing.sandbox.shop import Shop, day

FAILS_LATER = "pm_card_chargeCustomerFail"


def seconds(shop: Shop) -> int:
    return int(shop.sandbox.now().timestamp())


async def test_subscriptions_are_listed_by_customer_and_state() -> None:
    shop = Shop()
    price, customer = await shop.price(9900), await shop.customer()
    runs = await shop.subscribe(customer, price)
    gone = await shop.subscribe(customer, price)
    await shop.client.subscriptions.cancel_async(
        gone.id, {"cancellation_details": {"comment": "Too dear", "feedback": "too_expensive"}}
    )
    await shop.subscribe(await shop.customer(), price)

    async def found(**wish: Any) -> list[str]:
        given: Any = {"customer": customer, **wish}
        return [one.id for one in (await shop.client.subscriptions.list_async(given)).data]

    assert await found() == [runs.id]
    assert await found(status="all") == [gone.id, runs.id]
    assert await found(status="ended") == [gone.id]
    assert await found(status="canceled", collection_method="charge_automatically") == [gone.id]
    ended = await shop.again(gone)
    assert ended.cancellation_details is not None
    assert (ended.cancellation_details.comment, ended.cancellation_details.reason) == (
        "Too dear",
        "cancellation_requested",
    )
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        await shop.client.subscriptions.cancel_async(gone.id)
    with pytest.raises(stripe.InvalidRequestError, match="only update its cancellation_details"):
        await shop.update(gone.id, cancel_at_period_end=True)
    assert (await shop.update(gone.id, metadata={"a": "b"})).metadata.to_dict() == {"a": "b"}


async def test_a_start_that_is_given_up_leaves_no_open_invoice() -> None:
    shop = Shop()
    subscription = await shop.subscribe(await shop.customer(FAILS_LATER), await shop.price(9900))
    await shop.client.subscriptions.cancel_async(subscription.id)
    assert [invoice.status for invoice in await shop.invoices(subscription.id)] == ["void"]


async def test_settings_change_without_a_charge() -> None:
    shop = Shop()
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, await shop.price(9900), metadata={"a": "1"})
    other = await shop.client.payment_methods.attach_async(
        "pm_card_mastercard", {"customer": customer}
    )
    after = await shop.update(
        subscription.id,
        metadata={"a": "", "b": "2"},
        description="Plus",
        default_payment_method=other.id,
        payment_settings={"save_default_payment_method": "on_subscription"},
    )
    assert after.metadata.to_dict() == {"b": "2"}
    assert (after.description, after.default_payment_method) == ("Plus", other.id)
    stranger = await shop.client.payment_methods.create_async(
        {"type": "card", "card": {"token": "tok_visa"}}
    )
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        await shop.update(subscription.id, default_payment_method=stranger.id)
    assert len(await shop.invoices(subscription.id)) == 1


async def test_the_card_that_paid_is_kept_for_the_subscription_when_asked() -> None:
    shop = Shop()
    subscription = await shop.subscribe(
        await shop.customer(),
        await shop.price(9900),
        payment_settings={"save_default_payment_method": "on_subscription"},
    )
    assert subscription.default_payment_method is not None


async def test_an_end_may_be_set_to_a_day_and_taken_back() -> None:
    shop = Shop()
    subscription = await shop.subscribe(await shop.customer(), await shop.price(9900))
    ends = await shop.update(subscription.id, cancel_at="min_period_end")
    assert day(ends.cancel_at) == "2027-02-28"
    assert (await shop.update(subscription.id, cancel_at="")).cancel_at is None
    await shop.update(subscription.id, cancel_at=seconds(shop) + 40 * 86_400)
    with pytest.raises(stripe.InvalidRequestError, match="in the future"):
        await shop.update(subscription.id, cancel_at=seconds(shop))
    await shop.advance(days=41)
    gone = await shop.again(subscription)
    assert (gone.status, day(gone.ended_at)) == ("canceled", "2027-03-12")


async def test_a_discount_is_given_later_and_taken_away() -> None:
    shop = Shop()
    coupon = await shop.client.coupons.create_async({"percent_off": 10, "duration": "forever"})
    code = await shop.client.promotion_codes.create_async(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "TEN"}
    )
    subscription = await shop.subscribe(await shop.customer(), await shop.price(10000))
    reduced = await shop.update(subscription.id, discounts=[{"promotion_code": code.id}])
    shown = await shop.client.subscriptions.retrieve_async(
        subscription.id, {"expand": ["discounts"]}
    )
    assert [one if isinstance(one, str) else one.id for one in shown.discounts] == reduced.discounts
    await shop.advance(days=28, hours=1)
    assert (await shop.invoices(subscription.id))[-1].total == 9000
    assert (await shop.update(subscription.id, discounts="")).discounts == []
    await shop.advance(days=31)
    assert (await shop.invoices(subscription.id))[-1].total == 10000


async def test_an_upgrade_has_its_lasting_discount_and_credits_what_was_paid() -> None:
    shop = Shop()
    half = await shop.client.coupons.create_async({"percent_off": 50, "duration": "forever"})
    small, big = await shop.price(2800), await shop.price(5600)
    subscription = await shop.subscribe(
        await shop.customer(), small, discounts=[{"coupon": half.id}]
    )
    await shop.advance(days=14)
    await shop.swap(subscription, big)
    invoice = (await shop.invoices(subscription.id))[-1]
    assert [line.amount for line in invoice.lines.data] == [-700, 1400]


async def test_items_come_and_go_and_have_quantities() -> None:
    shop = Shop()
    first, second = await shop.price(2800), await shop.price(1400)
    subscription = await shop.subscribe(await shop.customer(), first)
    await shop.advance(days=14)
    more = await shop.update(
        subscription.id,
        items=[
            {"id": subscription["items"].data[0].id, "quantity": 2},
            {"price": second, "quantity": 3},
        ],
        proration_behavior="always_invoice",
    )
    assert [item.quantity for item in more["items"].data] == [2, 3]
    invoice = (await shop.invoices(subscription.id))[-1]
    assert [line.amount for line in invoice.lines.data] == [-1400, 2800, 2100]
    less = await shop.update(
        subscription.id,
        items=[{"id": more["items"].data[1].id, "deleted": True}],
        proration_behavior="none",
    )
    assert len(less["items"].data) == 1
    with pytest.raises(stripe.InvalidRequestError, match="at least one active item"):
        await shop.update(
            subscription.id, items=[{"id": less["items"].data[0].id, "deleted": True}]
        )
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription item"):
        await shop.update(subscription.id, items=[{"id": "si_no", "price": second}])


async def test_a_trial_is_made_longer_and_a_running_one_becomes_a_trial() -> None:
    shop = Shop()
    price = await shop.price(2800)
    trial = await shop.subscribe(await shop.customer(), price, trial_period_days=7)
    longer = await shop.update(trial.id, trial_end=seconds(shop) + 10 * 86_400)
    assert day(longer["items"].data[0].current_period_end) == "2027-02-10"
    customer = await shop.customer()
    runs = await shop.subscribe(customer, price)
    await shop.advance(days=14)
    again = await shop.update(
        runs.id, trial_end=seconds(shop) + 5 * 86_400, proration_behavior="always_invoice"
    )
    assert again.status == "trialing"
    assert (await shop.client.customers.retrieve_async(customer)).balance == -1400
    await shop.advance(days=5, hours=1)
    assert (await shop.again(runs)).status == "active"
    renewal = (await shop.invoices(runs.id))[-1]
    assert (renewal.total, renewal.amount_paid) == (2800, 1400)


async def test_from_free_to_paid_begins_a_new_period() -> None:
    shop = Shop()
    free, paid = await shop.price(0), await shop.price(2800)
    subscription = await shop.subscribe(await shop.customer(), free)
    await shop.advance(days=14)
    after = await shop.swap(subscription, paid)
    assert day(after["items"].data[0].current_period_start) == "2027-02-14"
    assert (await shop.invoices(subscription.id))[-1].total == 2800


async def test_an_anchor_in_the_future_shortens_the_first_period() -> None:
    shop = Shop()
    anchor = seconds(shop) + 14 * 86_400
    subscription = await shop.subscribe(
        await shop.customer(), await shop.price(3100), billing_cycle_anchor=anchor
    )
    item = subscription["items"].data[0]
    assert day(item.current_period_end) == "2027-02-14"
    assert (await shop.invoices(subscription.id))[-1].total == 1400


async def test_a_change_whose_payment_is_left_to_the_customer_is_past_due_until_then() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600)
    subscription = await shop.subscribe(await shop.customer(), small)
    after = await shop.swap(subscription, big, payment_behavior="default_incomplete")
    assert after.status == "past_due"
    invoice = (await shop.invoices(subscription.id))[-1]
    assert invoice.id is not None
    await shop.client.invoices.pay_async(invoice.id)
    assert (await shop.again(subscription)).status == "active"


async def test_a_second_pending_change_takes_the_place_of_the_first() -> None:
    shop = Shop()
    small, big, biggest = [await shop.price(amount) for amount in (2800, 5600, 8400)]
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, small)
    await shop.keep_card(customer, FAILS_LATER)
    pending = {"payment_behavior": "pending_if_incomplete"}
    await shop.swap(subscription, big, **pending)
    await shop.keep_card(customer, "pm_card_visa")
    after = await shop.swap(subscription, biggest, **pending)
    assert (after.pending_update, after["items"].data[0].price.id) == (None, biggest)
    statuses = [invoice.status for invoice in await shop.invoices(subscription.id)]
    assert statuses == ["paid", "void", "paid"]


async def test_a_deleted_customer_has_no_subscription_left() -> None:
    shop = Shop()
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, await shop.price(9900))
    await shop.client.customers.delete_async(customer)
    assert (await shop.again(subscription)).status == "canceled"
    await shop.advance(days=40)


@pytest.mark.parametrize(
    ("wish", "status", "told"),
    [
        ({"collection_method": "send_invoice"}, 501, "invoices that are sent"),
        ({"items": []}, 400, "items"),
        ({"trial_period_days": 3, "trial_end": 4_000_000_000}, 400, "not both"),
        ({"default_payment_method": "pm_card_visa"}, 400, "must be attached"),
        ({"discounts": [{"coupon": "none"}]}, 400, "No such coupon"),
    ],
    ids=["sent", "nothing", "trials", "card", "coupon"],
)
async def test_what_cannot_be_is_refused(wish: dict[str, Any], status: int, told: str) -> None:
    shop = Shop()
    customer, price = await shop.customer(), await shop.price(9900)
    with pytest.raises(stripe.StripeError, match=told) as error:
        await shop.subscribe(customer, price, **wish)
    assert error.value.http_status == status


async def test_prices_that_do_not_fit_are_refused() -> None:
    shop = Shop()
    monthly, yearly = await shop.price(2800), await shop.price(28000, "year")
    euro = await shop.price(300, currency="eur")
    off = await shop.price(2900)
    await shop.client.prices.update_async(off, {"active": False})
    product = (await shop.client.prices.retrieve_async(monthly)).product
    once = await shop.client.prices.create_async(
        {"product": str(product), "currency": "sek", "unit_amount": 100}
    )
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, monthly)
    for price, told in (
        (once.id, "type=recurring"),
        (off, "inactive"),
        (euro, "expected currency"),
        (yearly, "same interval"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=told):
            await shop.update(subscription.id, items=[{"price": price}])


async def test_schedules_are_listed_refused_and_cancelled() -> None:
    shop = Shop()
    price = await shop.price(2800)
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, price)
    schedules = shop.client.subscription_schedules
    schedule = await schedules.create_async({"from_subscription": subscription.id})
    start = schedule.phases[0].start_date
    assert [one.id for one in (await schedules.list_async({"customer": customer})).data] == [
        schedule.id
    ]
    items: Any = [{"price": price}]
    for phase, told in (
        ({"items": items, "start_date": start + 5}, "start date of the current phase"),
        ({"items": items, "start_date": start, "end_date": start}, "ends after it starts"),
        ({"items": [], "start_date": start}, "items"),
    ):
        phases: Any = [phase]
        with pytest.raises(stripe.InvalidRequestError, match=told):
            await schedules.update_async(schedule.id, {"phases": phases})
    await shop.advance(days=14)
    ended = await schedules.cancel_async(schedule.id)
    assert (ended.status, (await shop.again(subscription)).status) == ("canceled", "canceled")
    assert (await shop.client.customers.retrieve_async(customer)).balance == -1400
    with pytest.raises(stripe.InvalidRequestError, match="currently in the"):
        await schedules.release_async(schedule.id)


async def test_a_schedule_may_change_within_a_period_and_end_the_subscription() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600)
    subscription = await shop.subscribe(await shop.customer(), small)
    schedules = shop.client.subscription_schedules
    schedule = await schedules.create_async({"from_subscription": subscription.id})
    start = schedule.phases[0].start_date
    await schedules.update_async(
        schedule.id,
        {
            "end_behavior": "cancel",
            "phases": [
                {
                    "items": [{"price": small}],
                    "start_date": start,
                    "end_date": start + 14 * 86_400,
                },
                {"items": [{"price": big}], "end_date": start + 28 * 86_400},
            ],
        },
    )
    await shop.advance(days=14)
    assert (await shop.again(subscription))["items"].data[0].price.id == big
    await shop.advance(days=14)
    assert (await shop.again(subscription)).status == "canceled"
    assert (await schedules.retrieve_async(schedule.id)).status == "completed"


async def test_a_list_by_what_is_not_kept_here_is_refused_and_never_answered_wrongly() -> None:
    shop = Shop()
    for asked in ({"price": "price_1"}, {"current_period_end": {"gte": 1}}):
        with pytest.raises(stripe.APIError) as refused:
            await shop.client.subscriptions.list_async(asked)  # type: ignore[arg-type]  # it is a TypedDict
        assert refused.value.http_status == 501
