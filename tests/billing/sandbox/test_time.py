"""Time at the sandbox: test clocks, the account's own time, and what falls due by either."""

from datetime import timedelta

import pytest
import stripe

from billing.sandbox.account import Sandbox
from billing.sandbox.store import DueEntry
from tests.billing.sandbox.account import START, Account

NOW = int(START.timestamp())
DAY = 86_400


@pytest.fixture
def account() -> Account:
    return Account()


async def clock_at(account: Account, seconds: int) -> stripe.test_helpers.TestClock:
    return await account.stripe.v1.test_helpers.test_clocks.create_async({"frozen_time": seconds})


async def test_customers_on_a_clock_live_by_it_and_others_by_the_account(account: Account) -> None:
    clock = await clock_at(account, NOW - 100 * DAY)
    on_clock = await account.customer(clock=clock.id)
    customers = account.stripe.v1.customers
    assert (await customers.retrieve_async(on_clock)).created == NOW - 100 * DAY
    await account.stripe.v1.test_helpers.test_clocks.advance_async(
        clock.id, {"frozen_time": NOW - 90 * DAY}
    )
    paid = await account.stripe.v1.payment_intents.create_async(
        {
            "customer": on_clock,
            "amount": 100,
            "currency": "eur",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "expand": ["latest_charge"],
        }
    )
    assert isinstance(paid.latest_charge, stripe.Charge)
    assert paid.latest_charge.created == NOW - 90 * DAY
    assert (await customers.retrieve_async(await account.customer())).created == NOW
    listed = await customers.list_async()
    assert on_clock not in {each.id for each in listed.data}
    listed = await customers.list_async({"test_clock": clock.id})
    assert [each.id for each in listed.data] == [on_clock]


async def test_a_clock_says_that_it_advances_and_then_that_it_is_ready(account: Account) -> None:
    clock = await clock_at(account, 1_000_000)
    clocks = account.stripe.v1.test_helpers.test_clocks
    advancing = await clocks.advance_async(clock.id, {"frozen_time": 2_000_000})
    assert advancing.status == "advancing"
    ready = await clocks.retrieve_async(clock.id)
    assert (ready.status, ready.frozen_time) == ("ready", 2_000_000)
    names = ["created", "advancing", "ready"]
    assert await account.events() == [f"test_helpers.test_clock.{name}" for name in names]
    with pytest.raises(stripe.InvalidRequestError):
        await clocks.advance_async(clock.id, {"frozen_time": 2_000_000})


async def test_a_clock_that_goes_takes_its_customers_along(account: Account) -> None:
    clock = await clock_at(account, NOW)
    customer = await account.customer(clock=clock.id)
    await account.stripe.v1.test_helpers.test_clocks.delete_async(clock.id)
    with pytest.raises(stripe.InvalidRequestError):
        await account.stripe.v1.customers.retrieve_async(customer)


async def test_time_that_passes_and_time_that_is_moved_do_what_falls_due_in_order(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = noting(monkeypatch)
    for name, days in (("c", 3), ("a", 1), ("b", 2), ("d", 9)):
        plan(account.sandbox, name, NOW + days * DAY)
    account.wait(timedelta(days=1))
    await account.events()
    assert done == [("a", NOW + DAY)]
    await account.sandbox.advance(START + timedelta(days=5))
    assert done[1:] == [("b", NOW + 2 * DAY), ("c", NOW + 3 * DAY)]
    assert account.sandbox.now() == START + timedelta(days=5)
    assert account.sandbox.offset == timedelta(days=4)
    account.wait(timedelta(days=4))
    account.sandbox.catch_up()
    assert done[3:] == [("d", NOW + 9 * DAY)]


async def test_webhooks_leave_as_time_is_moved_each_at_its_instant(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    noting(monkeypatch, emits=True)
    await account.endpoint()
    plan(account.sandbox, await account.customer(), NOW + DAY)
    await account.sandbox.advance(START + timedelta(days=5))
    last = account.mailbox.deliveries[-1]
    assert last.event_type == "customer.updated"
    assert last.headers["Stripe-Signature"].startswith(f"t={NOW + DAY},")


def plan(sandbox: Sandbox, name: str, at: int) -> None:
    with sandbox.store.transaction() as transaction:
        transaction.schedule(DueEntry("test.note", name, at), "")


def noting(monkeypatch: pytest.MonkeyPatch, *, emits: bool = False) -> list[tuple[str, int]]:
    """Let `test.note` note what fell due and when, and tell of it by an event."""
    from billing.sandbox import routing
    from billing.sandbox.world import World

    done: list[tuple[str, int]] = []

    def note(world: World, id_: str) -> None:
        done.append((id_, world.now()))
        if emits:
            customer = world.get("customer", id_)
            world.save(customer | {"name": "Late"}, event="customer.updated")

    monkeypatch.setitem(routing.DUE, "test.note", note)
    return done
