"""Idempotency keys and injected faults: a client that repeats itself does a thing once."""

import asyncio
from datetime import timedelta

import pytest
import stripe

from billing.sandbox.faults import Kind, Limit
from tests.billing.sandbox.account import Account


@pytest.fixture
def account() -> Account:
    return Account()


async def create(account: Account, key: str, email: str = "ada@example.com") -> stripe.Customer:
    return await account.stripe.v1.customers.create_async(
        {"email": email}, {"idempotency_key": key}
    )


async def test_the_same_wish_under_the_same_key_is_done_once(account: Account) -> None:
    first, second = await create(account, "k"), await create(account, "k")
    assert first.id == second.id
    assert second.last_response is not None
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert first.last_response is not None
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert await account.count("customer.created") == 1


async def test_another_wish_under_the_same_key_is_refused(account: Account) -> None:
    await create(account, "k")
    with pytest.raises(stripe.IdempotencyError) as error:
        await create(account, "k", "bob@example.com")
    assert error.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        await account.stripe.v1.products.create_async({"name": "x"}, {"idempotency_key": "k"})


async def test_a_key_is_forgotten_after_a_day(account: Account) -> None:
    await create(account, "k")
    account.wait(timedelta(days=1, seconds=1))
    await create(account, "k", "bob@example.com")
    assert await account.count("customer.created") == 2


async def test_a_refusal_is_not_kept_under_its_key_but_a_decline_is(account: Account) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await account.stripe.v1.customers.create_async(
            {"payment_method": "pm_none"}, {"idempotency_key": "k"}
        )
    await create(account, "k")
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await account.stripe.v1.payment_intents.create_async(
                {
                    "amount": 100,
                    "currency": "eur",
                    "payment_method": "pm_card_chargeDeclined",
                    "confirm": True,
                },
                {"idempotency_key": "d"},
            )
    assert await account.count("charge.failed") == 1


async def test_two_requests_with_one_key_at_once_are_a_conflict(account: Account) -> None:
    hold = account.sandbox.faults.hold(path="/v1/customers")
    first = asyncio.create_task(create(account, "k"))
    await hold.reached.wait()
    with pytest.raises(stripe.APIError, match="in-progress") as error:
        await create(account, "k")
    assert error.value.http_status == 409
    hold.released.set()
    assert (await first).id == (await create(account, "k")).id


@pytest.mark.parametrize(
    ("kind", "raised", "status"),
    [
        (Kind.RATE_LIMITED, stripe.RateLimitError, 429),
        (Kind.LOCK_TIMEOUT, stripe.RateLimitError, 429),
        (Kind.KEY_IN_USE, stripe.APIError, 409),
        (Kind.BROKEN, stripe.APIError, 500),
        (Kind.LOST, stripe.APIConnectionError, None),
    ],
)
@pytest.mark.parametrize("after", [False, True])
async def test_faults_strike_as_often_as_told_before_or_after_the_work(
    account: Account,
    kind: Kind,
    raised: type[stripe.StripeError],
    status: int | None,
    after: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    account.sandbox.faults.add(kind, times=2, method="POST", path="/v1/cust*", after=after)
    await account.stripe.v1.customers.list_async()
    for _ in range(2):
        with pytest.raises(raised) as error:
            await create(account, "k")
        assert error.value.http_status == status
    assert await account.count("customer.created") == (1 if after else 0)
    made = await create(account, "k")
    assert await account.count("customer.created") == 1
    assert made.last_response is not None
    assert ("Idempotent-Replayed" in made.last_response.headers) is after


async def test_a_rate_is_kept_by_all_requests_together(account: Account) -> None:
    account.sandbox.faults.limit = Limit(requests=2, seconds=1)
    await create(account, "a")
    await create(account, "b")
    with pytest.raises(stripe.RateLimitError):
        await create(account, "c")
    account.wait(timedelta(seconds=1))
    await create(account, "c")
    account.sandbox.faults.limit = None
    assert await account.count("customer.created") == 3
