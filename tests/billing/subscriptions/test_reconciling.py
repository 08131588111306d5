"""What was missed is found and repaired: events, subscriptions, money; what is wrong is told."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from billing.gateway import intents
from billing.gateway.client import Gateway
from billing.gateway.refusals import StripeUnavailable
from billing.sandbox.faults import Kind
from billing.subscriptions import reconciling, unexplained
from billing.subscriptions.drifts import differences
from billing.subscriptions.handling import Handler
from billing.subscriptions.reconciling import Report
from billing.subscriptions.refusals import NothingUnexplained
from billing.subscriptions.unexplained import Kind as Unexplaining
from billing.subscriptions.unexplained import Unexplained
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import bucket_of
from coalition.kernel.money import Money
from server import proof
from tests.billing.gateway.webhooks import rows
from tests.billing.subscriptions.pictures import MONTH, dispute, invoice, line, picture, refund
from tests.billing.subscriptions.world import Club, open_club
from tests.support.stripe_sandbox import TEST_KEY


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine) -> Club:
    assert database.pool is not None
    return runner.run(open_club())


async def _reconcile(club: Club, **how: Any) -> Report:
    return await reconciling.reconcile(club.handler, club.at, **({"whole": False} | how))


class Counting:
    """A handler that counts the calls that it makes, by their paths."""

    def __init__(self, club: Club) -> None:
        self.asked: Counter[str] = Counter()
        asked = self.asked

        class Counted(Gateway):
            async def ask(
                self, method: str, path: str, asked_for: Mapping[str, Any], key: str | None
            ) -> dict[str, Any]:
                asked[path] += 1
                return await super().ask(method, path, asked_for, key)

        transport = httpx.ASGITransport(app=club.sandbox.application)
        self.handler = Handler(Counted(TEST_KEY, transport=transport))


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
    foreign = await club.subscribe(await club.member(), metadata={})
    price = club.prices["plus/month"]
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
    assert subscription in told
    assert await club.net(member) == {"SEK": 2 * 9_900}
    again = await _reconcile(club, whole=True)
    assert again.drifts == ()
    assert {one.id: (one.kind, one.told) for one in again.unexplained} == {
        "sub_gone": ("gone", "unknown to Stripe; nothing here hangs on it"),
        foreign: ("foreign", f"nobody's here: active at Stripe, to price {price}"),
    }


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
    (only,) = report.unexplained
    assert (only.kind, only.told) == ("price", f"price {foreign.id} is none of ours")
    assert report.drifted == 0


async def test_all_is_compared_by_lists_and_only_what_differs_by_itself(club: Club) -> None:
    members = [await club.member() for _ in range(12)]
    subscriptions = [await club.subscribe(member) for member in members]
    await club.hear()
    await club.advance(days=62)
    await club.hear()
    assert [len(await club.entries(one)) for one in members] == [3] * 12
    counting = Counting(club)
    report = await reconciling.reconcile(counting.handler, club.at, whole=True)
    assert (report.looked_at, report.drifted, report.unexplained) == (12, 0, ())
    # Subscriptions, invoices, charges, refunds, disputes, customers, events: a hundred a call.
    assert counting.asked == Counter(
        {f"/v1/{name}": 1 for name in ("subscriptions", "charges", "refunds", "disputes")}
        | {"/v1/customers": 1, "/v1/invoices": 1, "/v1/events": counting.asked["/v1/events"]}
    )
    await club.gateway.cancel_at_period_end("k", subscriptions[3], cancel=True)
    counting.asked.clear()
    report = await reconciling.reconcile(counting.handler, club.at, whole=True)
    assert [one.subscription for one in report.drifts] == [subscriptions[3]]
    singly = {path for path in counting.asked if "sub_" in path}
    assert singly == {f"/v1/subscriptions/{subscriptions[3]}"}


async def test_what_lives_by_a_test_clock_is_in_no_list_and_is_looked_at_by_itself(
    club: Club,
) -> None:
    seconds = int(club.at.timestamp())
    clock = await club.stripe.test_helpers.test_clocks.create_async({"frozen_time": seconds})
    member = await club.member()
    customer = await club.gateway.customer(
        "c", member_id=member, email="a@example.org", country="SE", clock_id=clock.id
    )
    await club.keep_card(customer, "pm_card_visa")
    asked: Any = {
        "customer": customer,
        "items": [{"price": club.prices["plus/month"]}],
        "billing_mode": {"type": "flexible"},
        "metadata": {"member_id": str(member)},
    }
    made = await club.stripe.subscriptions.create_async(asked)
    await club.hear()
    assert (await club.stripe.subscriptions.list_async()).data == []
    by_clock = await club.stripe.subscriptions.list_async({"test_clock": clock.id})
    assert [one.id for one in by_clock.data] == [made.id]
    counting = Counting(club)
    report = await reconciling.reconcile(counting.handler, club.at, whole=True)
    assert (report.looked_at, report.drifted, report.unexplained) == (1, 0, ())
    assert counting.asked[f"/v1/subscriptions/{made.id}"] == 1


async def test_money_that_no_order_explains_is_told_and_whose_it_is(club: Club) -> None:
    member = await club.member()
    await club.subscribe(member)
    await club.hear()
    membership = await club.live(member)
    assert membership is not None
    customer = membership.customer_id
    assert customer is not None
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO member_at_stripe VALUES ($1, $2, $3, $4)",
            *(bucket_of(member), member, customer, club.at),
        )
        # Booked by nobody's hand: what Stripe has not, we must not have.
        await connection.execute(
            "INSERT INTO membership_entry (bucket, member_id, membership_id, source, no, kind,"
            " amount_minor, tax_minor, currency, occurred_at, booked_at)"
            " VALUES ($1, $2, $3, 'in_of_nobody', 1, 'payment', 700, 0, 'SEK', $4, $4)",
            *(bucket_of(member), member, membership.id, club.at),
        )
    stranger = (await club.stripe.customers.create_async({"email": "s@example.org"})).id
    await club.keep_card(stranger, "pm_card_visa")
    payments = []
    for payer in (customer, stranger):
        asked: Any = {"customer": payer, "amount": 5_000, "currency": "sek", "confirm": True}
        card = (await club.stripe.customers.payment_methods.list_async(payer)).data[0].id
        paid = await club.stripe.payment_intents.create_async(
            asked | {"payment_method": card, "off_session": True}
        )
        payments.append(paid.id)
    # Written by hand at Stripe's own desk, which the sandbox has not.
    with club.sandbox.store.transaction() as making:
        world = club.sandbox.world(making)
        (invoice,) = making.all("invoice", {})
        world.add(invoice | {"id": "in_loose", "parent": None})
    await club.hear()

    report = await _reconcile(club, whole=True)
    assert (report.drifted, report.unexplained_count) == (0, 3)
    assert {(one.id, one.kind, one.told) for one in report.unexplained} == {
        (payments[0], "payment", "paid 5000 SEK for no invoice and nothing else that we sold"),
        ("in_loose", "invoice", "paid 9900 SEK for no subscription"),
        ("in_of_nobody", "entry", "the ledger has 700 SEK that Stripe has not"),
    }
    assert {one.member_id for one in report.unexplained} == {str(member)}


async def test_what_nobody_explains_is_counted_once_until_it_is_set_aside_with_a_reason(
    club: Club,
) -> None:
    foreign = await club.subscribe(await club.member(), metadata={})
    await club.hear()
    for _ in range(2):
        assert (await _reconcile(club, whole=True)).unexplained_count == 1
    async with transaction() as connection:
        (row,) = await unexplained.listed(connection, with_closed=False, most=9)
        assert (row.id, row.kind, row.set_aside_at) == (foreign, "foreign", None)
        assert await unexplained.count(connection) == 1
        with pytest.raises(NothingUnexplained):
            await unexplained.set_aside(connection, ["sub_2"], by="staff:a", reason="x", at=club.at)
        (done,) = await unexplained.set_aside(
            connection, [foreign], by="staff:anna", reason="the shop's own", at=club.at
        )
        assert (done.reason, done.set_aside_by) == ("the shop's own", "staff:anna")
        logged = await connection.fetchrow(
            "SELECT actor, subject, facts FROM audit_log WHERE action = $1", unexplained.SET_ASIDE
        )
    assert (logged["actor"], logged["subject"]) == ("staff:anna", f"stripe:{foreign}")
    assert "the shop's own" in logged["facts"]
    report = await _reconcile(club, whole=True)
    assert (report.drifted, report.unexplained_count) == (0, 0)
    async with transaction() as connection:
        assert await unexplained.listed(connection, with_closed=False, most=9) == []
        (still,) = await unexplained.listed(connection, with_closed=True, most=9)
    assert (still.reason, still.explained_at) == ("the shop's own", None)


async def test_what_is_explained_later_is_closed_and_is_news_when_it_comes_again(
    club: Club,
) -> None:
    member = await club.member()
    subscription = await club.subscribe(member, metadata={})
    await club.hear()
    assert (await _reconcile(club, whole=True)).unexplained_count == 1
    async with transaction() as connection:
        await unexplained.set_aside(
            connection, [subscription], by="staff:anna", reason="wait", at=club.at
        )
    # At Stripe's own desk somebody writes down whose it is.
    told = {"metadata": {"member_id": str(member)}}
    await club.stripe.subscriptions.update_async(subscription, told)  # type: ignore[arg-type]  # it is a TypedDict
    await club.advance(hours=1)
    report = await _reconcile(club, whole=True)
    assert (report.repaired, report.unexplained_count) == (1, 0)
    assert await club.live(member) is not None
    async with transaction() as connection:
        (closed,) = await unexplained.listed(connection, with_closed=True, most=9)
        assert closed.explained_at == club.at
        again = Unexplained(id=subscription, kind=Unexplaining.FOREIGN, told="again")
        await unexplained.keep(connection, [again], club.at)
        (news,) = await unexplained.listed(connection, with_closed=False, most=9)
    assert (news.told, news.found_at, news.reason) == ("again", club.at, None)


async def test_what_cannot_be_looked_at_is_told_and_keeps_nobody_from_the_others(
    club: Club,
) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO stripe_subscription (bucket, id) VALUES (1, 'sub_../customers')"
        )
    # Another shop of the account sells in a currency that is none here.
    with club.sandbox.store.transaction() as making:
        (invoice,) = making.all("invoice", {})
        other = {"id": "in_other", "currency": "zzz", "parent": None, "customer": "cus_other"}
        club.sandbox.world(making).add(invoice | other)
    report = await _reconcile(club, whole=True)
    told = {one.subscription: one.differences for one in report.drifts}
    assert told[subscription] == ("unknown here",)
    (why,) = told["sub_../customers"]
    assert why.startswith("could not be looked at: StripeRefused")
    assert (report.drifted, report.repaired) == (2, 1)
    assert await club.live(member) is not None


async def test_while_stripe_is_down_nothing_is_concluded(club: Club) -> None:
    for _ in range(3):
        await club.subscribe(await club.member())
    club.sandbox.faults.add(Kind.BROKEN, times=99, path="/v1/subscriptions/sub_*")
    for _ in range(2):
        with pytest.raises(StripeUnavailable):
            await _reconcile(club, whole=True)
    assert await reconciling.latest() is None
    club.sandbox.faults.planned.clear()
    report = await _reconcile(club, whole=True)
    assert (report.drifted, report.repaired) == (3, 3)
    await club.hear()
    assert all(row["handled_at"] is not None for row in await rows())


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
    richer = msgspec.structs.replace(one, credit=Money(500, "SEK"))
    assert differences(one, richer) == ("credit: None here, 500 SEK at Stripe",)
    assert differences(one, one) == ()
    assert differences(one, other) == (
        "cancel_at_period_end: False here, True at Stripe",
        "invoice in_1, amount_paid: 9900 SEK here, 1 SEK at Stripe",
        "invoice in_2 of 9900 SEK is missing here",
        "refund re_1_5 of 100 SEK is missing at Stripe",
        "dispute dp_1 of 9900 SEK is missing here",
    )
