"""Events and their delivery: signed, again until taken, and under two secrets while one rolls."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
import stripe

from billing.sandbox import Delivery
from billing.sandbox.deliveries import Post
from billing.sandbox.world import API_VERSION
from tests.billing.sandbox.account import START, Account


@pytest.fixture
def account() -> Account:
    return Account()


def is_signed(delivery: Delivery, secret: str | None) -> bool:
    """Tell whether Stripe's own library takes the signature."""
    try:
        stripe.WebhookSignature.verify_header(
            delivery.body, delivery.headers["Stripe-Signature"], secret
        )
    except stripe.SignatureVerificationError:
        return False
    return True


async def test_an_event_goes_signed_to_those_who_want_it(account: Account) -> None:
    wanting = await account.endpoint("customer.created")
    await account.endpoint("invoice.paid", url="http://others")
    id_ = await account.customer()
    assert await account.sandbox.deliver_due() == 1
    (delivery,) = account.mailbox.deliveries
    assert delivery.url == "http://us/hooks"
    assert is_signed(delivery, wanting.secret)
    assert not is_signed(delivery, "whsec_other")
    event = json.loads(delivery.body)
    assert (event["type"], event["data"]["object"]["id"]) == ("customer.created", id_)
    assert delivery.headers["Stripe-Signature"].startswith(f"t={int(START.timestamp())},v1=")
    assert await account.sandbox.deliver_due() == 0


async def test_a_secret_is_shown_once(account: Account) -> None:
    made = await account.endpoint()
    assert made.secret is not None
    found = await account.stripe.v1.webhook_endpoints.retrieve_async(made.id)
    assert found.to_dict().get("secret") is None


async def test_what_is_not_taken_comes_again_with_growing_pauses(account: Account) -> None:
    await account.endpoint()
    await account.customer()
    account.mailbox.status = 500
    assert await account.sandbox.deliver_due() == 0
    event = (await account.stripe.v1.events.list_async()).data[0]
    assert event.pending_webhooks == 1
    account.wait(timedelta(seconds=59))
    await account.sandbox.deliver_due()
    assert len(account.mailbox.deliveries) == 1
    account.wait(timedelta(seconds=1))
    await account.sandbox.deliver_due()
    account.mailbox.status = 200
    account.wait(timedelta(minutes=5))
    assert await account.sandbox.deliver_due() == 1
    assert [delivery.attempt for delivery in account.mailbox.deliveries] == [1, 2, 3]
    assert (await account.stripe.v1.events.retrieve_async(event.id)).pending_webhooks == 0


async def test_after_three_days_it_is_given_up_and_can_be_sent_by_hand(account: Account) -> None:
    endpoint = await account.endpoint()
    await account.customer()
    account.mailbox.status = 500
    for _ in range(30):
        account.wait(timedelta(hours=6))
        await account.sandbox.deliver_due()
    assert len(account.mailbox.deliveries) == 11
    assert account.at - START < timedelta(days=8)
    event = (await account.stripe.v1.events.list_async()).data[0]
    account.mailbox.status = 200
    account.sandbox.resend(event.id)
    assert await account.sandbox.deliver_due() == 1
    await account.stripe.raw_request_async(
        "post", f"/v1/events/{event.id}/retry", webhook_endpoint=endpoint.id
    )
    assert await account.sandbox.deliver_due() == 1


async def test_an_endpoint_that_raises_is_one_that_did_not_take_it(account: Account) -> None:
    async def broken(_delivery: Delivery) -> int:
        raise ConnectionError

    await account.endpoint()
    await account.customer()
    post = Post(account.sandbox.store, broken, account.sandbox.seconds)
    assert await post.deliver_due() == 0


async def test_while_a_secret_rolls_both_sign(account: Account) -> None:
    endpoint = await account.endpoint()
    new = account.sandbox.roll_secret(endpoint.id, keep=timedelta(hours=1))
    await account.customer()
    await account.sandbox.deliver_due()
    account.wait(timedelta(hours=1))
    await account.customer()
    await account.sandbox.deliver_due()
    during, after = account.mailbox.deliveries
    assert is_signed(during, endpoint.secret)
    assert is_signed(during, new)
    assert not is_signed(after, endpoint.secret)
    assert is_signed(after, new)


async def test_a_disabled_endpoint_gets_nothing_and_a_deleted_one_neither(account: Account) -> None:
    endpoint = await account.endpoint()
    await account.stripe.v1.webhook_endpoints.update_async(endpoint.id, {"disabled": True})
    await account.customer()
    await account.stripe.v1.webhook_endpoints.update_async(endpoint.id, {"disabled": False})
    await account.customer()
    await account.stripe.v1.webhook_endpoints.delete_async(endpoint.id)
    await account.sandbox.deliver_due()
    assert account.mailbox.deliveries == []


async def test_a_thin_event_names_its_object_alone(account: Account) -> None:
    endpoint = await account.endpoint()
    account.sandbox.send_thin("v1.billing.meter.no_meter_found", related=("billing.meter", "mtr_1"))
    await account.sandbox.deliver_due()
    (delivery,) = account.mailbox.deliveries
    assert is_signed(delivery, endpoint.secret)
    thin = json.loads(delivery.body)
    assert thin["object"] == "v2.core.event"
    assert thin["related_object"]["id"] == "mtr_1"
    assert "data" not in thin
    fetched = await account.stripe.v2.core.events.retrieve_async(thin["id"])
    assert fetched.type == "v1.billing.meter.no_meter_found"
    assert datetime.fromisoformat(thin["created"]) == START.replace(tzinfo=UTC)


async def test_a_mailbox_shuffles_doubles_and_loses(account: Account) -> None:
    await account.endpoint()
    for _ in range(20):
        await account.customer()
    await account.sandbox.deliver_due()
    came = [delivery.event_id for delivery in account.mailbox.deliveries]
    taken = account.mailbox.emptied(dice=random.Random(7), doubled=True, lost=0.25)
    ids = [delivery.event_id for delivery in taken]
    assert set(ids) <= set(came)
    assert 20 < len(ids) < 40
    assert ids != sorted(ids, key=came.index)
    assert account.mailbox.deliveries == []


async def test_while_it_runs_events_leave_by_themselves(account: Account) -> None:
    await account.endpoint()
    stop = asyncio.Event()
    running = asyncio.create_task(account.sandbox.run(stop))
    await account.customer()
    await account.mailbox.came.wait()
    stop.set()
    await account.customer()
    await running
    assert account.mailbox.types()[0] == "customer.created"


async def test_events_can_be_asked_for_thirty_days_long(account: Account) -> None:
    await account.customer()
    event = (await account.stripe.v1.events.list_async()).data[0]
    account.wait(timedelta(days=30))
    assert await account.events() == ["customer.created"]
    account.wait(timedelta(seconds=1))
    assert await account.events() == []
    with pytest.raises(stripe.InvalidRequestError):
        await account.stripe.v1.events.retrieve_async(event.id)


async def test_an_endpoint_has_events_in_its_own_version(account: Account) -> None:
    await account.stripe.v1.webhook_endpoints.create_async(
        {"url": "http://old", "enabled_events": ["*"], "api_version": "2020-08-27"}
    )
    await account.customer()
    await account.sandbox.deliver_due()
    assert json.loads(account.mailbox.deliveries[0].body)["api_version"] == "2020-08-27"
    assert (await account.stripe.v1.events.list_async()).data[0].api_version == API_VERSION
