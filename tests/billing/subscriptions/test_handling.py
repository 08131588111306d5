"""What an event asks for, whatever it names: a subscription, an invoice, a payment or a page."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from billing.gateway.refusals import StripeRefused
from billing.subscriptions.handling import Handler
from coalition.kernel.database import Engine
from coalition.kernel.money import Money
from tests.billing.gateway.recorded import Recorded, refused
from tests.billing.subscriptions.world import Club, open_club


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine) -> Club:
    assert database.pool is not None
    return runner.run(open_club())


class Seen:
    """Remembers what it was asked to look at."""

    def __init__(self) -> None:
        self.looked: list[str] = []

    async def look(self, target: str, at: datetime) -> None:
        assert at.tzinfo is not None
        self.looked.append(target)


async def test_an_invoice_and_its_payment_lead_to_their_subscription(club: Club) -> None:
    for name in ("invoice", "payment"):
        member = await club.member()
        subscription = await club.subscribe(member)
        (invoice,) = (await club.gateway.picture(subscription)).invoices
        target = invoice.id if name == "invoice" else invoice.payment_intent_ids[0]
        await club.handler.handle(target, club.at)
        assert await club.live(member) is not None


async def test_what_stripe_has_not_is_let_be(club: Club) -> None:
    seen = Seen()
    handler = Handler(club.gateway, checkouts=seen.look, payments=seen.look)
    for target in ("sub_no", "in_no", "cs_no", "ch_1"):
        await handler.handle(target, club.at)
        await club.handler.handle(target, club.at)
    assert seen.looked == []


async def test_a_page_for_a_single_payment_is_looked_at_and_so_is_the_payment(club: Club) -> None:
    seen = Seen()
    handler = Handler(club.gateway, checkouts=seen.look, payments=seen.look)
    page = await club.gateway.open_payment_checkout(
        "k",
        customer_id=None,
        money=Money(9_900, "SEK"),
        what="A gift",
        metadata={"gift_id": "g"},
        success_url="https://a.example",
        cancel_url="https://b.example",
    )
    made: Any = {"amount": 9_900, "currency": "sek"}
    payment = await club.stripe.payment_intents.create_async(made)
    for target in (page.id, payment.id):
        await handler.handle(target, club.at)
    assert seen.looked == [page.id, payment.id]


async def test_another_no_of_stripe_is_told(at: datetime) -> None:
    no = refused(400, code="parameter_unknown", message="Received unknown parameter")
    handler = Handler(Recorded({"GET /v1/invoices/in_1": [no]}).gateway())
    with pytest.raises(StripeRefused, match="unknown parameter"):
        await handler.handle("in_1", at)
