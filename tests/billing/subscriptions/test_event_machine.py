"""Things happen at Stripe, and we hear of them in any order, late, twice or never: all comes right.

What happens there and how we hear of it are rules of one machine. Whenever all was heard, or what
was lost was found by the reconciliation, our books are as the sandbox's, benefits as the oracle
reads the pictures, and points by the month as the plans promise.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from billing.benefits import granting, grants
from billing.gateway import draining
from billing.gateway.refusals import StripeRefused
from billing.gateway.shapes import Picture
from billing.plans.documents import MonthlyPoints
from billing.sandbox import Delivery
from billing.subscriptions import reconciling, register, syncing
from billing.subscriptions.stretches import is_over
from coalition.kernel.database import Engine, transaction
from server import proof
from tests.billing.journeys import stripe_books
from tests.billing.subscriptions.happenings import ACTS, BAD, GOOD, Happenings
from tests.billing.subscriptions.oracle import is_entitled, money_by_source, points_by_month
from tests.billing.subscriptions.world import PLUS, PRIME, START, Club
from tests.points.world import make_world
from tests.support.stripe_sandbox import Mailbox, sandbox_at

POINTS = {"plus": 100, "prime": 150}
GRACE_DAYS = {"plus": 7, "prime": 2}
LISTED = timedelta(days=29)
"""So long the sandbox lists an event that was lost, less a day."""

DECISIONS = ("win", "win", "lose")
Result = TypeVar("Result")
picks = st.integers(0, 2**63)


class Look(NamedTuple):
    """A fetch that has its number and its picture, and is not applied yet."""

    no: int
    picture: Picture


class EventMachine(RuleBasedStateMachine):
    """One member, whose subscriptions live at Stripe; what is sent waits until a rule takes it."""

    run: asyncio.Runner
    club: Club

    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: list[Happenings] = []
        self.waiting: list[Delivery] = []
        self.heard: list[Delivery] = []
        self.looks: list[Look] = []
        self.is_something_lost = self.may_lose = False
        self.applied: dict[str, tuple[int, Picture | None]] = {}
        self.begun_at = self.reconciled_at = START

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.run.run(work)

    @property
    def latest(self) -> Happenings:
        return self.subscriptions[-1]

    @initialize(seed=picks)
    def join(self, seed: int) -> None:
        dice = random.Random(seed)
        # Where nothing is lost, all comes right without a reconciliation.
        self.may_lose = dice.random() < 0.3
        self.wait(self.go_on_to_the_same_day_of_a_year())
        self.member = self.wait(self.club.member())
        self.start(dice.choice([0, 0, 14]), dice.choice([GOOD, GOOD, GOOD, BAD]))

    @rule(seed=picks)
    def something_happens(self, seed: int) -> None:
        self.happen(random.Random(seed))

    @rule(seed=picks)
    def a_payment_is_disputed(self, seed: int) -> None:
        dice = random.Random(seed)
        for act in ("dispute", dice.choice(DECISIONS)):
            self.wait(self.club.advance(hours=1))
            self.wait(self.latest.act(act, 0))
            self.wait(self.collect())
            if dice.random() < 0.5:
                self.wait(self.take(self.picked(dice), "handled"))

    @rule(days=st.sampled_from([1, 5, 14, 31, 31, 31]))
    def time_goes_on(self, days: int) -> None:
        self.wait(self.club.advance(days=days))
        self.wait(self.collect())
        self.wait(self.turn())

    @rule(days=st.sampled_from([0, 14]))
    def subscribe_again(self, days: int) -> None:
        """Subscribe anew, as the house lets a member who it knows has no subscription."""
        kept = [self.wait(self.kept(one)) for one in self.subscriptions]
        is_known = all(one and one.picture and is_over(one.picture.subscription) for one in kept)
        if is_known and self.wait(self.club.live(self.member)) is None:
            self.wait(self.club.advance(hours=1))
            self.start(days, GOOD)

    @rule(seed=picks)
    def hear_of_it(self, seed: int) -> None:
        """Take in one event that waits, or all; handle it now, or later, or not to the end."""
        dice = random.Random(seed)
        if not self.waiting:
            self.happen(dice)
        how = dice.choice(["handled", "handled", "kept", "fails", "fails", "dies"])
        self.wait(self.take(self.picked(dice), how))
        if how == "fails":
            # Nothing else may be needed than that it is tried again.
            self.all_is_heard(seed, whole=False)

    @rule(seed=picks)
    def hear_an_old_one_again(self, seed: int) -> None:
        dice = random.Random(seed)
        if self.heard:
            self.wait(self.take([dice.choice(self.heard)], dice.choice(["handled", "dies"])))

    @rule(seed=picks)
    def lose_some(self, seed: int) -> None:
        if self.may_lose and self.picked(random.Random(seed)):
            self.is_something_lost = True

    @rule()
    def a_look_begins(self) -> None:
        self.looks.append(self.wait(self.begin_to_look()))

    @rule(pick=picks)
    def a_look_ends(self, pick: int) -> None:
        if self.looks:
            self.wait(self.end(self.looks.pop(pick % len(self.looks))))

    @rule(seed=picks)
    def an_older_picture_comes_last(self, seed: int) -> None:
        older = self.wait(self.begin_to_look())
        self.happen(random.Random(seed))
        self.wait(syncing.sync(self.club.gateway, self.latest.subscription, at=self.club.at))
        self.wait(self.end(older))

    @rule(whole=st.booleans())
    def reconcile(self, whole: bool) -> None:  # noqa: FBT001 - hypothesis calls it by name
        if self.may_lose:
            self.wait(self.find_what_was_lost(whole=whole))

    @rule(seed=picks, whole=st.booleans())
    def all_is_heard(self, seed: int, whole: bool) -> None:  # noqa: FBT001 - as above
        self.wait(self.hear_all(seed, whole=whole))
        self.wait(self.check())

    @invariant()
    def no_two_memberships_live(self) -> None:
        if self.subscriptions:
            found = self.wait(self.club.memberships(self.member))
            assert sum(one.ended_at is None for one in found) <= 1

    @invariant()
    def no_older_picture_takes_the_place_of_a_newer(self) -> None:
        for one in self.subscriptions:
            kept = self.wait(self.kept(one))
            if kept is not None:
                now = kept.applied_no, kept.picture
                before = self.applied.get(one.subscription, now)
                assert now[0] > before[0] or now == before
                self.applied[one.subscription] = now

    @invariant()
    def no_points_are_given_twice(self) -> None:
        if self.subscriptions:
            given = self.wait(self.given())
            assert all(sum(each) <= max(POINTS.values()) for each in given.values())

    def teardown(self) -> None:
        if self.subscriptions:
            self.wait(self.hear_all(1, whole=False))
            self.wait(self.check())
            # The next history begins without a subscription that still renews.
            self.wait(self.stop())

    def happen(self, dice: random.Random) -> None:
        """Let an hour go by and something happen; what is disputed is mostly decided next."""
        shown = self.wait(self.latest.picture())
        is_disputed = any(one.is_open for one in shown.disputes)
        acts = DECISIONS if is_disputed and dice.random() < 0.7 else ACTS
        self.wait(self.club.advance(hours=1))
        self.wait(self.latest.act(dice.choice([*acts, *acts, "end"]), dice.randint(1, 40)))
        self.wait(self.collect())

    def picked(self, dice: random.Random) -> list[Delivery]:
        """Take out one of those that wait, or all of them in any order."""
        dice.shuffle(self.waiting)
        kept = dice.choice([0, max(len(self.waiting) - 1, 0)])
        taken, self.waiting = self.waiting[kept:], self.waiting[:kept]
        return taken

    def start(self, days: int, card: str) -> None:
        more: dict[str, Any] = {"trial_period_days": days} if days else {}
        made = self.wait(self.club.subscribe(self.member, card=card, **more))
        self.subscriptions.append(Happenings(self.club, made))
        self.wait(self.collect())

    async def go_on_to_the_same_day_of_a_year(self) -> None:
        """Let each history begin alike, so that one that fails does so again."""
        at = self.club.at
        first = START.replace(year=at.year)
        first = first if first >= at else START.replace(year=at.year + 1)
        await self.club.advance(seconds=(first - at).total_seconds())
        await self.collect()
        self.waiting.clear()
        self.begun_at = self.reconciled_at = first

    async def collect(self) -> None:
        """Let what was sent wait."""
        await self.club.sandbox.deliver_due()
        self.waiting += self.club.mailbox.emptied()

    async def take(self, sent: list[Delivery], how: str) -> None:
        """Take events in; their worker may fail before it has done anything, or die after all."""

        async def broken(target: str, at: datetime) -> None:
            if how == "dies":
                await self.club.handler.handle(target, at)
            raise ConnectionError

        self.heard += sent
        for one in sent:
            await self.club.receive(one)
        if how != "kept":
            handle = self.club.handler.handle if how == "handled" else broken
            await draining.drain_all(self.club.at, handle)
            await self.turn()

    async def begin_to_look(self) -> Look:
        subscription = self.latest.subscription
        async with transaction() as connection:
            no = await register.next_fetch(connection, subscription)
        return Look(no, await self.club.gateway.picture(subscription))

    async def end(self, look: Look) -> None:
        """Apply what a look saw, which only counts where no later one was faster."""
        async with transaction() as connection:
            kept = await register.kept(connection, look.picture.subscription.id)
        assert kept is not None
        is_applied = await syncing.follow(look.picture, fetch_no=look.no, at=self.club.at)
        assert is_applied is (kept.applied_no < look.no)

    async def find_what_was_lost(self, *, whole: bool) -> None:
        at = self.club.at
        is_long_ago = at - self.reconciled_at > LISTED
        await reconciling.reconcile(self.club.handler, at, whole=whole or is_long_ago)
        self.reconciled_at = at
        self.is_something_lost = False

    async def turn(self) -> None:
        """Let what changes by itself change, and points be given."""
        await self.club.turn()
        await granting.grant_due(self.club.at)

    async def hear_all(self, seed: int, *, whole: bool) -> None:
        """Hear all that waits, and only what was lost by the reconciliation."""
        # What failed is tried again within hours.
        await self.club.advance(hours=2)
        await self.collect()
        random.Random(seed).shuffle(self.waiting)
        sent, self.waiting = self.waiting, []
        await self.take(sent, "handled")
        if self.is_something_lost:
            await self.find_what_was_lost(whole=whole)
        await self.turn()

    async def check(self) -> None:
        """Compare our books with Stripe's, benefits with the oracle, and points with the plans."""
        shown = [await one.picture() for one in self.subscriptions]
        booked: Counter[str] = Counter()
        for entry in await self.club.entries(self.member):
            booked[entry.source] += entry.amount.amount_minor
        assert {source: minor for source, minor in booked.items() if minor} == {
            source: minor for one in shown for source, minor in money_by_source(one).items()
        }
        await self.check_benefits(shown)
        await self.check_points(shown)

    async def check_benefits(self, shown: list[Picture]) -> None:
        held = [
            one
            for membership in await self.club.memberships(self.member)
            for one in await self.club.held(self.member, membership.id)
        ]
        days = {price: GRACE_DAYS[name.split("/")[0]] for name, price in self.club.prices.items()}
        instant = self.begun_at + timedelta(hours=1)
        while instant < self.club.at + timedelta(days=45):
            wanted = any(is_entitled(one, instant, grace_days=days) for one in shown)
            assert wanted is any(one.begins <= instant < one.ends for one in held), instant
            instant += timedelta(hours=17)

    async def check_points(self, shown: list[Picture]) -> None:
        """Each month has what its best plan promises, in no more grants than that takes."""
        by_price: dict[str | None, int] = {
            price: POINTS[name.split("/")[0]] for name, price in self.club.prices.items()
        }
        given = await self.given()
        for membership in await self.club.memberships(self.member):
            own = [one for one in shown if await self.is_of(one, membership.id)]
            wanted = points_by_month(own, by_price, self.club.at)
            had = {month: each for (of, month), each in given.items() if of == membership.id}
            assert had.keys() == wanted.keys(), (had, wanted)
            for month, each in had.items():
                # Only whole grants go back: one that is partly owed stays.
                assert sum(each) - min(each) < wanted[month] <= sum(each), (had, wanted)

    async def is_of(self, shown: Picture, membership: object) -> bool:
        async with transaction() as connection:
            kept = await register.kept(connection, shown.subscription.id)
        return kept is not None and kept.membership_id == membership

    async def given(self) -> dict[tuple[object, int], list[int]]:
        """Return the points that were given and not taken back, by membership and month."""
        async with transaction() as connection:
            made = await grants.of_member(connection, self.member)
        found: dict[tuple[object, int], list[int]] = {}
        for one in made:
            if one.taken_back_at is None:
                found.setdefault((one.membership_id, one.month), []).append(one.points)
        return found

    async def kept(self, one: Happenings) -> register.Kept | None:
        async with transaction() as connection:
            return await register.kept(connection, one.subscription)

    async def stop(self) -> None:
        with suppress(StripeRefused):
            await self.club.gateway.cancel_now(
                f"{self.latest.subscription}-last", self.latest.subscription
            )
        await self.collect()
        await self.take(self.waiting, "handled")


async def _open_club() -> Club:
    mailbox = Mailbox()
    club = Club(await make_world(START), sandbox_at(lambda: START, mailbox), mailbox)
    await club.prepare(
        msgspec.structs.replace(
            one, benefits=(MonthlyPoints(code="monthly", points=POINTS[one.code]),)
        )
        for one in (PLUS, PRIME)
    )
    return club


@pytest.mark.parametrize("histories", [15, pytest.param(150, marks=pytest.mark.slow)])
def test_whatever_happens_and_however_it_is_heard_our_books_come_right(
    runner: asyncio.Runner, database: Engine, histories: int
) -> None:
    assert database.pool is not None
    club = runner.run(_open_club())
    machine = type("Machine", (EventMachine,), {"run": runner, "club": club})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=30,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )
    runner.run(_prove(club))


async def _prove(club: Club) -> None:
    """Prove all books at once, and the ledger against the sandbox's books, read raw."""
    assert (await proof.prove()).breaches == []
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT source, sum(amount_minor)::int8 AS minor FROM membership_entry GROUP BY source"
        )
    books = await stripe_books.read(club.gateway)
    assert {row["source"]: row["minor"] for row in rows if row["minor"]} == books.money()
