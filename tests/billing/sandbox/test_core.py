"""The ground of the sandbox: keys, errors, lists, expansions, versions, what is not there."""

import json

import httpx
import pytest
import stripe

from tests.billing.sandbox.account import Account
from tests.support.stripe_sandbox import TEST_KEY, client_of


@pytest.fixture
def account() -> Account:
    return Account()


async def test_what_stripe_has_and_the_sandbox_lacks_is_501_what_stripe_lacks_404(
    account: Account,
) -> None:
    with pytest.raises(stripe.APIError, match="this sandbox does not") as error:
        await account.stripe.v1.payouts.create_async({"amount": 1, "currency": "eur"})
    assert error.value.http_status == 501
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as unknown:
        await account.stripe.raw_request_async("get", "/v1/points")
    assert unknown.value.http_status == 404


@pytest.mark.parametrize("key", ["sk_live_1", "rk_live_1", "pk_test_1", "whatever"])
async def test_only_secret_test_keys_are_let_in(account: Account, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError):
        await client_of(account.sandbox.application, key=key).v1.customers.list_async()


async def test_a_request_without_a_key_is_refused(account: Account) -> None:
    answer = await account.browser.get("/v1/customers")
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_key_may_come_as_a_name_without_a_password(account: Account) -> None:
    answer = await account.browser.get("/v1/customers", auth=(TEST_KEY, ""))
    assert answer.status_code == 200
    answer = await account.browser.get("/v1/customers", headers={"Authorization": "Basic !"})
    assert answer.status_code == 401


async def test_each_answer_has_its_request_id_and_the_version_asked_for(account: Account) -> None:
    headers = {"Authorization": f"Bearer {TEST_KEY}", "Stripe-Version": "2025-01-27.acacia"}
    answer = await account.browser.get("/v1/customers", headers=headers)
    assert answer.headers["stripe-version"] == "2025-01-27.acacia"
    assert answer.headers["request-id"].startswith("req_")


async def test_a_missing_object_is_404_in_the_path_and_400_in_a_parameter(account: Account) -> None:
    with pytest.raises(stripe.InvalidRequestError) as in_path:
        await account.stripe.v1.customers.retrieve_async("cus_none")
    assert (in_path.value.http_status, in_path.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as in_parameter:
        await account.stripe.v1.prices.create_async(
            {"product": "prod_none", "currency": "eur", "unit_amount": 1}
        )
    assert (in_parameter.value.http_status, in_parameter.value.param) == (400, "product")


async def test_lists_go_by_pages_in_both_directions(account: Account) -> None:
    made = [await account.customer() for _ in range(5)]
    customers = account.stripe.v1.customers
    first = await customers.list_async({"limit": 2})
    assert [each.id for each in first.data] == [made[4], made[3]]
    assert first.has_more is True
    second = await customers.list_async({"limit": 2, "starting_after": made[3]})
    assert [each.id for each in second.data] == [made[2], made[1]]
    back = await customers.list_async({"limit": 2, "ending_before": made[1]})
    assert [each.id for each in back.data] == [made[3], made[2]]
    last = await customers.list_async({"limit": 2, "starting_after": made[1]})
    assert ([each.id for each in last.data], last.has_more) == ([made[0]], False)
    walked = [
        each.id async for each in (await customers.list_async({"limit": 2})).auto_paging_iter()
    ]
    assert walked == made[::-1]


async def test_lists_can_be_bounded_by_when_things_were_made(account: Account) -> None:
    await account.customer()
    bound = int(account.at.timestamp()) + 1
    found = await account.stripe.v1.customers.list_async({"created": {"gte": bound}})
    assert found.data == []
    found = await account.stripe.v1.customers.list_async({"created": {"lt": bound}})
    assert len(found.data) == 1


async def test_references_are_expanded_when_asked_for_and_refused_where_there_are_none(
    account: Account,
) -> None:
    product = await account.stripe.v1.products.create_async(
        {"name": "Plus", "default_price_data": {"currency": "eur", "unit_amount": 7900}}
    )
    found = await account.stripe.v1.products.list_async({"expand": ["data.default_price.product"]})
    price = found.data[0].default_price
    assert isinstance(price, stripe.Price)
    assert isinstance(price.product, stripe.Product)
    assert price.product.id == product.id
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await account.stripe.v1.products.retrieve_async(product.id, {"expand": ["name"]})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await account.stripe.v1.products.retrieve_async(product.id, {"expand": ["nothing"]})


async def test_what_is_refused_leaves_nothing_behind(account: Account) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await account.stripe.v1.customers.create_async({"payment_method": "pm_none"})
    assert (await account.stripe.v1.customers.list_async()).data == []
    assert await account.events() == []


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ("emial=a", "emial", "parameter_unknown"),
        ("balance=ten", "balance", "parameter_invalid_integer"),
        ("tax_exempt=perhaps", "tax_exempt", None),
        ("shipping[address][line1]=x", "shipping[name]", "parameter_missing"),
        ("metadata=x", "metadata", None),
    ],
)
async def test_stripes_own_definitions_refuse_what_stripe_would_refuse(
    account: Account, body: str, param: str, code: str | None
) -> None:
    headers = {
        "Authorization": f"Bearer {TEST_KEY}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    answer = await account.browser.post("/v1/customers", headers=headers, content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error.get("code")) == (400, param, code)


async def test_parameters_that_would_have_to_be_ignored_are_told(account: Account) -> None:
    product = await account.stripe.v1.products.create_async({"name": "Plus"})
    with pytest.raises(stripe.APIError, match="no prices with tiers"):
        await account.stripe.v1.prices.create_async(
            {
                "product": product.id,
                "currency": "eur",
                "billing_scheme": "tiered",
                "tiers": [{"up_to": "inf", "unit_amount": 5}],
            }
        )


async def test_it_speaks_to_servers_at_their_start_and_end(account: Account) -> None:
    said: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": f"lifespan.{'shutdown' if said else 'startup'}"}

    async def send(message: dict[str, str]) -> None:
        said.append(message["type"])

    await account.sandbox.application({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]  # plain dicts
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_where_it_is_mounted_does_not_matter() -> None:
    from billing.sandbox import Sandbox
    from tests.billing.sandbox.account import START

    sandbox = Sandbox(None, now=lambda: START, prefix="/sandbox")
    transport = httpx.ASGITransport(app=sandbox.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://us") as browser:
        headers = {"Authorization": f"Bearer {TEST_KEY}"}
        answer = await browser.get("/sandbox/v1/customers", headers=headers)
    assert json.loads(answer.text)["url"] == "/v1/customers"
