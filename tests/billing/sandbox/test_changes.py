"""Upgrades, downgrades and other changes of a price in the middle of a period."""

from datetime import timedelta

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.billing.sandbox.shop import Shop, day

FAILS_LATER = "pm_card_chargeCustomerFail"
WANTS_3DS = "pm_card_authenticationRequired"
PENDING = {"payment_behavior": "pending_if_incomplete"}


def seconds(shop: Shop) -> int:
    return int(shop.sandbox.now().timestamp())


async def test_an_upgrade_half_way_charges_half_of_the_difference() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600, name="Max")
    subscription = await shop.subscribe(await shop.customer(), small)
    await shop.advance(days=14)
    after = await shop.swap(subscription, big, **PENDING)
    item = after["items"].data[0]
    assert (item.price.id, day(item.current_period_end)) == (big, "2027-02-28")
    invoice = (await shop.invoices(subscription.id))[-1]
    assert [line.amount for line in invoice.lines.data] == [-1400, 2800]
    assert (invoice.total, invoice.status, invoice.billing_reason) == (
        1400,
        "paid",
        "subscription_update",
    )
    lines = [line.parent for line in invoice.lines.data]
    assert all(
        line is not None
        and line.subscription_item_details is not None
        and line.subscription_item_details.proration
        for line in lines
    )
    await shop.advance(days=14, hours=1)
    assert (await shop.invoices(subscription.id))[-1].total == 5600


@settings(max_examples=8, deadline=None)
@given(
    small=st.integers(300, 20_000),
    more=st.integers(1, 20_000),
    past=st.integers(0, 28 * 86_400 - 120),
    later=st.integers(0, 60),
    yearly=st.booleans(),
)
def test_a_preview_is_what_the_upgrade_charges_to_the_minor_unit(
    small: int, more: int, past: int, later: int, *, yearly: bool
) -> None:
    async def tell() -> None:
        shop = Shop()
        interval = "year" if yearly else "month"
        cheap, dear = await shop.price(small), await shop.price(small + more, interval)
        subscription = await shop.subscribe(await shop.customer(), cheap)
        await shop.sandbox.advance(shop.sandbox.now() + timedelta(seconds=past))
        at = seconds(shop)
        preview = await shop.preview(subscription, dear, at)
        await shop.sandbox.advance(shop.sandbox.now() + timedelta(seconds=later))
        await shop.swap(subscription, dear, proration_date=at, **PENDING)
        charged = (await shop.invoices(subscription.id))[-1]
        assert (charged.total, charged.amount_paid) == (preview.total, preview.amount_due)
        assert [line.amount for line in charged.lines.data] == [
            line.amount for line in preview.lines.data
        ]

    import asyncio

    asyncio.run(tell())


async def test_a_change_of_interval_begins_a_new_period_and_credits_the_old() -> None:
    shop = Shop()
    monthly, yearly = await shop.price(2800), await shop.price(28000, "year")
    subscription = await shop.subscribe(await shop.customer(), monthly)
    await shop.advance(days=7)
    after = await shop.swap(subscription, yearly, **PENDING)
    item = after["items"].data[0]
    assert (day(item.current_period_start), day(item.current_period_end)) == (
        "2027-02-07",
        "2028-02-07",
    )
    assert (await shop.invoices(subscription.id))[-1].total == 28000 - 2100


async def test_a_card_that_fails_keeps_the_old_plan_until_it_is_paid() -> None:
    shop = Shop()
    await shop.listen()
    small, big = await shop.price(2800), await shop.price(5600)
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, small)
    await shop.keep_card(customer, FAILS_LATER)
    held = await shop.swap(subscription, big, **PENDING)
    assert (held.status, held["items"].data[0].price.id) == ("active", small)
    assert held.pending_update is not None
    invoice = (await shop.invoices(subscription.id))[-1]
    assert invoice.id is not None
    assert (invoice.status, invoice.total) == ("open", 2800)
    await shop.client.invoices.pay_async(invoice.id, {"payment_method": "pm_card_visa"})
    after = await shop.again(subscription)
    assert (after.pending_update, after["items"].data[0].price.id) == (None, big)
    assert "customer.subscription.pending_update_applied" in await shop.told()


async def test_a_change_that_is_not_paid_is_forgotten_after_23_hours() -> None:
    shop = Shop()
    await shop.listen()
    small, big = await shop.price(2800), await shop.price(5600)
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, small)
    await shop.keep_card(customer, WANTS_3DS)
    held = await shop.swap(subscription, big, **PENDING)
    assert held.pending_update.expires_at == seconds(shop) + 23 * 3600
    await shop.told()
    await shop.advance(hours=23)
    after = await shop.again(subscription)
    assert (after.pending_update, after["items"].data[0].price.id) == (None, small)
    assert (await shop.invoices(subscription.id))[-1].status == "void"
    assert await shop.told() == [
        "customer.subscription.updated",
        "customer.subscription.pending_update_expired",
        "payment_intent.canceled",
        "invoice.voided",
    ]


async def test_a_pending_change_takes_no_other_settings() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600)
    subscription = await shop.subscribe(await shop.customer(), small)
    with pytest.raises(stripe.InvalidRequestError, match="pending updates support"):
        await shop.swap(subscription, big, metadata={"a": "b"}, **PENDING)


async def test_a_failed_change_at_once_is_past_due_or_undone_as_asked() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600)
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, small)
    await shop.keep_card(customer, FAILS_LATER)
    with pytest.raises(stripe.CardError):
        await shop.swap(subscription, big, payment_behavior="error_if_incomplete")
    assert (await shop.again(subscription))["items"].data[0].price.id == small
    assert len(await shop.invoices(subscription.id)) == 1
    after = await shop.swap(subscription, big, payment_behavior="allow_incomplete")
    assert (after.status, after["items"].data[0].price.id) == ("past_due", big)


async def test_prorations_wait_for_the_next_invoice_unless_there_are_none() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600)
    waiting = await shop.subscribe(await shop.customer(), small)
    without = await shop.subscribe(await shop.customer(), small)
    await shop.advance(days=14)
    await shop.swap(waiting, big, proration_behavior="create_prorations")
    await shop.swap(without, big, proration_behavior="none")
    assert len(await shop.invoices(waiting.id)) == 1
    await shop.advance(days=14, hours=1)
    assert (await shop.invoices(waiting.id))[-1].total == 5600 + 1400
    assert (await shop.invoices(without.id))[-1].total == 5600


async def test_up_and_down_again_costs_nothing_and_what_is_left_is_kept_for_later() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600)
    customer = await shop.customer()
    subscription = await shop.subscribe(customer, small)
    await shop.advance(days=7)
    await shop.swap(subscription, big)
    await shop.swap(subscription, small)
    totals = [invoice.total for invoice in await shop.invoices(subscription.id)]
    assert totals == [2800, 2100, -2100]
    assert (await shop.client.customers.retrieve_async(customer)).balance == -2100
    await shop.advance(days=21, hours=1)
    renewal = (await shop.invoices(subscription.id))[-1]
    assert (renewal.total, renewal.amount_due, renewal.amount_paid) == (2800, 700, 700)


async def test_a_date_outside_of_the_period_is_refused() -> None:
    shop = Shop()
    small, big = await shop.price(2800), await shop.price(5600)
    subscription = await shop.subscribe(await shop.customer(), small)
    with pytest.raises(stripe.InvalidRequestError, match="proration_date"):
        await shop.swap(subscription, big, proration_date=seconds(shop) - 5)


async def test_a_schedule_makes_the_plan_smaller_at_the_end_of_the_period_and_lets_go() -> None:
    shop = Shop()
    await shop.listen()
    small, big = await shop.price(2800), await shop.price(5600)
    subscription = await shop.subscribe(await shop.customer(), big)
    schedules = shop.client.subscription_schedules
    schedule = await schedules.create_async({"from_subscription": subscription.id})
    (phase,) = schedule.phases
    schedule = await schedules.update_async(
        schedule.id,
        {
            "end_behavior": "release",
            "phases": [
                {
                    "items": [{"price": big, "quantity": 1}],
                    "start_date": phase.start_date,
                    "end_date": phase.end_date,
                },
                {
                    "items": [{"price": small, "quantity": 1}],
                    "duration": {"interval": "month", "interval_count": 1},
                    "proration_behavior": "none",
                    "metadata": {"plan": "small"},
                },
            ],
        },
    )
    with pytest.raises(stripe.InvalidRequestError, match="managed by the subscription schedule"):
        await shop.update(subscription.id, cancel_at_period_end=True)
    upcoming = await shop.client.invoices.create_preview_async({"subscription": subscription.id})
    assert upcoming.total == 2800
    await shop.told()
    await shop.advance(days=28, hours=1)
    after = await shop.again(subscription)
    assert (after["items"].data[0].price.id, after.metadata.to_dict()) == (small, {"plan": "small"})
    assert [one.total for one in await shop.invoices(subscription.id)] == [5600, 2800]
    await shop.advance(days=31)
    assert (await shop.again(subscription)).schedule is None
    assert (await schedules.retrieve_async(schedule.id)).status == "released"
    assert "subscription_schedule.released" in await shop.told()


async def test_a_released_schedule_changes_nothing_and_an_end_closes_it() -> None:
    shop = Shop()
    price = await shop.price(2800)
    subscription = await shop.subscribe(await shop.customer(), price)
    schedules = shop.client.subscription_schedules
    first = await schedules.create_async({"from_subscription": subscription.id})
    with pytest.raises(stripe.InvalidRequestError, match="already attached"):
        await schedules.create_async({"from_subscription": subscription.id})
    assert (await schedules.release_async(first.id)).status == "released"
    second = await schedules.create_async({"from_subscription": subscription.id})
    await shop.client.subscriptions.cancel_async(subscription.id)
    assert (await schedules.retrieve_async(second.id)).status == "canceled"
