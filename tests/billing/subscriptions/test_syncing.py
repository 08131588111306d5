"""A membership follows its subscription through its life, whatever events come."""

import asyncio
import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from billing.gateway.refusals import StripeUnavailable
from billing.sandbox.faults import Kind
from billing.subscriptions import register, syncing
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import random_id
from tests.billing.subscriptions.world import START, Club, open_club

CARD_THAT_FAILS = "pm_card_chargeCustomerFail"


def _at(month: int, day: int, year: int = 2027) -> datetime:
    return datetime(year, month, day, 9, 30, tzinfo=UTC)


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine) -> Club:
    assert database.pool is not None
    return runner.run(open_club())


async def test_a_membership_begins_when_it_is_paid(club: Club) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    assert await club.hear() > 0
    found = await club.live(member)
    assert found is not None
    assert (found.state, found.ground, found.subscription) == ("active", "paid", subscription)
    assert (found.started_at, found.period_end) == (START, _at(2, 28))
    assert found.entitled_until == _at(3, 7)
    assert [one.ground for one in await club.held(member, found.id)] == ["paid", "grace"]
    assert await club.net(member) == {"SEK": 9_900}
    assert await club.told() == ["membership.started"]


async def test_the_same_events_again_change_nothing(club: Club) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    await club.hear(lambda sent: [*sent, *sent])
    before = await club.live(member), await club.entries(member)
    await club.told()
    for _ in range(3):
        assert await syncing.sync(club.gateway, subscription, at=club.at)
    assert (await club.live(member), await club.entries(member)) == before
    assert await club.told() == []


async def test_a_declined_start_begins_nothing_and_expires(club: Club) -> None:
    member = await club.member()
    await club.subscribe(member, card=CARD_THAT_FAILS)
    await club.hear()
    assert await club.memberships(member) == []
    await club.advance(days=2)
    await club.hear()
    assert (await club.memberships(member), await club.entries(member)) == ([], [])


async def test_a_trial_and_twelve_renewals_keep_to_month_ends_and_to_the_invoices(
    club: Club,
) -> None:
    member = await club.member()
    subscription = await club.subscribe(member, trial_period_days=14)
    await club.hear()
    begun = await club.live(member)
    assert begun is not None
    assert (begun.state, begun.entitled_until) == ("trialing", START + timedelta(days=15))
    assert await club.entries(member) == []
    await club.told()
    kinds = []
    for _ in range(13):
        await club.advance(days=30.5)
        await club.hear()
        await club.turn()
        kinds += await club.told()
    assert kinds.count("membership.renewed") == 13
    assert set(kinds) == {"membership.renewed"}
    booked = await club.entries(member)
    listed = await club.stripe.invoices.list_async({"subscription": subscription, "limit": 100})
    paid = [one for one in listed.data if one.amount_paid]
    assert {(one.source, one.amount.amount_minor) for one in booked} == {
        (one.id, one.amount_paid) for one in paid
    }
    found = await club.live(member)
    assert found is not None
    held = await club.held(member, found.id)
    assert all(one.ends == other.begins for one, other in itertools.pairwise(held))


async def test_a_failed_renewal_is_grace_then_suspended_and_recovers_when_it_is_paid(
    club: Club,
) -> None:
    member = await club.member()
    subscription = await club.subscribe(member, "prime/month")
    await club.hear()
    found = await club.live(member)
    assert found is not None
    assert found.customer_id is not None
    await club.keep_card(found.customer_id, CARD_THAT_FAILS)
    await club.told()
    states = []
    for days in (28, 0.1, 1, 2):
        await club.advance(days=days)
        await club.hear()
        await club.turn()
        found = await club.live(member)
        states.append(None if found is None else str(found.state))
    assert states == ["active", "grace", "grace", "suspended"]
    assert found is not None
    assert await club.told() == ["membership.grace", "membership.suspended"]
    await club.keep_card(str(found.customer_id), "pm_card_visa")
    shown = await club.gateway.picture(subscription)
    await club.stripe.invoices.pay_async(shown.invoices[-1].id)
    await club.hear()
    found = await club.live(member)
    assert found is not None
    assert (found.state, found.period_end) == ("active", _at(3, 31))
    assert await club.told() == ["membership.recovered", "membership.renewed"]


async def test_benefits_end_at_the_end_of_grace_and_the_membership_with_its_subscription(
    club: Club,
) -> None:
    member = await club.member()
    await club.subscribe(member)
    await club.hear()
    found = await club.live(member)
    assert found is not None
    await club.keep_card(str(found.customer_id), CARD_THAT_FAILS)
    for _ in range(8):
        await club.advance(days=10)
        await club.hear()
        await club.turn()
    (ended,) = await club.memberships(member)
    assert (ended.state, ended.ended_at, ended.turns_at) == ("ended", _at(3, 7), None)
    held = await club.held(member, ended.id)
    assert held[-1].ends == _at(3, 7)
    assert (await club.told())[-1] == "membership.ended"


async def test_a_cancelled_membership_holds_until_its_end_and_ends_once(club: Club) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    await club.gateway.cancel_at_period_end("k", subscription, cancel=True)
    await club.hear()
    found = await club.live(member)
    assert found is not None
    assert (found.state, found.entitled_until) == ("active", _at(2, 28))
    await club.told()
    for _ in range(3):
        await club.advance(days=20)
        await club.hear(lambda sent: [*reversed(sent), *sent])
        await club.turn()
    (ended,) = await club.memberships(member)
    assert (ended.state, ended.ended_at) == ("ended", _at(2, 28))
    assert await club.told() == ["membership.ended"]


async def test_an_upgrade_holds_at_once_and_costs_what_was_previewed(club: Club) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    await club.advance(days=10)
    shown = (await club.gateway.picture(subscription)).subscription
    price = club.prices["prime/month"]
    preview = await club.gateway.preview_change(shown, price, club.at)
    await club.gateway.change_price("k", shown, price, proration_at=club.at)
    await club.hear()
    found = await club.live(member)
    assert found is not None
    held = await club.held(member, found.id)
    assert [one.ground for one in held] == ["paid", "paid", "grace"]
    assert held[0].plan_no != held[1].plan_no == held[2].plan_no == found.plan_no
    assert (held[0].ends, held[1].begins) == (club.at, club.at)
    assert await club.net(member) == {"SEK": 9_900 + preview.amount_due.amount_minor}


async def test_a_pause_lasts_from_the_end_of_what_is_paid_until_it_is_resumed(
    club: Club,
) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    await club.gateway.pause("k1", subscription, _at(4, 29))
    await club.hear()
    await club.told()
    for days, state in ((20, "active"), (10, "paused"), (30, "paused"), (25, "paused")):
        await club.advance(days=days)
        await club.hear()
        await club.turn()
        found = await club.live(member)
        assert found is not None
        assert found.state == state
    await club.advance(days=10)
    await club.hear()
    await club.turn()
    found = await club.live(member)
    assert found is not None
    assert (found.state, found.period_start) == ("active", _at(4, 30))
    held = await club.held(member, found.id)
    assert [(one.ground, one.begins) for one in held] == [
        ("paid", START),
        ("paid", _at(4, 30)),
        ("grace", _at(5, 31)),
    ]
    assert await club.told() == [
        "membership.paused",
        "membership.recovered",
        "membership.renewed",
    ]


async def test_a_full_refund_ends_the_period_and_the_ledger_comes_to_nothing(
    club: Club,
) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    await club.hear()
    await club.advance(days=5)
    (paid,) = (await club.gateway.picture(subscription)).invoices
    await club.gateway.refund("k", paid.payment_intent_ids[0], paid.total, {})
    await club.gateway.cancel_now("k2", subscription)
    await club.told()
    await club.hear()
    (ended,) = await club.memberships(member)
    assert (ended.state, ended.ended_at) == ("ended", club.at)
    (held,) = await club.held(member, ended.id)
    assert (held.ends, held.taken_back) == (club.at, True)
    assert await club.net(member) == {"SEK": 0}
    assert sorted(await club.told()) == ["membership.ended", "membership.refunded"]


@pytest.mark.parametrize("is_won", [True, False], ids=["won", "lost"])
async def test_a_dispute_freezes_until_it_is_decided(club: Club, is_won: bool) -> None:  # noqa: FBT001 - both of them
    member = await club.member()
    await club.subscribe(member, card="pm_card_createDispute")
    await club.sandbox.advance(club.at)
    await club.hear()
    await club.turn()
    found = await club.live(member)
    assert found is not None
    assert (found.state, await club.net(member)) == ("suspended", {"SEK": 0})
    (dispute,) = (await club.stripe.disputes.list_async()).data
    word = "winning_evidence" if is_won else "losing_evidence"
    await club.stripe.disputes.update_async(
        dispute.id, {"evidence": {"uncategorized_text": word}, "submit": True}
    )
    await club.sandbox.advance(club.at)
    await club.hear()
    found = await club.live(member)
    assert found is not None
    assert found.state == ("active" if is_won else "suspended")
    assert await club.net(member) == {"SEK": 9_900 if is_won else 0}
    kinds = [one.kind for one in await club.entries(member)]
    assert kinds == ["payment", "dispute", *(["dispute_won"] if is_won else [])]


async def test_a_slow_look_does_not_overwrite_what_a_later_one_saw(club: Club) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    # It has read the subscription, and waits while that is cancelled and looked at by another.
    hold = club.sandbox.faults.hold(path="/v1/invoices")
    slow = asyncio.create_task(syncing.sync(club.gateway, subscription, at=club.at))
    await hold.reached.wait()
    await club.gateway.cancel_now("k", subscription)
    assert await syncing.sync(club.gateway, subscription, at=club.at)
    hold.released.set()
    assert await slow is False
    (found,) = await club.memberships(member)
    assert found.state == "ended"


async def test_a_look_that_fails_is_made_again_by_the_drain(club: Club) -> None:
    member = await club.member()
    await club.subscribe(member)
    club.sandbox.faults.add(Kind.BROKEN, times=8, path="/v1/subscriptions/*")
    await club.hear()
    assert await club.live(member) is None
    await club.advance(seconds=5)
    await club.hear()
    assert await club.live(member) is not None


async def test_stripe_that_does_not_answer_is_told(club: Club) -> None:
    club.sandbox.faults.add(Kind.RATE_LIMITED, times=4)
    with pytest.raises(StripeUnavailable):
        await syncing.sync(club.gateway, "sub_1", at=club.at)


async def test_a_subscription_that_stripe_has_not_changes_nothing(club: Club) -> None:
    assert await syncing.sync(club.gateway, "sub_nothing", at=club.at) is False


@pytest.mark.parametrize("named", ["", "nobody", "0c7ce5f1-0000-4000-8000-000000000000"])
async def test_a_subscription_of_nobody_is_kept_and_begins_nothing(club: Club, named: str) -> None:
    member = await club.member()
    subscription = await club.subscribe(member, metadata={"member_id": named} if named else {})
    await club.hear()
    assert await club.memberships(member) == []
    async with transaction() as connection:
        kept = await register.kept(connection, subscription)
    assert kept is not None
    assert (kept.member_id, kept.picture is None) == (None, False)


async def test_two_subscriptions_of_a_member_are_one_membership_and_both_are_booked(
    club: Club,
) -> None:
    member = await club.member()
    await club.subscribe(member)
    await club.advance(days=1)
    await club.subscribe(member, "prime/month")
    await club.hear(lambda sent: random.Random(1).sample(sent, len(sent)))
    (found,) = await club.memberships(member)
    held = await club.held(member, found.id)
    assert [(one.ground, one.plan_no) for one in held[:3]] == [
        ("paid", 1),
        ("paid", 2),
        ("grace", 2),
    ]
    assert await club.net(member) == {"SEK": 9_900 + 19_900}


async def test_after_its_end_a_membership_begins_anew(club: Club) -> None:
    member = await club.member()
    first = await club.subscribe(member)
    await club.gateway.cancel_now("k", first)
    await club.hear()
    await club.advance(days=3)
    await club.subscribe(member)
    await club.hear()
    states = [one.state for one in await club.memberships(member)]
    assert states == ["active", "ended"]
    # What has ended is looked at again and stays as it is, beside the one that lives.
    assert await syncing.sync(club.gateway, first, at=club.at)
    assert [one.state for one in await club.memberships(member)] == states


async def test_what_is_kept_can_be_derived_again(club: Club) -> None:
    member = await club.member()
    await club.subscribe(member)
    await club.hear()
    before = await club.live(member)
    assert before is not None
    assert await syncing.derive_again(before.id, at=club.at) == before
    assert await syncing.derive_again(random_id(), at=club.at) is None


async def test_looks_at_once_by_two_workers_make_one_membership_and_book_once(club: Club) -> None:
    member = await club.member()
    subscriptions = [await club.subscribe(member), await club.subscribe(member, "prime/month")]
    looks = [syncing.sync(club.gateway, one, at=club.at) for one in subscriptions * 4]
    assert any(await asyncio.gather(*looks))
    await asyncio.gather(club.hear(), club.turn())
    (found,) = await club.memberships(member)
    assert len(await club.held(member, found.id)) > 0
    assert await club.net(member) == {"SEK": 9_900 + 19_900}
    assert (await club.told()).count("membership.started") == 1
