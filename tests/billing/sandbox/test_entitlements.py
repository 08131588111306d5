"""What a customer is entitled to at Stripe follows its subscriptions."""

import stripe

from tests.billing.sandbox.account import Account


async def test_active_entitlements_come_and_go_with_a_subscription() -> None:
    account = Account()
    price = await plan_with_feature(account)
    customer = await account.stripe.v1.customers.create_async({"payment_method": "pm_card_visa"})
    card = (await account.stripe.v1.payment_methods.list_async({"customer": customer.id})).data[0]
    subscription = await account.stripe.v1.subscriptions.create_async(
        {
            "customer": customer.id,
            "items": [{"price": price.id}],
            "default_payment_method": card.id,
        }
    )
    assert subscription.status == "active"
    assert await keys_of(account, customer.id) == ["free-shipping"]
    await account.stripe.v1.subscriptions.cancel_async(subscription.id)
    assert await keys_of(account, customer.id) == []
    assert await account.count("entitlements.active_entitlement_summary.updated") == 2


async def plan_with_feature(account: Account) -> stripe.Price:
    """Make a plan of ten euros a month with free shipping."""
    feature = await account.stripe.v1.entitlements.features.create_async(
        {"name": "Free shipping", "lookup_key": "free-shipping"}
    )
    product = await account.stripe.v1.products.create_async({"name": "Plus"})
    await account.stripe.v1.products.features.create_async(
        product.id, {"entitlement_feature": feature.id}
    )
    return await account.stripe.v1.prices.create_async(
        {
            "product": product.id,
            "currency": "eur",
            "unit_amount": 1000,
            "recurring": {"interval": "month"},
        }
    )


async def keys_of(account: Account, customer: str) -> list[str]:
    """Return the keys of what a customer is entitled to, each with its feature expanded."""
    active = await account.stripe.v1.entitlements.active_entitlements.list_async(
        {"customer": customer, "expand": ["data.feature"]}
    )
    assert all(isinstance(each.feature, stripe.entitlements.Feature) for each in active.data)
    return [each.lookup_key for each in active.data]
