"""Customers, cards and intents through Stripe's own client, held against Stripe's definitions."""

import pytest
import stripe

from tests.billing.sandbox.account import Account


@pytest.fixture
def world() -> Account:
    return Account()


async def test_a_customer_is_made_changed_and_listed(world: Account) -> None:
    customers = world.stripe.v1.customers
    made = await customers.create_async(
        {
            "email": "ada@example.com",
            "metadata": {"member_id": "1", "shop": "x"},
            "address": {"country": "DE"},
            "payment_method": "pm_card_visa",
        }
    )
    method = (await world.stripe.v1.payment_methods.list_async({"customer": made.id})).data[0]
    changed = await customers.update_async(
        made.id,
        {
            "name": "Ada",
            "metadata": {"shop": ""},
            "invoice_settings": {"default_payment_method": method.id},
        },
    )
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"member_id": "1"}
    assert changed.invoice_settings is not None
    assert changed.invoice_settings.default_payment_method == method.id
    found = await customers.list_async(
        {"email": "ada@example.com", "expand": ["data.default_source"]}
    )
    assert [each.id for each in found.data] == [made.id]
    event = (await world.stripe.v1.events.list_async({"type": "customer.updated"})).data[0]
    assert event.data.previous_attributes is not None
    assert event.data.previous_attributes.to_dict() == {
        "invoice_settings": {"default_payment_method": None},
        "metadata": {"shop": "x"},
        "name": None,
    }


async def test_a_deleted_customer_is_told_as_such_and_refused_elsewhere(world: Account) -> None:
    id_ = await world.customer()
    await world.stripe.v1.customers.delete_async(id_)
    assert (await world.stripe.v1.customers.retrieve_async(id_)).deleted is True
    assert (await world.stripe.v1.customers.list_async()).data == []
    with pytest.raises(stripe.InvalidRequestError) as error:
        await world.stripe.v1.payment_intents.create_async(
            {"amount": 100, "currency": "eur", "customer": id_}
        )
    assert (error.value.code, error.value.param) == ("resource_missing", "customer")


async def test_a_good_card_pays_and_leaves_its_charge_and_balance(world: Account) -> None:
    paid = await world.stripe.v1.payment_intents.create_async(
        {
            "amount": 7900,
            "currency": "eur",
            "customer": await world.customer(),
            "payment_method": "pm_card_visa",
            "setup_future_usage": "off_session",
            "confirm": True,
            "expand": ["latest_charge.balance_transaction", "payment_method"],
        }
    )
    assert (paid.status, paid.amount_received) == ("succeeded", 7900)
    assert isinstance(paid.latest_charge, stripe.Charge)
    assert isinstance(paid.latest_charge.balance_transaction, stripe.BalanceTransaction)
    assert paid.latest_charge.balance_transaction.net == 7900 - 144
    assert isinstance(paid.payment_method, stripe.PaymentMethod)
    assert paid.payment_method.customer == paid.customer
    assert await world.events() == [
        "customer.created",
        "payment_intent.created",
        "payment_method.attached",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
    ],
)
async def test_a_declined_card_leaves_the_intent_with_its_error(
    world: Account, card: str, code: str, decline_code: str | None
) -> None:
    with pytest.raises(stripe.CardError) as error:
        await world.stripe.v1.payment_intents.create_async(
            {"amount": 100, "currency": "eur", "payment_method": card, "confirm": True}
        )
    assert error.value.code == code
    assert error.value.http_status == 402
    assert error.value.error is not None
    assert error.value.error.payment_intent is not None
    kept = await world.stripe.v1.payment_intents.retrieve_async(
        error.value.error.payment_intent.id, {"expand": ["latest_charge"]}
    )
    assert kept.status == "requires_payment_method"
    assert kept.last_payment_error is not None
    assert kept.last_payment_error.to_dict().get("decline_code") == decline_code
    assert isinstance(kept.latest_charge, stripe.Charge)
    assert kept.latest_charge.status == "failed"
    assert (await world.events())[-2:] == ["charge.failed", "payment_intent.payment_failed"]


async def test_a_card_that_only_fails_when_charged_can_be_kept_by_a_customer(
    world: Account,
) -> None:
    customer = await world.customer()
    methods = world.stripe.v1.payment_methods
    kept = await methods.attach_async("pm_card_chargeCustomerFail", {"customer": customer})
    assert kept.customer == customer
    with pytest.raises(stripe.CardError):
        await methods.attach_async("pm_card_chargeDeclined", {"customer": customer})


@pytest.mark.parametrize(("outcome", "status"), [("complete", "succeeded"), ("fail", "failed")])
async def test_3d_secure_is_a_page_that_sends_back(
    world: Account, outcome: str, status: str
) -> None:
    waiting = await world.stripe.v1.payment_intents.create_async(
        {
            "amount": 100,
            "currency": "eur",
            "payment_method": "pm_card_threeDSecure2Required",
            "confirm": True,
            "return_url": "http://shop/back?a=1",
        }
    )
    assert waiting.status == "requires_action"
    assert waiting.next_action is not None
    assert waiting.next_action.redirect_to_url is not None
    url = waiting.next_action.redirect_to_url.url
    assert url is not None
    assert "Complete authentication" in (await world.browser.get(url)).text
    answer = await world.browser.post(url, data={"outcome": outcome})
    assert answer.status_code == 303
    assert f"redirect_status={status}" in answer.headers["location"]
    ended = await world.stripe.v1.payment_intents.retrieve_async(waiting.id)
    assert ended.status == ("succeeded" if outcome == "complete" else "requires_payment_method")


async def test_off_session_a_card_that_asks_declines_unless_it_was_set_up(world: Account) -> None:
    customer = await world.customer()
    setup = await world.stripe.v1.setup_intents.create_async(
        {
            "customer": customer,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
        }
    )
    assert setup.status == "requires_action"
    await world.browser.post(f"/3ds/{setup.id}", data={"outcome": "complete"})
    assert (await world.stripe.v1.setup_intents.retrieve_async(setup.id)).status == "succeeded"
    card = (await world.stripe.v1.customers.payment_methods.list_async(customer)).data[0]
    paid = await world.stripe.v1.payment_intents.create_async(
        {
            "amount": 100,
            "currency": "eur",
            "customer": customer,
            "payment_method": card.id,
            "off_session": True,
            "confirm": True,
        }
    )
    assert paid.status == "succeeded"
    with pytest.raises(stripe.CardError, match="requires authentication") as error:
        await world.stripe.v1.payment_intents.create_async(
            {
                "amount": 100,
                "currency": "eur",
                "payment_method": "pm_card_authenticationRequired",
                "off_session": True,
                "confirm": True,
            }
        )
    assert error.value.code == "authentication_required"


async def test_money_is_reserved_and_captured_in_part(world: Account) -> None:
    intents = world.stripe.v1.payment_intents
    held = await intents.create_async(
        {
            "amount": 1000,
            "currency": "eur",
            "payment_method": "pm_card_visa",
            "capture_method": "manual",
            "confirm": True,
        }
    )
    assert (held.status, held.amount_capturable) == ("requires_capture", 1000)
    taken = await intents.capture_async(held.id, {"amount_to_capture": 600})
    assert (taken.status, taken.amount_received) == ("succeeded", 600)
    with pytest.raises(stripe.InvalidRequestError):
        await intents.cancel_async(held.id)


async def test_a_number_typed_is_a_test_card_and_has_a_fingerprint(world: Account) -> None:
    methods = world.stripe.v1.payment_methods
    typed = await methods.create_async(
        {"type": "card", "card": {"number": "4242424242424242", "exp_month": 5, "exp_year": 2030}}
    )
    named = await methods.create_async({"type": "card", "card": {"token": "tok_visa"}})
    assert typed.card is not None
    assert named.card is not None
    assert typed.card.fingerprint == named.card.fingerprint
    with pytest.raises(stripe.CardError) as error:
        await methods.create_async({"type": "card", "card": {"number": "4242424242424241"}})
    assert error.value.code == "incorrect_number"


async def test_a_detached_card_pays_no_more(world: Account) -> None:
    customer = await world.customer()
    methods = world.stripe.v1.payment_methods
    card = await methods.attach_async("pm_card_visa", {"customer": customer})
    await methods.detach_async(card.id)
    assert (await methods.list_async({"customer": customer})).data == []
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await methods.attach_async(card.id, {"customer": customer})


async def test_what_is_to_a_customers_credit_is_kept_with_its_steps(world: Account) -> None:
    customer = await world.customer()
    transactions = world.stripe.v1.customers.balance_transactions
    await transactions.create_async(customer, {"amount": -500, "currency": "eur"})
    after = await transactions.create_async(customer, {"amount": 200, "currency": "eur"})
    assert after.ending_balance == -300
    assert (await world.stripe.v1.customers.retrieve_async(customer)).balance == -300


@pytest.mark.parametrize(("currency", "least"), [("eur", 50), ("sek", 300), ("jpy", 50)])
async def test_too_little_money_is_not_charged(world: Account, currency: str, least: int) -> None:
    intents = world.stripe.v1.payment_intents
    assert (await intents.create_async({"amount": least, "currency": currency})).amount == least
    with pytest.raises(stripe.InvalidRequestError) as error:
        await intents.create_async({"amount": least - 1, "currency": currency})
    assert error.value.code == "amount_too_small"
