"""Products, prices, coupons, promotion codes and features through Stripe's own client."""

from datetime import timedelta

import pytest
import stripe

from tests.billing.sandbox.account import START, Account

NOW = int(START.timestamp())


@pytest.fixture
def account() -> Account:
    return Account()


async def test_a_plan_is_a_product_with_prices_that_keep_their_amounts(account: Account) -> None:
    product = await account.stripe.v1.products.create_async(
        {"id": "plan_plus", "name": "Plus", "metadata": {"plan": "plus"}}
    )
    prices = account.stripe.v1.prices
    price = await prices.create_async(
        {
            "product": product.id,
            "currency": "EUR",
            "unit_amount": 7900,
            "recurring": {"interval": "year"},
            "tax_behavior": "inclusive",
            "lookup_key": "plus_year",
            "currency_options": {"chf": {"unit_amount": 8500}},
            "expand": ["currency_options"],
        }
    )
    assert (price.currency, price.type, price.unit_amount) == ("eur", "recurring", 7900)
    assert price.currency_options is not None
    options = price.currency_options.to_dict()
    assert {currency: option["unit_amount"] for currency, option in options.items()} == {
        "eur": 7900,
        "chf": 8500,
    }
    changed = await prices.update_async(price.id, {"active": False, "nickname": "old"})
    assert (changed.active, changed.nickname) == (False, "old")
    with pytest.raises(stripe.InvalidRequestError, match="cannot be deleted"):
        await account.stripe.v1.products.delete_async(product.id)
    with pytest.raises(stripe.InvalidRequestError) as error:
        await account.stripe.v1.products.create_async({"id": "plan_plus", "name": "Plus"})
    assert error.value.code == "resource_already_exists"


async def test_a_lookup_key_is_one_prices_and_can_be_handed_on(account: Account) -> None:
    product = await account.stripe.v1.products.create_async({"name": "Plus"})
    prices = account.stripe.v1.prices
    old = await prices.create_async(
        {"product": product.id, "currency": "eur", "unit_amount": 79, "lookup_key": "plus"}
    )
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        await prices.create_async(
            {"product": product.id, "currency": "eur", "unit_amount": 99, "lookup_key": "plus"}
        )
    new = await prices.create_async(
        {
            "product": product.id,
            "currency": "eur",
            "unit_amount": 99,
            "lookup_key": "plus",
            "transfer_lookup_key": True,
        }
    )
    found = await prices.list_async({"lookup_keys": ["plus"]})
    assert [each.id for each in found.data] == [new.id]
    assert (await prices.retrieve_async(old.id)).lookup_key is None


async def test_a_coupon_is_good_until_it_is_used_up_or_its_day_is_past(account: Account) -> None:
    coupons = account.stripe.v1.coupons
    coupon = await coupons.create_async(
        {"id": "WELCOME", "percent_off": 20, "duration": "once", "redeem_by": NOW + 60}
    )
    assert (coupon.valid, coupon.percent_off) == (True, 20.0)
    codes = account.stripe.v1.promotion_codes
    code = await codes.create_async(
        {"promotion": {"type": "coupon", "coupon": "WELCOME"}, "code": "Spring"}
    )
    assert code.code == "SPRING"
    assert (await codes.list_async({"code": "spring", "active": True})).data[0].id == code.id
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        await codes.create_async(
            {"promotion": {"type": "coupon", "coupon": "WELCOME"}, "code": "SPRING"}
        )
    account.wait(timedelta(minutes=1))
    assert (await coupons.retrieve_async("WELCOME")).valid is False
    assert (await codes.retrieve_async(code.id)).active is False


@pytest.mark.parametrize(
    "params",
    [
        {"percent_off": 20, "amount_off": 5, "currency": "eur"},
        {"percent_off": 120},
        {"amount_off": 500},
        {"percent_off": 20, "duration": "repeating"},
    ],
    ids=["both", "too much", "no currency", "no months"],
)
async def test_coupons_that_say_too_little_or_too_much_are_refused(
    account: Account, params: stripe.params.CouponCreateParams
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await account.stripe.v1.coupons.create_async(params)


async def test_features_belong_to_products(account: Account) -> None:
    feature = await account.stripe.v1.entitlements.features.create_async(
        {"name": "Free shipping", "lookup_key": "free-shipping"}
    )
    product = await account.stripe.v1.products.create_async({"name": "Plus"})
    features = account.stripe.v1.products.features
    await features.create_async(product.id, {"entitlement_feature": feature.id})
    listed = await features.list_async(product.id)
    assert [each.entitlement_feature.lookup_key for each in listed.data] == ["free-shipping"]
    with pytest.raises(stripe.InvalidRequestError):
        await account.stripe.v1.entitlements.features.create_async(
            {"name": "Again", "lookup_key": "free-shipping"}
        )
    customer = await account.customer()
    active = await account.stripe.v1.entitlements.active_entitlements.list_async(
        {"customer": customer}
    )
    assert active.data == []
