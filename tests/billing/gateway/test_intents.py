"""Intents: what is asked of Stripe is written down first, and asked once."""

import asyncio
from datetime import datetime, timedelta

import pytest

from billing.gateway import intents
from billing.gateway.intents import Intent
from billing.gateway.refusals import IntentReused, StripeRefused, StripeUnavailable
from coalition.kernel.database import Engine, transaction

pytestmark = pytest.mark.usefixtures("database")


class Stripe:
    """Answers calls, or fails them, and counts."""

    def __init__(self, *outcomes: Exception | str) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0

    async def call(self) -> str:
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def _perform(stripe: Stripe, at: datetime, *, key: str = "k", price: str = "p") -> str:
    return await intents.perform("buy", key, {"price": price}, stripe.call, answer=str, at=at)


async def test_an_intent_is_stored_before_its_call_and_its_answer_after(at: datetime) -> None:
    async def call() -> str:
        async with transaction() as connection:
            row = await connection.fetchrow("SELECT * FROM stripe_intent")
        assert (row["key"], row["kind"], row["answered_at"]) == ("k", "buy", None)
        return "sub_1"

    assert not await intents.is_answered("k")
    made = await intents.perform("buy", "k", {"price": "p"}, call, answer=str, at=at)
    assert made == "sub_1"
    assert await intents.is_answered("k")


async def test_the_same_again_answers_the_same_without_a_call(at: datetime) -> None:
    stripe = Stripe("sub_1")
    assert [await _perform(stripe, at) for _ in range(3)] == ["sub_1"] * 3
    assert stripe.calls == 1


async def test_a_no_stays_a_no_under_its_key(at: datetime) -> None:
    stripe = Stripe(StripeRefused("card_declined", "lost_card", "Declined"))
    for _ in range(2):
        with pytest.raises(StripeRefused) as refused:
            await _perform(stripe, at)
        assert (refused.value.reason, refused.value.decline_code) == ("card_declined", "lost_card")
    assert stripe.calls == 1
    assert not await intents.is_answered("k")


async def test_what_was_left_without_answer_is_asked_again_by_its_caller(at: datetime) -> None:
    stripe = Stripe(StripeUnavailable(), "sub_1")
    with pytest.raises(StripeUnavailable):
        await _perform(stripe, at)
    assert await _perform(stripe, at + timedelta(minutes=1)) == "sub_1"


async def test_another_request_under_the_same_key_is_refused(at: datetime) -> None:
    stripe = Stripe("sub_1")
    await _perform(stripe, at)
    with pytest.raises(IntentReused):
        await _perform(stripe, at, price="other")
    with pytest.raises(IntentReused):
        await intents.perform("sell", "k", {"price": "p"}, stripe.call, answer=str, at=at)


async def test_two_at_once_call_under_one_key_and_have_one_answer(at: datetime) -> None:
    stripe = Stripe("sub_1", "sub_1")
    assert await asyncio.gather(*(_perform(stripe, at) for _ in range(2))) == ["sub_1"] * 2


async def test_what_a_dead_process_left_is_asked_again_while_stripe_knows_the_key(
    at: datetime,
) -> None:
    for key in ("done", "refused", "waits", "unknown", "old"):
        begun = at - timedelta(hours=30) if key == "old" else at
        with pytest.raises(StripeUnavailable):
            await _perform(Stripe(StripeUnavailable()), begun, key=key)
    outcomes = {
        "done": Stripe("sub_1"),
        "refused": Stripe(StripeRefused("expired", None, "Too late")),
        "waits": Stripe(StripeUnavailable()),
    }

    async def buy(one: Intent) -> str:
        assert one.request == {"price": "p"}
        return await outcomes.get(one.key, Stripe("sub_2")).call()

    soon = at + timedelta(minutes=1)
    assert await intents.recover({"buy": buy}, soon) == 0
    later = at + timedelta(minutes=3)
    assert await intents.recover({"sell": buy}, later) == 0
    assert await intents.recover({"buy": buy}, later) == 3
    assert [one.key for one in await intents.unanswered(later)] == ["waits"]
    assert await _perform(Stripe(), later, key="done") == "sub_1"
    with pytest.raises(StripeRefused, match="Too late"):
        await _perform(Stripe(), later, key="refused")
    assert await intents.count_lost(later) == 1


async def test_a_retry_is_its_callers_for_a_while(database: Engine, at: datetime) -> None:
    assert database.pool is not None
    with pytest.raises(StripeUnavailable):
        await _perform(Stripe(StripeUnavailable()), at)
    with pytest.raises(StripeUnavailable):
        await _perform(Stripe(StripeUnavailable()), at + timedelta(minutes=2))
    assert await intents.unanswered(at + timedelta(minutes=3)) == []
