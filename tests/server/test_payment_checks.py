"""What the doctor says of payments: of every way to set them up, and of what Stripe answers."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest

from billing.gateway.client import API_VERSION, Gateway
from billing.gateway.intake import PATH
from billing.sandbox import Sandbox
from coalition.kernel.settings import Settings, SettingsError
from server import payment_checks
from tests.support.http import SETTINGS

TEST = replace(SETTINGS, stripe_key="sk_test_1", stripe_webhook_secret="whsec_1, whsec_2")


@pytest.mark.parametrize(
    ("changed", "ok", "found", "mend"),
    [
        ({"stripe_key": None}, True, "for the real Stripe set COALITION_STRIPE_KEY", ""),
        ({"stripe_key": None, "stripe_sandbox": True}, True, "https://points.example/sandbox", ""),
        ({"stripe_sandbox": True}, True, "set COALITION_STRIPE_SANDBOX=0 to take payments", ""),
        ({}, True, "a test key, and a webhook secret", ""),
        ({"stripe_key": "rk_live_1"}, True, "a restricted live key, and a webhook secret", ""),
        ({"stripe_key": "pk_test_1"}, False, "the publishable key", "begins with sk_test_"),
        ({"stripe_key": "secret"}, False, "COALITION_STRIPE_KEY is no key", "sk_live_"),
        (
            {"stripe_webhook_secret": None},
            False,
            "a test key, and no webhook secret",
            f"for https://points.example{PATH} there with API version {API_VERSION} and events",
        ),
        (
            {"stripe_webhook_secret": "whsec_1,we_2"},
            False,
            "1 of the webhook secrets do not begin with whsec_",
            "COALITION_STRIPE_WEBHOOK_SECRET",
        ),
        (
            {"issuer": "http://127.0.0.1:8000"},
            False,
            "no address that Stripe can reach",
            "COALITION_ISSUER",
        ),
    ],
)
def test_the_doctor_says_what_to_set_for_the_real_stripe(
    changed: dict[str, Any], *, ok: bool, found: str, mend: str
) -> None:
    said = payment_checks.stripe(replace(TEST, **changed))
    assert (said.ok, found in said.found, mend in said.mend) == (ok, True, True), said


def test_a_live_key_beside_the_sandbox_is_refused_with_what_to_set(tmp_path: Any) -> None:
    given = {"COALITION_STRIPE_KEY": "sk_live_1", "COALITION_STRIPE_SANDBOX": "1"}
    with pytest.raises(SettingsError, match="set it to 0 to take real payments"):
        Settings.load(given, data_directory=tmp_path, database_url="postgresql://none")


async def test_stripe_is_asked_whether_it_takes_the_key_and_sends_webhooks_here(
    at: datetime,
) -> None:
    sandbox = Sandbox(None, now=lambda: at)

    def gateway(key: str = "sk_test_1") -> Gateway:
        transport = httpx.ASGITransport(app=sandbox.application)
        return Gateway(key, transport=transport, pauses_s=())

    async def endpoint(url: str, **asked: Any) -> None:
        await gateway().post(None, "/v1/webhook_endpoints", {"url": url} | asked)

    ours = TEST.issuer + PATH
    refused = await payment_checks.at_stripe(TEST, gateway("sk_wrong"))
    assert (refused.ok, "does not accept our key" in refused.found) == (False, True)
    await endpoint("https://other.example", enabled_events=["*"])
    none = await payment_checks.at_stripe(TEST, gateway())
    assert (none.ok, none.found) == (False, f"it takes our key, and has no endpoint for {ours}")
    await endpoint(ours, enabled_events=["invoice.paid"], api_version="2025-03-31.basil")
    old = await payment_checks.at_stripe(TEST, gateway())
    assert "API version 2025-03-31.basil" in old.found
    assert "is not sent checkout.session.*" in old.found
    assert API_VERSION in old.mend

    sandbox = Sandbox(None, now=lambda: at)
    every = [one.replace("*", "created") for one in payment_checks.EVENTS]
    every = ["charge.refunded" if one == "charge.refundcreated" else one for one in every]
    every = ["checkout.session.completed" if "session" in one else one for one in every]
    await endpoint(ours, enabled_events=every, api_version=API_VERSION)
    good = await payment_checks.at_stripe(TEST, gateway())
    assert good.ok, good
