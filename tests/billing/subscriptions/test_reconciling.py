"""What was missed is found and repaired: events, subscriptions, money; what is wrong is told."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from billing.gateway import intents
from billing.gateway.refusals import StripeUnavailable
from billing.subscriptions import reconciling
from billing.subscriptions.drifts import differences
from billing.subscriptions.reconciling import Report
from coalition.kernel.database import Engine, transaction
from server import proof
from tests.billing.gateway.webhooks import rows
from tests.billing.subscriptions.pictures import MONTH, dispute, invoice, line, picture, refund
from tests.billing.subscriptions.world import Club, open_club


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine) -> Club:
    assert database.pool is not None
    return runner.run(open_club())


async def _reconcile(club: Club, **how: Any) -> Report:
    return await reconciling.reconcile(club.handler, club.at, **({"whole": False} | how))


def _lost(sent: list[Any]) -> list[Any]:
    del sent
    return []


async def test_a_day_of_lost_webhooks_is_repaired_within_the_hour(club: Club) -> None:
    members = [await club.member() for _ in range(3)]
    subscriptions = [await club.subscribe(member) for member in members]
    await club.hear()
    assert (await _reconcile(club)).drifted == 0
    await club.advance(days=1)
    await club.gateway.cancel_now("k", subscriptions[0])
    (paid,) = (await club.gateway.picture(subscriptions[1])).invoices
    await club.gateway.refund("k2", paid.payment_intent_ids[0], paid.total, {})
    late = await club.subscribe(await club.member())
    await club.hear(_lost)
    dry = await _reconcile(club, dry_run=True)
    assert (dry.drifted, dry.repaired) == (2, 0)
    assert await club.live(members[0]) is not None
    report = await _reconcile(club)
    assert report.missed_events == dry.missed_events > 5
    assert {one.subscription for one in report.drifts} == {subscriptions[0], late}
    assert await club.live(members[0]) is None
    assert await club.net(members[1]) == {"SEK": 0}
    assert all(row["handled_at"] is not None for row in await rows())
    again = await _reconcile(club)
    assert (again.missed_events, again.drifted) == (0, 0)
    assert await reconciling.latest() == again
    assert (await proof.prove()).breaches == []


async def test_the_whole_finds_what_no_event_tells_of(club: Club) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    await club.subscribe(await club.member(), metadata={})
    await club.hear(_lost)
    await club.advance(days=40)
    await club.hear(_lost)
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO stripe_subscription (bucket, id) VALUES (1, 'sub_gone')"
        )
    # Stripe lists events of the last thirty days; the start is older.
    hourly = await _reconcile(club)
    whole = await _reconcile(club, whole=True)
    assert hourly.is_whole is False
    assert whole.looked_at >= 2
    told = {one.subscription: one.differences for one in (*hourly.drifts, *whole.drifts)}
    assert told["sub_gone"] == ("unknown to Stripe",)
    assert subscription in told
    assert await club.net(member) == {"SEK": 2 * 9_900}
    assert [one.subscription for one in (await _reconcile(club, whole=True)).drifts] == ["sub_gone"]


async def test_a_price_that_is_not_ours_is_told_each_time(club: Club) -> None:
    product = await club.gateway.product("k", "foreign", "Foreign")
    foreign = await club.stripe.prices.create_async(
        {
            "product": product,
            "currency": "sek",
            "unit_amount": 5_000,
            "recurring": {"interval": "month"},
        }
    )
    club.prices["foreign"] = foreign.id
    await club.subscribe(await club.member(), "foreign")
    await club.hear()
    report = await _reconcile(club, whole=True)
    (only,) = report.drifts
    assert only.differences == (f"price {foreign.id} is none of ours",)


async def test_calls_whose_answer_nobody_knows_are_counted(club: Club) -> None:
    async def call() -> str:
        raise StripeUnavailable

    with pytest.raises(StripeUnavailable):
        await intents.perform("refund", "k", {}, call, answer=str, at=club.at - timedelta(days=2))
    assert (await _reconcile(club)).lost_intents == 1


async def test_before_the_first_there_is_none(club: Club) -> None:
    assert await reconciling.latest() is None


def test_what_differs_is_told_in_words() -> None:
    one = picture(MONTH, refunds=(refund(1, 5, 100),))
    other = picture(
        invoice(1, line(1, 31), paid_minor=1),
        invoice(2, line(31, 61)),
        disputes=(dispute(1, 9),),
        cancel_at_period_end=True,
    )
    assert differences(None, one) == ("unknown here",)
    assert differences(one, one) == ()
    assert differences(one, other) == (
        "cancel_at_period_end: False here, True at Stripe",
        "invoice in_1 differs",
        "invoice in_2 is missing here",
        "refund re_1_5 is missing at Stripe",
        "dispute dp_1 is missing here",
    )
