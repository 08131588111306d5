"""A coalition that sells plans at the sandbox of Stripe, on one clock for both."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from billing.benefits.entitlement_rows import read as read_entitlements
from billing.benefits.entitlements import Entitlement
from billing.gateway import draining
from billing.gateway.client import Gateway
from billing.gateway.intake import Intake
from billing.plans import catalogue
from billing.plans.documents import PlanDocument
from billing.sandbox import Delivery, Sandbox
from billing.subscriptions import entries, register, selling, syncing
from billing.subscriptions.entries import Entry
from billing.subscriptions.handling import Handler
from billing.subscriptions.register import Membership
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from tests.billing.benefits.world import plan
from tests.billing.benefits.world import register as put_on_sale
from tests.points.world import World, make_world
from tests.support.stripe_sandbox import TEST_KEY, Mailbox, client_of, sandbox_at

START = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
PLUS = plan("plus", grace_days=7, grace_after_trial_days=1)
PRIME = plan(
    "prime",
    rank=2,
    grace_days=2,
    prices=[
        {"interval": "month", "currency": "SEK", "amount_minor": 19_900},
        {"interval": "year", "currency": "SEK", "amount_minor": 199_000},
    ],
)
HOOKS = "http://shop/hooks"


class Club:
    """Plans at the sandbox, members who subscribe there, and the way of its events to us."""

    def __init__(self, world: World, sandbox: Sandbox, mailbox: Mailbox) -> None:
        self.world, self.sandbox, self.mailbox = world, sandbox, mailbox
        self.stripe = client_of(sandbox.application).v1
        self.gateway = Gateway(
            TEST_KEY,
            transport=httpx.ASGITransport(app=sandbox.application),
            pauses_s=(0.0, 0.0, 0.0),
        )
        self.handler = Handler(self.gateway)
        self.intake: Intake | None = None
        self.prices: dict[str, str] = {}

    @property
    def at(self) -> datetime:
        """The present, here and at the sandbox."""
        return self.world.clock.now()

    async def prepare(self, documents: Iterable[PlanDocument]) -> None:
        """Put plans on sale, bring them to the sandbox, and have its events sent."""
        await put_on_sale(*documents, at=self.at)
        await selling.bring(self.gateway, at=self.at)
        async with transaction() as connection:
            plans = await catalogue.load(connection)
        for one in plans.plans:
            for price in one.prices:
                assert price.stripe_price_id is not None
                self.prices[f"{one.code}/{price.interval}"] = price.stripe_price_id
        made = await self.stripe.webhook_endpoints.create_async(
            {"url": HOOKS, "enabled_events": ["*"]}
        )
        assert made.secret is not None
        self.intake = Intake([made.secret], clock=self.world.clock, is_live=False)

    async def member(self) -> MemberId:
        """Return a new member."""
        return MemberId(await self.world.member())

    async def subscribe(
        self,
        member: MemberId,
        price: str = "plus/month",
        *,
        card: str = "pm_card_visa",
        **more: Any,
    ) -> str:
        """Let a member subscribe, as a checkout would; return the subscription's id."""
        customer = await self.gateway.customer(
            f"{member}-{self.at}", member_id=member, email="a@example.org", country="SE"
        )
        await self.keep_card(customer, card)
        wish: Any = {
            "customer": customer,
            "items": [{"price": self.prices[price]}],
            "billing_mode": {"type": "flexible"},
            "metadata": {"member_id": str(member)},
            **more,
        }
        return (await self.stripe.subscriptions.create_async(wish)).id

    async def keep_card(self, customer: str, card: str) -> None:
        """Attach a card to a customer and charge invoices to it."""
        method = await self.stripe.payment_methods.attach_async(card, {"customer": customer})
        await self.stripe.customers.update_async(
            customer, {"invoice_settings": {"default_payment_method": method.id}}
        )

    async def advance(self, **by: float) -> None:
        """Let time go by at the sandbox and here; events wait in the mailbox."""
        until = self.at + timedelta(**by)
        await self.sandbox.advance(until)
        self.world.clock.advance(until - self.at)

    async def hear(
        self, arrange: Callable[[list[Delivery]], list[Delivery]] = lambda sent: sent
    ) -> int:
        """Take in what the sandbox has sent, as `arrange` lets it come, and handle all of it."""
        await self.sandbox.deliver_due()
        for delivery in arrange(self.mailbox.emptied()):
            await self.receive(delivery)
        return await draining.drain_all(self.at, self.handler.handle)

    async def receive(self, delivery: Delivery) -> None:
        """Take in one webhook, at the time at which it was sent."""
        assert self.intake is not None
        header = delivery.headers["Stripe-Signature"]
        sent_at = datetime.fromtimestamp(int(header.partition("=")[2].partition(",")[0]), UTC)
        now = self.at
        self.world.clock.advance(sent_at - now)
        try:
            await self.intake.take(header.encode(), delivery.body)
        finally:
            self.world.clock.advance(now - sent_at)

    async def live(self, member: MemberId) -> Membership | None:
        """Return the member's membership that has not ended."""
        async with transaction() as connection:
            return await register.live(connection, member)

    async def memberships(self, member: MemberId) -> list[Membership]:
        """Return all memberships of a member, the latest first."""
        async with transaction() as connection:
            return await register.of_member(connection, member)

    async def entries(self, member: MemberId) -> list[Entry]:
        """Return the member's ledger."""
        async with transaction() as connection:
            return await entries.of_member(connection, member)

    async def net(self, member: MemberId) -> dict[str, int]:
        """Return what the member has paid, less what went back."""
        async with transaction() as connection:
            return await entries.net(connection, member)

    async def held(self, member: MemberId, membership: UUID) -> list[Entitlement]:
        """Return the entitlements that benefits have applied."""
        async with transaction() as connection:
            found = await read_entitlements(connection, member)
        return [one.entitlement for one in found if one.membership_id == membership]

    async def told(self) -> list[str]:
        """Return the kinds of the events about memberships since the last time, in order."""
        async with transaction() as connection:
            rows = await connection.fetch(
                "DELETE FROM outbox WHERE kind LIKE 'membership.%' RETURNING id, kind"
            )
        return [row["kind"] for row in sorted(rows, key=lambda row: row["id"].bytes)]

    async def turn(self) -> int:
        """Let what changes by itself change."""
        return await syncing.turn(self.at)


async def open_club(at: datetime = START, *, path: Path | None = None) -> Club:
    """Open a club that sells Plus and Prime; `path` is where the sandbox keeps its state."""
    world = await make_world(at)
    mailbox = Mailbox()
    kept_in_file = None if path is None else Sandbox(path, now=lambda: at, deliver=mailbox)
    club = Club(world, kept_in_file or sandbox_at(lambda: at, mailbox), mailbox)
    await club.prepare((PLUS, PRIME))
    return club
