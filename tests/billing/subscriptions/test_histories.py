"""Any history at Stripe, its events in any order, doubled or lost: our books are as Stripe's.

What is lost is found by the reconciliation. Stripe's picture of each subscription is read day by
day by an oracle of its own, and the ledger is compared with what Stripe has kept.
"""

import asyncio
import random
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.gateway.refusals import StripeRefused
from billing.sandbox import Delivery
from billing.subscriptions import reconciling
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import MemberId
from server import proof
from tests.billing.subscriptions.happenings import ACTS, BAD, GOOD, Happenings
from tests.billing.subscriptions.oracle import is_entitled, money_kept
from tests.billing.subscriptions.world import Club, open_club

RUNS, STEPS = 12, 9
GRACE_DAYS = {"plus": 7, "prime": 2}
steps = st.tuples(
    st.sampled_from(("days", "days", "days", "end", *ACTS)),
    st.integers(1, 45),
    st.sampled_from(["shuffle", "lose"]),
)


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine) -> Club:
    assert database.pool is not None
    return runner.run(open_club())


class History(Happenings):
    """The history of one member with one subscription."""

    def __init__(
        self, club: Club, member: MemberId, subscription: str, dice: random.Random
    ) -> None:
        super().__init__(club, subscription)
        self.member, self.dice, self.begun_at = member, dice, club.at

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


async def test_an_invoice_paid_long_after_the_end_gives_back_only_time_that_has_passed(
    club: Club,
) -> None:
    member = await club.member()
    shop = Happenings(club, await club.subscribe(member, card=BAD, trial_period_days=14))
    await club.hear()
    tried_until = club.at + timedelta(days=14)
    await club.advance(days=60)
    await club.hear()
    await club.turn()
    (ended,) = await club.memberships(member)
    # A trial that is not paid has a day of grace; Stripe's own attempts end later.
    assert (ended.state, ended.ended_at) == ("ended", tried_until + timedelta(days=1))

    await shop.act("mend", 0)
    await club.hear()
    (paid,) = await club.memberships(member)
    over_at = (await shop.picture()).subscription.ended_at
    assert over_at is not None
    assert tried_until + timedelta(days=1) < over_at < club.at
    held = [(one.ground, one.ends) for one in await club.held(member, paid.id)]
    assert held == [("trial", tried_until), ("paid", over_at)]
    assert (paid.state, paid.ended_at, paid.changed_at) == ("ended", ended.ended_at, club.at)
    assert await club.net(member) == {"SEK": 9_900}
    assert (await proof.prove()).breaches == []
    async with transaction() as connection:
        await connection.execute("UPDATE membership SET ended_at = ended_at - interval '1 hour'")
    (found,) = (await proof.prove()).breaches
    assert "nothing of it can have ended at" in found.first
