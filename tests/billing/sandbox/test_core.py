"""The ground of the sandbox: keys, errors, idempotency, faults, time and webhooks."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from tests.support.stripe_sandbox import Mailbox, client_of, sandbox_at

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def test_an_endpoint_is_made_and_found() -> None:
    client = client_of(sandbox_at(lambda: START).application)
    made = await client.v1.webhook_endpoints.create_async(
        {"url": "http://x/hooks", "enabled_events": ["*"], "metadata": {"a": "b"}}
    )
    found = await client.v1.webhook_endpoints.retrieve_async(made.id)
    assert found.to_dict()["metadata"] == {"a": "b"}


async def test_what_stripe_has_and_the_sandbox_lacks_is_told() -> None:
    client = client_of(sandbox_at(lambda: START).application)
    with pytest.raises(stripe.APIError, match="this sandbox does not") as error:
        await client.v1.payouts.create_async({"amount": 1, "currency": "eur"})
    assert error.value.http_status == 501


async def test_a_clock_advances() -> None:
    mailbox = Mailbox()
    sandbox = sandbox_at(lambda: START, mailbox)
    client = client_of(sandbox.application)
    await client.v1.webhook_endpoints.create_async({"url": "http://x", "enabled_events": ["*"]})
    clock = await client.v1.test_helpers.test_clocks.create_async({"frozen_time": 1_000_000})
    advancing = await client.v1.test_helpers.test_clocks.advance_async(
        clock.id, {"frozen_time": 2_000_000}
    )
    assert advancing.status == "advancing"
    ready = await client.v1.test_helpers.test_clocks.retrieve_async(clock.id)
    assert (ready.status, ready.frozen_time) == ("ready", 2_000_000)
    await sandbox.deliver_due()
    assert mailbox.types() == [
        "test_helpers.test_clock.created",
        "test_helpers.test_clock.advancing",
        "test_helpers.test_clock.ready",
    ]
    await sandbox.advance(START + timedelta(days=3))
    assert sandbox.now() == START + timedelta(days=3)
