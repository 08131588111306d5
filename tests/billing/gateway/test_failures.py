"""What fails between Stripe and us: asked again where it may pass, told where it may not."""

import httpx
import pytest

from billing.gateway.patience import Passing, patiently
from billing.gateway.refusals import StripeRefused, StripeUnavailable
from tests.billing.gateway.recorded import Recorded, refused


@pytest.mark.parametrize(
    "failure",
    [
        refused(429, message="slow down", code="rate_limit"),
        refused(409, message="busy", code="lock_timeout"),
        refused(500, message="oops"),
        httpx.Response(502, text="<html>"),
        refused(400, message="busy", code="rate_limit"),
        httpx.ConnectError("no route"),
        httpx.ReadTimeout("too slow"),
    ],
    ids=range(7),
)
async def test_what_fails_in_passing_is_asked_again_under_the_same_key(
    failure: httpx.Response | Exception,
) -> None:
    stripe = Recorded({"POST /v1/products": [failure, failure, {"id": "prod_1"}]})
    assert await stripe.gateway().product("k", "plus", "Plus") == "prod_1"
    assert [one.key for one in stripe.asked] == ["k", "k", "k"]


async def test_what_goes_on_failing_is_told_as_unavailable() -> None:
    stripe = Recorded({"POST /v1/products": [refused(503, message="down")]})
    with pytest.raises(StripeUnavailable):
        await stripe.gateway().product("k", "plus", "Plus")
    assert len(stripe.asked) == 4


async def test_stripe_may_say_whether_to_ask_again() -> None:
    told = httpx.Response(500, json={"error": {}}, headers={"stripe-should-retry": "false"})
    stripe = Recorded({"POST /v1/products": [told]})
    with pytest.raises(StripeRefused):
        await stripe.gateway().product("k", "plus", "Plus")
    assert len(stripe.asked) == 1
    headers = {"stripe-should-retry": "true", "retry-after": "1"}
    again = httpx.Response(400, json={"error": {"message": "wait"}}, headers=headers)
    stripe = Recorded({"POST /v1/products": [again, {"id": "prod_1"}]})
    assert await stripe.gateway().product("k", "plus", "Plus") == "prod_1"


async def test_a_no_of_stripe_is_told_with_its_reason() -> None:
    declined = {"message": "Your card was declined.", "code": "card_declined"}
    stripe = Recorded(
        {
            "POST /v1/subscriptions/sub_1": [
                refused(402, type="card_error", decline_code="insufficient_funds", **declined),
                refused(404, type="invalid_request_error", code="resource_missing", message="No"),
                refused(400, type="idempotency_error", message="Keys for idempotent requests"),
            ]
        }
    )
    gateway = stripe.gateway()
    found = []
    for _ in range(3):
        with pytest.raises(StripeRefused) as raised:
            await gateway.resume("k", "sub_1")
        found.append(raised.value)
    assert [one.reason for one in found] == [
        "card_declined",
        "resource_missing",
        "idempotency_error",
    ]
    assert (found[0].decline_code, found[0].message) == (
        "insufficient_funds",
        "Your card was declined.",
    )
    assert found[1].is_missing
    assert len(stripe.asked) == 3


async def test_a_key_that_is_not_accepted_is_the_operators_to_mend() -> None:
    stripe = Recorded({"POST /v1/products": [refused(401, message="Invalid API Key")]})
    with pytest.raises(StripeUnavailable, match="tell the operator"):
        await stripe.gateway().product("k", "plus", "Plus")
    assert len(stripe.asked) == 1


async def test_waiting_is_no_longer_than_the_last_pause_however_long_is_asked_for() -> None:
    attempts = 0

    async def attempt() -> int:
        nonlocal attempts
        attempts += 1
        if attempts < 2:
            raise Passing(ConnectionError(), wait_s=86_400.0)
        return attempts

    assert await patiently(attempt, (0.0, 0.001)) == 2
