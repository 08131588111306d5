"""A club that hears of Stripe in one of several ways, and the books in which a story ends."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from billing.benefits import entitlement_rows, granting, uses
from billing.benefits.held_now import HeldNow
from billing.benefits.held_now import read as read_held
from billing.gateway import draining
from billing.gateway.client import Gateway
from billing.gateway.intake import Intake
from billing.gateway.shapes import EventRow
from billing.sandbox import Delivery, definitions
from billing.sandbox.contract import Contract
from billing.sandbox.documents import Document
from billing.sandbox.engine import disputes
from billing.sandbox.errors import Invalid
from billing.sandbox.faults import Faults
from billing.subscriptions import arrivals, entries, reconciling, recovering, register, syncing
from billing.subscriptions.handling import Handler
from billing.subscriptions.views import MembershipState, MembershipView
from coalition.federation import catalogue
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.members import standings
from server import proof
from tests.billing.journeys import stripe_books
from tests.billing.journeys.ways import Way
from tests.billing.memberships.world import VISA
from tests.billing.memberships.world import Club as PlainClub
from tests.billing.plans.written import DOUBLE, MONTHLY, YEARLY, on_sale, plan
from tests.points.world import World, make_world
from tests.support.ledger import balance
from tests.support.stripe_sandbox import TEST_KEY

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
GROCER, FUEL = "Grocer", "Fuel"

POINTS = {"benefit": "monthly_points", "code": "monthly", "points": 100}
EARLY = {"benefit": "early_access", "code": "early", "flag": "early-access"}
SHIPPING = {
    "benefit": "free_shipping",
    "code": "shipping",
    "most_minor": 5_900,
    "currency": "SEK",
    "funding": {FUEL: 1},
}
PLUS = plan("plus", benefits=[DOUBLE, EARLY, POINTS | {"funding": {FUEL: 3, "operator": 1}}])
TRIED = plan(
    "tried", rank=5, trial_days=14, grace_after_trial_days=2, benefits=[DOUBLE, EARLY, POINTS]
)
PREMIUM = plan(
    "premium",
    rank=20,
    prices=[MONTHLY | {"amount_minor": 14_900}, YEARLY | {"amount_minor": 149_000}],
    benefits=[DOUBLE, POINTS | {"points": 250, "funding": {FUEL: 1}}, SHIPPING],
)


class Inspector(Contract):
    """The contract, which also remembers what it was asked of."""

    def __init__(self) -> None:
        self.judged: dict[tuple[str, str], int] = {}
        self.unjudged: set[tuple[str, str]] = set()

    def refusal_of(self, method: str, shape: str, values: Document) -> Invalid | None:
        if definitions.parameters(method, shape) is None:
            self.unjudged.add((method, shape))
        self.judged[method, shape] = self.judged.get((method, shape), 0) + 1
        return super().refusal_of(method, shape, values)


class Eventless(Gateway):
    """A gateway to a Stripe whose events are all older than the thirty days it lists."""

    async def events_since(self, created: datetime) -> AsyncIterator[EventRow]:
        async for row in super().events_since(created + 100 * DAY):
            yield row


class Books(NamedTuple):
    """How a story ends for a member: what it is told, holds, has paid, was given, and was told of.

    `held` are plan, ground and span of time, `paid` kind and minor units, each in order of time.
    """

    state: MembershipState
    held: list[tuple[str, str, datetime, datetime]]
    paid: list[tuple[str, int]]
    points: int
    told: set[str]


class Club(PlainClub):
    """A club with its worker, whose webhooks come in one `way`."""

    def __init__(self, world: World, way: Way, faults: Faults | None = None) -> None:
        self.contract = Inspector()
        start = world.at
        super().__init__(start, contract=self.contract, faults=faults)
        self.world = world
        self.way = way
        self.workers = 1
        self._eventless = self.another_gateway(Eventless)
        self.dice = random.Random(6)
        self._waiting: list[Delivery] = []
        # A signature is good for minutes: what comes late was taken in then, and waited here.
        self._signed_at = FixedClock(start)
        self.know_secrets(self.secret)
        self.overheard: list[Delivery] = []

    @property
    def handler(self) -> Handler:
        """What the worker looks with."""
        return arrivals.handler(self.memberships.house)

    def another_gateway(self, kind: type[Gateway] = Gateway) -> Gateway:
        """Return the gateway of another process."""
        transport = httpx.ASGITransport(app=self.sandbox.application)
        return kind(TEST_KEY, transport=transport, pauses_s=(0, 0, 0))

    # ---- time, and what is heard of it

    def know_secrets(self, *secrets: str) -> None:
        """Take webhooks that are signed with one of these."""
        self.intake = Intake(secrets, clock=self._signed_at, is_live=False)

    async def _deliver(self, delivery: Delivery) -> int:
        if self.loses_webhooks:
            return 200
        self.overheard.append(delivery)
        if self.way is Way.AS_SENT:
            await self._take(delivery)
        else:
            self._waiting.append(delivery)
        return 200

    async def _take(self, delivery: Delivery) -> None:
        header = delivery.headers["Stripe-Signature"]
        then = datetime.fromtimestamp(int(header.partition("=")[2].partition(",")[0]), UTC)
        self._signed_at.advance(then - self._signed_at.now())
        await self.intake.take(header.encode(), delivery.body)
        if self.way.looks_at_each:
            await self.drain()

    async def drain(self) -> int:
        """Look at all that has come."""
        return await draining.drain_all(self.now(), self.handler.handle)

    async def hear(self) -> None:
        """Let webhooks come in their way, and the worker do what it does by the clock."""
        await self._tend()
        await self.sandbox.deliver_due()
        batch, self._waiting = self._waiting, []
        for one in self.way.arranged(batch, self.dice):
            await self._take(one)
        await asyncio.gather(*(self._work() for _ in range(self.workers)))

    async def _work(self) -> None:
        await self.drain()
        if self.way.loses:
            await self.reconcile(whole=self.way is Way.LOST_BY_THE_WHOLE)
        await self._tend()

    async def _tend(self) -> None:
        await syncing.turn(self.now())
        await granting.grant_due(self.now())
        await recovering.recover(self.gateway, self.now())

    async def reconcile(self, *, whole: bool) -> reconciling.Report:
        """Compare with Stripe, and repair; the whole without a look at what events tell."""
        handler = self.handler
        if whole:
            handler = handler._replace(gateway=self._eventless)
        return await reconciling.reconcile(handler, self.now(), whole=whole)

    async def advance(self, by: timedelta) -> datetime:
        """Let time go on; the house hears of what happens at Stripe at most a day later."""
        until = self.now() + by
        while (now := self.now()) < until:
            due = self.sandbox.next_instant(until)
            stop = until if due is None else min(until, max(due, now) + DAY)
            await super().advance(stop - now)
        return self.now()

    async def until(self, instant: datetime) -> datetime:
        """Let time go on to an instant."""
        return await self.advance(instant - self.now())

    # ---- what members do

    async def order_and_pay(
        self,
        member: MemberId,
        code: str = "plus",
        interval: str = "month",
        *,
        card: str = VISA,
        country: str = "SE",
    ) -> str:
        """Order, pay at Stripe, and close the window: only webhooks tell of it. Return its id."""
        order = await self.order(code, interval, country=country)
        opened = await self.memberships.checkout(member, order, key=self.key(), at=self.now())
        await self.pay(opened.url, card)
        await self.hear()
        return opened.checkout_id

    async def bought(
        self,
        code: str = "plus",
        interval: str = "month",
        *,
        name: str = "anna",
        card: str = VISA,
        country: str = "SE",
    ) -> MemberId:
        """Return a new member who has ordered and paid."""
        member = await self.enrol(name, country=country)
        await self.order_and_pay(member, code, interval, card=card, country=country)
        return member

    async def change(self, member: MemberId, code: str, interval: str = "month") -> MembershipView:
        """Look at what a change costs, and confirm it."""
        price_no, key = await self.price_no(code, interval), self.key()
        said = await self.memberships.preview(member, price_no, at=self.now())
        await self.memberships.change(
            member, price_no, previewed_at=said.previewed_at, key=key, at=self.now()
        )
        await self.hear()
        return await self.view(member)

    async def ask_the_bank(self, url: str, *, agrees: bool) -> str:
        """Answer the page of a 3-D Secure step; return where it leads."""
        form = {"outcome": "complete" if agrees else "fail"}
        answer = await self.browser.post(urlsplit(url).path, data=form)
        return str(answer.headers["location"])

    async def pay_in_the_portal(self, member: MemberId, card: str = VISA) -> None:
        """Give another card in Stripe's portal, which pays what is open."""
        url = await self.memberships.portal(member, back_to="/membership", at=self.now())
        form = {"action": "card", "number": card, "expiry": "12 / 34", "cvc": "123"}
        await self.browser.post(urlsplit(url).path, data=form)
        await self.hear()

    async def withdraw(self, member: MemberId) -> int:
        """Withdraw in two steps; return what comes back, in minor units."""
        declared = await self.memberships.declare_withdrawal(member, at=self.now())
        await self.memberships.confirm_withdrawal(
            declared.withdrawal_id, member=member, key=self.key(), at=self.now()
        )
        await self.hear()
        return declared.refund.amount_minor

    async def ship(self, member: MemberId, receipt: str, minor: int) -> None:
        """Let the grocer send a purchase without charging for it, as the plan promises."""
        async with transaction() as connection:
            known = await catalogue.load(connection)
            wanted = uses.Wanted(
                member=member,
                partner_no=self.world.grocer,
                store_no=None,
                benefit="shipping",
                receipt=receipt,
                saved=Money(minor, "SEK"),
                price=None,
                used_at=self.now(),
            )
            plans = await self.memberships.house.shelf.read(connection)
            await uses.use(connection, wanted, plans=plans, known=known, at=self.now())

    async def dispute(self) -> None:
        """Let a cardholder dispute the last payment at its bank."""
        charge = await anext(self.gateway.pages("/v1/charges", {}))
        with self.sandbox.store.transaction() as making:
            world = self.sandbox.world(making)
            disputes.open_one(world, world.get("charge", charge["id"]), reason="fraudulent")
        await self.hear()

    async def decide_dispute(self, *, is_won: bool) -> None:
        """Let the bank decide the dispute that is open."""
        (open_one,) = [one async for one in self.gateway.pages("/v1/disputes", {})]
        word = "winning_evidence" if is_won else "losing_evidence"
        evidence = {"evidence": {"uncategorized_text": word}, "submit": True}
        await self.gateway.post(None, f"/v1/disputes/{open_one['id']}", evidence)
        await self.hear()

    async def customer(self, member: MemberId) -> str:
        """Return the customer at Stripe who pays for a member."""
        async with transaction() as connection:
            found = await register.of_member(connection, member)
        return next(one.customer_id for one in found if one.customer_id is not None)

    # ---- what is seen of it

    async def plans_at(self, member: MemberId, *instants: datetime) -> list[str | None]:
        """Return the plan that tills and rules see at each instant."""
        async with transaction() as connection:
            found = await standings.read_each(connection, [(member, one) for one in instants])
        return [found[member, one].plan if (member, one) in found else None for one in instants]

    async def at_the_till(self, member: MemberId, at: datetime | None = None) -> HeldNow:
        """Return what a partner's till is told."""
        async with transaction() as connection:
            plans = await self.memberships.house.shelf.read(connection)
            held = await read_held(
                connection, member, at_partner=self.world.grocer, plans=plans, at=at or self.now()
            )
        assert held is not None
        return held

    async def told(self, member: MemberId) -> Counter[str]:
        """Return how many events of each kind about a member's memberships went out."""
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT kind FROM outbox WHERE kind LIKE 'membership.%'"
                " AND payload ->> 'member_id' = $1",
                str(member),
            )
        return Counter(row["kind"].removeprefix("membership.") for row in rows)

    async def books(self, member: MemberId) -> Books:
        """Return how things stand for a member."""
        plans = await self.plans()
        async with transaction() as connection:
            found = await entitlement_rows.read(connection, member)
            booked = await entries.of_member(connection, member)
        held: list[tuple[str, str, datetime, datetime]] = []
        for _, one in sorted(found, key=lambda each: each.entitlement.begins):
            code = plans.plan(one.plan_no).document.code
            if held and held[-1][:2] == (code, one.ground) and held[-1][3] == one.begins:
                held[-1] = (*held[-1][:3], one.ends)
            else:
                held.append((code, str(one.ground), one.begins, one.ends))
        in_order = sorted(
            booked, key=lambda one: (one.occurred_at, one.kind != "payment", one.source, one.no)
        )
        return Books(
            state=(await self.view(member)).state,
            held=held,
            paid=[(str(one.kind), one.amount.amount_minor) for one in in_order],
            points=await balance(member, self.now()),
            told=set(await self.told(member)),
        )

    async def check(self, *, unknown_to_stripe: Sequence[str] = ()) -> None:
        """Prove all books: as Stripe's, charged once, nothing waiting, nothing unvalidated."""
        theirs = await stripe_books.read(self.gateway)
        theirs.check_nobody_was_charged_twice()
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT source, sum(amount_minor)::int8 AS minor FROM membership_entry"
                " GROUP BY source"
            )
            waiting = await connection.fetchval(
                "SELECT count(*) FROM stripe_event WHERE handled_at IS NULL"
            )
        assert {row["source"]: row["minor"] for row in rows if row["minor"]} == theirs.money()
        assert waiting == 0
        again = await reconciling.reconcile(self.handler, self.now(), whole=True, dry_run=True)
        assert again.drifts == ()
        assert [one.id for one in again.unexplained] == list(unknown_to_stripe)
        assert (await proof.prove()).breaches == []
        assert sum(self.contract.judged.values()) > 0
        assert self.contract.unjudged == set()


async def open_club(at: datetime, way: Way, faults: Faults | None = None) -> Club:
    """Return a club that sells Plus, Tried and Premium; `faults` are Stripe's."""
    world = await make_world(at)
    for document in (PLUS, TRIED, PREMIUM):
        await on_sale(document, at)
    return Club(world, way, faults)
