"""Refunds and disputes: money that goes back, and what is told of it."""

import pytest
import stripe

from billing.sandbox.engine import disputes
from tests.billing.sandbox.shop import Shop


async def paid(shop: Shop, card: str = "pm_card_visa") -> str:
    """Return the payment intent of a subscription that was just paid, 99.00 SEK."""
    subscription = await shop.subscribe(await shop.customer(card), await shop.price(9900))
    (invoice,) = await shop.invoices(subscription.id)
    assert invoice.payments is not None
    intent = invoice.payments.data[0].payment.payment_intent
    assert isinstance(intent, str)
    return intent


async def charge_of(shop: Shop, intent: str) -> stripe.Charge:
    found = await shop.client.charges.list_async(
        {"payment_intent": intent, "expand": ["data.refunds"]}
    )
    return found.data[0]


async def test_a_part_and_then_the_rest_is_refunded_and_never_more() -> None:
    shop = Shop()
    await shop.listen()
    intent = await paid(shop)
    await shop.told()
    refunds = shop.client.refunds
    part = await refunds.create_async(
        {"payment_intent": intent, "amount": 4000, "metadata": {"why": "withdrawal"}}
    )
    assert (part.status, part.amount, part.currency) == ("succeeded", 4000, "sek")
    assert await shop.told() == ["refund.created", "charge.refunded"]
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await refunds.create_async({"payment_intent": intent, "amount": 5901})
    rest = await refunds.create_async({"charge": (await charge_of(shop, intent)).id})
    assert rest.amount == 5900
    charge = await charge_of(shop, intent)
    assert (charge.refunded, charge.amount_refunded) == (True, 9900)
    assert charge.refunds is not None
    assert [refund.id for refund in charge.refunds.data] == [rest.id, part.id]
    with pytest.raises(stripe.InvalidRequestError) as error:
        await refunds.create_async({"payment_intent": intent})
    assert error.value.code == "charge_already_refunded"
    listed = await refunds.list_async({"payment_intent": intent})
    assert [refund.amount for refund in listed.data] == [5900, 4000]


@pytest.mark.parametrize(
    ("card", "begins", "ends", "left"),
    [
        ("pm_card_pendingRefund", "pending", "succeeded", 9900),
        ("pm_card_refundFail", "succeeded", "failed", 0),
    ],
)
async def test_a_refund_may_take_days_or_fail(card: str, begins: str, ends: str, left: int) -> None:
    shop = Shop()
    intent = await paid(shop, card)
    refund = await shop.client.refunds.create_async({"payment_intent": intent})
    assert refund.status == begins
    await shop.advance(days=2)
    assert (await shop.client.refunds.retrieve_async(refund.id)).status == ends
    assert (await charge_of(shop, intent)).amount_refunded == left


@pytest.mark.parametrize(
    ("evidence", "status", "last"),
    [
        ("winning_evidence", "won", ["charge.dispute.funds_reinstated", "charge.dispute.closed"]),
        ("losing_evidence", "lost", ["charge.dispute.updated", "charge.dispute.closed"]),
    ],
)
async def test_a_dispute_takes_the_money_and_is_won_or_lost_by_the_evidence(
    evidence: str, status: str, last: list[str]
) -> None:
    shop = Shop()
    await shop.listen()
    intent = await paid(shop, "pm_card_createDispute")
    (dispute,) = (await shop.client.disputes.list_async({"payment_intent": intent})).data
    assert (dispute.status, dispute.amount) == ("needs_response", 9900)
    assert (await charge_of(shop, intent)).disputed
    told = await shop.told()
    assert told.index("charge.dispute.created") < told.index("charge.dispute.funds_withdrawn")
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        await shop.client.refunds.create_async({"payment_intent": intent})
    after = await shop.client.disputes.update_async(
        dispute.id, {"evidence": {"uncategorized_text": evidence}, "submit": True}
    )
    assert after.status == status
    assert (await shop.told())[-2:] == last
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        await shop.client.disputes.close_async(dispute.id)


async def test_a_dispute_that_nobody_answers_is_lost() -> None:
    shop = Shop()
    intent = await paid(shop)
    charge = await charge_of(shop, intent)
    with shop.sandbox.store.transaction() as transaction:
        world = shop.sandbox.world(transaction)
        opened = disputes.open_one(world, world.get("charge", charge.id), reason="general")
    await shop.advance(days=7)
    assert (await shop.client.disputes.retrieve_async(opened["id"])).status == "lost"
