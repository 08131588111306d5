"""Any history at Stripe, its events in any order, doubled or lost: our books are as Stripe's.

What is lost is found by the reconciliation. Stripe's picture of each subscription is read day by
day by an oracle of its own, and the ledger is compared with what Stripe has kept.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.gateway.refusals import StripeRefused
from billing.gateway.shapes import Picture
from billing.sandbox import Delivery
from billing.sandbox.engine import disputes
from billing.subscriptions import reconciling
from coalition.kernel.database import Engine
from coalition.kernel.ids import MemberId
from server import proof
from tests.billing.subscriptions.oracle import is_entitled, money_kept
from tests.billing.subscriptions.world import Club, open_club

RUNS, STEPS = 12, 9
GRACE_DAYS = {"plus": 7, "prime": 2}
GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"
ACTS = (
    *("days", "days", "days", "fail", "mend", "cancel", "uncancel", "end"),
    *("upgrade", "pause", "resume", "refund", "refund some", "dispute", "win", "lose"),
)
steps = st.tuples(st.sampled_from(ACTS), st.integers(1, 45), st.sampled_from(["shuffle", "lose"]))


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine) -> Club:
    assert database.pool is not None
    return runner.run(open_club())


class History:
    """The history of one member with one subscription."""

    def __init__(
        self, club: Club, member: MemberId, subscription: str, dice: random.Random
    ) -> None:
        self.club, self.member, self.subscription, self.dice = club, member, subscription, dice
        self.begun_at, self.no = club.at, 0

    async def act(self, kind: str, number: int) -> None:
        """Do one thing at Stripe; what it does not allow is not done."""
        self.no += 1
        key = f"{self.subscription}-{self.no}"
        gateway, one = self.club.gateway, (await self.picture()).subscription
        acts: dict[str, Callable[[], Any]] = {
            "days": lambda: self.club.advance(days=number),
            "fail": lambda: self.club.keep_card(one.customer_id, BAD),
            "mend": lambda: self.mend(one.customer_id),
            "cancel": lambda: gateway.cancel_at_period_end(key, one.id, cancel=True),
            "uncancel": lambda: gateway.cancel_at_period_end(key, one.id, cancel=False),
            "end": lambda: gateway.cancel_now(key, one.id),
            "upgrade": lambda: gateway.change_price(
                key, one, self.club.prices["prime/month"], proration_at=self.club.at
            ),
            "pause": lambda: gateway.pause(key, one.id, one.period_end + timedelta(days=number)),
            "resume": lambda: gateway.resume(key, one.id),
            "refund": lambda: self.refund(key, whole=True),
            "refund some": lambda: self.refund(key, whole=False),
            "dispute": self.dispute,
            "win": lambda: self.decide("winning_evidence"),
            "lose": lambda: self.decide("losing_evidence"),
        }
        with suppress(StripeRefused):
            await acts[kind]()

    async def mend(self, customer: str) -> None:
        """Bring a card that works, and pay what is open with it."""
        await self.club.keep_card(customer, GOOD)
        for invoice in (await self.picture()).invoices:
            if invoice.status == "open":
                await self.club.stripe.invoices.pay_async(invoice.id)

    async def refund(self, key: str, *, whole: bool) -> None:
        """Give the last payment back, or a part of it."""
        paid = [one for one in (await self.picture()).invoices if one.payment_intent_ids]
        if paid and paid[-1].status == "paid":
            money = paid[-1].amount_paid
            part = money if whole else type(money)(money.amount_minor // 3 or 1, money.currency)
            await self.club.gateway.refund(key, paid[-1].payment_intent_ids[0], part, {})

    async def dispute(self) -> None:
        """Let the cardholder's bank take the last payment back, if nothing of it has gone back."""
        shown = await self.picture()
        back = {one.payment_intent_id for one in shown.refunds}
        back |= {one.payment_intent_id for one in shown.disputes}
        paid = [one for one in shown.invoices if one.status == "paid" and one.payment_intent_ids]
        if not paid or back & set(paid[-1].payment_intent_ids):
            return
        asked = {"payment_intent": paid[-1].payment_intent_ids[0]}
        charge = await anext(self.club.gateway.pages("/v1/charges", asked))
        with self.club.sandbox.store.transaction() as making:
            world = self.club.sandbox.world(making)
            disputes.open_one(world, world.get("charge", charge["id"]), reason="fraudulent")

    async def decide(self, word: str) -> None:
        """Let the bank decide the disputes that are open."""
        evidence = {"evidence": {"uncategorized_text": word}, "submit": True}
        for one in (await self.picture()).disputes:
            if one.is_open:
                await self.club.gateway.post(None, f"/v1/disputes/{one.id}", evidence)

    async def picture(self) -> Picture:
        """Return the subscription as Stripe has it."""
        return await self.club.gateway.picture(self.subscription)

    async def hear(self, how: str) -> None:
        """Let events come shuffled and doubled, or be lost and found by the reconciliation."""

        def arrange(sent: list[Delivery]) -> list[Delivery]:
            if how == "lose":
                sent = [one for one in sent if self.dice.random() < 0.2]
            return self.dice.sample([*sent, *sent], 2 * len(sent))

        await self.club.hear(arrange)
        if how == "lose":
            await reconciling.reconcile(self.club.handler, self.club.at, whole=False)
        await self.club.turn()

    async def check(self) -> None:
        """Compare our books with Stripe's, day by day."""
        shown = await self.picture()
        memberships = await self.club.memberships(self.member)
        assert len(memberships) <= 1
        held = [
            one
            for membership in memberships
            for one in await self.club.held(self.member, membership.id)
        ]
        grace_days = {
            price: GRACE_DAYS[name.partition("/")[0]] for name, price in self.club.prices.items()
        }
        instant: datetime = self.begun_at + timedelta(hours=1)
        while instant < self.club.at + timedelta(days=45):
            wanted = is_entitled(shown, instant, grace_days=grace_days)
            assert wanted is any(one.begins <= instant < one.ends for one in held), instant
            instant += timedelta(hours=17)
        kept = money_kept(shown)
        assert sum((await self.club.net(self.member)).values()) == kept


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[tuple[str, int, str]], int, str, random.Random]:
    """Return what happens, the days of a trial, the card at the start, and dice."""
    return (
        draw(st.lists(steps, min_size=2, max_size=STEPS)),
        draw(st.sampled_from([0, 0, 14])),
        draw(st.sampled_from([GOOD, GOOD, GOOD, BAD])),
        random.Random(draw(st.integers(0, 10**6))),
    )


@settings(
    max_examples=RUNS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(told=histories())
def test_our_books_are_as_stripes(
    runner: asyncio.Runner,
    club: Club,
    told: tuple[list[tuple[str, int, str]], int, str, random.Random],
) -> None:
    acts, trial, card, dice = told

    async def play() -> None:
        member = await club.member()
        more: dict[str, Any] = {"trial_period_days": trial} if trial else {}
        subscription = await club.subscribe(member, card=card, **more)
        history = History(club, member, subscription, dice)
        await history.hear("shuffle")
        await history.check()
        for kind, number, how in acts:
            await history.act(kind, number)
            await history.hear(how)
            await history.check()
        # The next history begins without a subscription that still renews.
        with suppress(StripeRefused):
            await club.gateway.cancel_now(f"{subscription}-last", subscription)

    runner.run(play())


async def test_the_proof_holds_after_a_history(club: Club) -> None:
    member = await club.member()
    history = History(club, member, await club.subscribe(member), random.Random(3))
    for kind in ("days", "upgrade", "refund some", "days", "cancel", "days"):
        await history.act(kind, 25)
        await history.hear("lose")
        await history.check()
    assert (await proof.prove()).breaches == []
