"""Journey 10: what a living club does with forged, late, strange, repeated and lost webhooks."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from billing.gateway import intake
from billing.gateway.intake import Intake
from billing.subscriptions.views import MembershipState
from coalition.kernel.clock import Clock
from coalition.kernel.ids import MemberId
from tests.billing.gateway.webhooks import event, rows, signature
from tests.billing.journeys.club import DAY, Club
from tests.billing.journeys.ways import Way
from tests.support.http import serve

REPLAYS = 10_000


def door(club: Club, clock: Clock, *secrets: str) -> httpx.AsyncClient:
    """Return a client of the webhooks' door as it is served."""
    taken = Intake(secrets or [club.secret], clock=clock, is_live=False)
    transport = httpx.ASGITransport(app=serve([intake.route(taken)]))  # type: ignore[arg-type]  # httpx names its own types
    return httpx.AsyncClient(transport=transport, base_url="https://points.example")


async def lie(club: Club, member: MemberId, **changes: Any) -> bytes:
    """Return an event in an old shape that says the member's subscription has ended."""
    customer = await club.customer(member)
    (one,) = await club.gateway.subscriptions_of(customer)
    told = {
        "id": one.id,
        "object": "subscription",
        "status": "canceled",
        "customer": customer,
        "current_period_end": 1,
    }
    return event(1, api_version="2019-05-16", data={"object": told}, **changes)


async def test_what_is_forged_stale_or_strange_has_its_answer_and_changes_nothing(
    steady: Club,
) -> None:
    member = await steady.bought()
    before, now = await steady.books(member), steady.now()
    known = len(await rows())
    body = await lie(steady, member)
    thin = b'{"id":"evt_t","object":"v2.core.event","type":"v1.billing.meter.no_meter_found"}'
    nobody = event(2, data={"object": {"id": "sub_of_nobody", "object": "subscription"}})
    page = {"object": {"id": "cs_of_nobody", "object": "checkout.session"}}
    sent: list[tuple[bytes, datetime, str, int]] = [
        (body, now, "whsec_forged", 400),
        (body, now - timedelta(minutes=6), steady.secret, 400),
        (body, now + timedelta(minutes=6), steady.secret, 400),
        (b'{"id":"evt_1","type":"\xff"}', now, steady.secret, 400),
        (b" " * (intake.BODY_MOST_BYTES + 1), now, steady.secret, 413),
        (body, now, steady.secret, 200),
        (thin, now, steady.secret, 200),
        (event(3, kind="invoice_of_the_future.made"), now, steady.secret, 200),
        (nobody, now, steady.secret, 200),
        (event(4, kind="checkout.session.completed", data=page), now, steady.secret, 200),
        (await lie(steady, member, livemode=True, id="evt_live"), now, steady.secret, 200),
    ]
    http = door(steady, steady)
    for content, signed_at, secret, status in sent:
        header = {"stripe-signature": signature(content, signed_at, secret)}
        answer = await http.post(intake.PATH, content=content, headers=header)
        assert answer.status_code == status, content[:80]
    await steady.hear()
    assert await steady.books(member) == before
    assert len(await rows()) == known + 6  # whatever was signed is kept
    await steady.check(unknown_to_stripe=["sub_of_nobody"])


async def test_a_secret_is_rolled_while_members_come_and_nothing_is_lost(steady: Club) -> None:
    endpoint = await anext(steady.gateway.pages("/v1/webhook_endpoints", {}))
    following = steady.sandbox.roll_secret(endpoint["id"], keep=DAY)
    members = [await steady.bought(name="anna")]  # both sign, we know the old one
    steady.know_secrets(following, steady.secret)
    members.append(await steady.bought(name="bo"))
    await steady.advance(2 * DAY)
    members.append(await steady.bought(name="carl"))  # the old one signs no more
    steady.know_secrets(following)
    members.append(await steady.bought(name="dora"))
    for member in members:
        assert (await steady.view(member)).state is MembershipState.ACTIVE
    await steady.check()


async def test_ten_thousand_replays_change_nothing(steady: Club) -> None:
    member = await steady.bought()
    await steady.change(member, "premium")
    await steady.memberships.cancel(member, key="bye", at=steady.now())
    await steady.hear()
    before, told = await steady.books(member), await steady.told(member)
    once = [(row["id"], row["payload"]) for row in await rows()]
    taken = [(one.headers["Stripe-Signature"].encode(), one.body) for one in steady.overheard]
    assert len(taken) > 20
    for first in range(0, REPLAYS, 1_000):
        numbers = range(first, first + 1_000)
        await asyncio.gather(*(steady.intake.take(*taken[no % len(taken)]) for no in numbers))
        assert await steady.drain() == 0
    assert [(row["id"], row["payload"]) for row in await rows()] == once
    assert sum(row["deliveries"] for row in await rows()) == REPLAYS + len(taken)
    await steady.hear()
    assert (await steady.books(member), await steady.told(member)) == (before, told)
    await steady.check()


@pytest.mark.parametrize("repair", [Way.LOST_BY_EVENTS, Way.LOST_BY_THE_WHOLE], ids=str)
async def test_a_day_of_lost_webhooks_is_repaired(steady: Club, repair: Way) -> None:
    names = ("anna", "bo", "carl", "dora")
    anna, bo, carl, dora = [await steady.bought(name=name) for name in names]
    await steady.until(steady.now().replace(month=2))
    steady.loses_webhooks = True
    late = await steady.enrol("eva")
    order = await steady.order("premium", "year")
    opened = await steady.memberships.checkout(late, order, key="e", at=steady.now())
    await steady.pay(opened.url)
    subscriptions = {
        member: (await steady.gateway.subscriptions_of(await steady.customer(member)))[0].id
        for member in (anna, bo, carl, dora)
    }
    # At Stripe's own desk: one is cancelled, one ends, one is given its money back.
    await steady.gateway.cancel_at_period_end("a", subscriptions[anna], cancel=True)
    await steady.gateway.cancel_now("b", subscriptions[bo])
    await steady.advance(DAY)
    paid = (await steady.gateway.picture(subscriptions[carl])).invoices[-1]
    await steady.gateway.refund("c", paid.payment_intent_ids[0], paid.amount_paid, {})
    members = (anna, bo, carl, dora, late)
    assert [len((await steady.books(one)).paid) for one in members] == [1, 1, 1, 1, 0]

    report = await steady.reconcile(whole=repair is Way.LOST_BY_THE_WHOLE)
    assert (report.drifted, report.repaired) == (5, 5)
    assert [(await steady.view(one)).state for one in members] == [
        MembershipState.ENDING,
        MembershipState.ENDED,
        MembershipState.PAST_DUE,
        MembershipState.ACTIVE,
        MembershipState.ACTIVE,
    ]
    assert [(await steady.at_the_till(one)).plan for one in members] == [
        *("plus", None, None, "plus", "premium"),
    ]
    assert (await steady.view(late)).withdrawal is not None, "its order is settled, too"
    await steady.check()
