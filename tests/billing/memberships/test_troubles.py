"""Troubles: answers that are lost, two tabs, a process that dies: one subscription, one charge."""

import asyncio
from datetime import datetime

import pytest

from billing.gateway.refusals import StripeUnavailable
from billing.plans import catalogue
from billing.sandbox.faults import Kind
from billing.subscriptions import entries, house, selling
from billing.subscriptions.house import HELD, act_key, one_act
from billing.subscriptions.refusals import ActInProgress, CheckoutOpen
from billing.subscriptions.views import CheckoutView, MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId, bucket_of
from tests.billing.memberships.world import Club, make_club

pytestmark = pytest.mark.usefixtures("database")


async def subscriptions(club: Club) -> int:
    """Return how many subscriptions Stripe has."""
    return len([one async for one in club.gateway.every_subscription()])


async def customers(club: Club) -> int:
    """Return how many customers Stripe has."""
    return len([one async for one in club.gateway.pages("/v1/customers", {})])


async def payments(member: MemberId) -> int:
    """Return how many times the member has paid."""
    async with transaction() as connection:
        found = await entries.of_member(connection, member)
    return len([one for one in found if one.kind == "payment"])


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_fault_that_passes_is_not_noticed(at: datetime, kind: Kind) -> None:
    club = await make_club(at)
    member = await club.enrol()
    for path in ("/v1/customers", "/v1/prices", "/v1/checkout/sessions"):
        club.sandbox.faults.add(kind, method="POST", path=path, after=kind is Kind.LOST)
    opened = await club.memberships.checkout(member, await club.order(), key="k", at=at)
    await club.pay(opened.url)
    seen = await club.memberships.returned(member, opened.checkout_id, at=at)
    assert seen.state is MembershipState.ACTIVE
    assert (await customers(club), await subscriptions(club), await payments(member)) == (1, 1, 1)


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/checkout/sessions"])
async def test_an_order_whose_answer_was_lost_goes_on_under_the_same_key(
    at: datetime, path: str
) -> None:
    club = await make_club(at)
    member = await club.enrol()
    club.sandbox.faults.add(Kind.LOST, times=20, method="POST", path=path, after=True)
    with pytest.raises(StripeUnavailable):
        await club.memberships.checkout(member, await club.order(), key="k", at=at)
    club.sandbox.faults.planned.clear()
    opened = await club.memberships.checkout(member, await club.order(), key="k", at=at)
    await club.pay(opened.url)
    await club.memberships.returned(member, opened.checkout_id, at=at)
    assert (await customers(club), await subscriptions(club), await payments(member)) == (1, 1, 1)


async def test_an_order_that_was_given_up_stands_in_nobodys_way(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    club.sandbox.faults.add(Kind.LOST, times=20, path="/v1/checkout/sessions", after=True)
    with pytest.raises(StripeUnavailable):
        await club.memberships.checkout(member, await club.order(), key="k", at=at)
    club.sandbox.faults.planned.clear()
    opened = await club.memberships.checkout(
        member, await club.order("premium"), key="other", at=at
    )
    assert opened.plan == "premium"
    with pytest.raises(CheckoutOpen):
        await club.memberships.checkout(member, await club.order(), key="k", at=at)


async def test_of_two_tabs_one_orders(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()

    async def tab(key: str, plan: str) -> CheckoutView | Refused:
        try:
            return await club.memberships.checkout(member, await club.order(plan), key=key, at=at)
        except Refused as refused:
            return refused

    tried = await asyncio.gather(*(tab(f"tab-{plan}", plan) for plan in ("plus", "premium") * 3))
    plans = {one.plan for one in tried if isinstance(one, CheckoutView)}
    assert len(plans) == 1
    refused = {type(one) for one in tried if isinstance(one, Refused)}
    assert refused <= {ActInProgress, CheckoutOpen}
    assert await customers(club) == 1


async def test_of_two_tabs_one_changes_and_it_is_charged_once(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    premium = await club.price_no("premium")
    said = await club.memberships.preview(member, premium, at=club.now())

    async def tab(key: str) -> bool:
        try:
            await club.memberships.change(
                member, premium, previewed_at=said.previewed_at, key=key, at=club.now()
            )
        except Refused:
            return False
        return True

    assert sum(await asyncio.gather(*(tab(f"tab-{no % 3}") for no in range(6)))) >= 1
    assert (await club.view(member)).plan == "premium"
    assert await payments(member) == 2


async def test_an_act_whose_process_died_holds_nobody_up_for_long(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO membership_act VALUES ($1, $2, $3, 'change', $4, $5)",
            *(bucket_of(member), member, act_key(member, "change", "k"), at, at + HELD),
        )
    with pytest.raises(ActInProgress):
        await club.memberships.drop_checkout(member, key="other", at=at)
    await club.memberships.drop_checkout(member, key="other", at=at + HELD)


async def test_the_same_act_goes_on_after_its_process_died(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "_GLANCES", 1)
    member = await (await make_club(at)).enrol()
    for _ in range(2):
        async with one_act(member, "change", "k", at), one_act(member, "change", "k", at):
            pass


async def test_a_second_click_waits_for_the_first_one(at: datetime) -> None:
    member = await (await make_club(at)).enrol()
    inside: list[str] = []

    async def click(name: str) -> None:
        async with one_act(member, "change", "k", at):
            inside.append(name)
            await asyncio.sleep(0)
            inside.append(name)

    await asyncio.gather(*(click(name) for name in "abc"))
    assert inside[::2] == inside[1::2], "one after the other"


async def test_plans_are_brought_to_stripe_once_however_often_it_is_broken_off(
    at: datetime,
) -> None:
    club = await make_club(at)
    club.sandbox.faults.add(Kind.LOST, times=4, path="/v1/prices", after=True)
    with pytest.raises(StripeUnavailable):
        await selling.bring(club.gateway, at=at)
    brought = await selling.bring(club.gateway, at=at)
    assert brought.products == 1  # the other one was kept
    await asyncio.gather(*(selling.bring(club.gateway, at=at) for _ in range(3)))
    prices = [one async for one in club.gateway.pages("/v1/prices", {})]
    products = [one async for one in club.gateway.pages("/v1/products", {})]
    assert (len(products), len(prices)) == (2, 5)
    async with transaction() as connection:
        known = await catalogue.load(connection)
    for price in (price for plan in known.plans for price in plan.prices):
        assert price.stripe_price_id is not None
        found = known.price_at_stripe(price.stripe_price_id)
        assert found is not None
        assert found.no == price.no
