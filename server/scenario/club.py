"""Paid memberships of a story: the sandbox in memory, Stripe's webhooks, and their time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from billing.benefits import granting
from billing.gateway import draining, intake
from billing.gateway.client import Gateway
from billing.gateway.intake import Intake
from billing.plans import registering
from billing.sandbox import Delivery, Sandbox
from billing.subscriptions import arrivals, register, syncing
from billing.subscriptions.campaigns import running
from billing.subscriptions.service import Memberships
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from server.payments import secrets_of
from server.scenario.membership_steps import CardKind

_DAY: Final = timedelta(days=1)
_KEY: Final = "sk_test_sandbox"
_WORK: Final = (
    *("4242424242424242", "5555555555554444", "4000056655665556", "378282246310005"),
    *("5200828282828210", "6011111111111117", "3056930009020004", "5105105105105100"),
)
_ON_THE_PAGE: Final = {
    CardKind.DECLINES: "4000000000000002",
    CardKind.NEEDS_AUTHENTICATION: "4000002760003184",
}
_KEPT: Final = {
    CardKind.DECLINES: "pm_card_chargeCustomerFail",
    CardKind.NEEDS_AUTHENTICATION: "pm_card_authenticationRequired",
    CardKind.WORKS: "pm_card_visa",
}
_NEXT_MONTH: Final = "SELECT min(due_at) FROM benefit_schedule WHERE due_at > $1"
_NEXT_TURN: Final = "SELECT min(turns_at) FROM membership WHERE turns_at > $1"


class Club:
    """The sandbox, what listens to it, and with which cards members pay."""

    def __init__(self, settings: Settings, begins_at: datetime) -> None:
        """Let the sandbox stand at `begins_at`; it moves with `pass_until` alone."""
        self.sandbox = Sandbox(None, now=lambda: begins_at, deliver=self._deliver, seed="story")
        self._transport = httpx.ASGITransport(app=cast("Any", self.sandbox.application))
        self.gateway = Gateway(_KEY, transport=self._transport)
        keys = MemberKeys.of(settings)
        self.memberships = Memberships(self.gateway, keys, home=settings.issuer)
        secrets = secrets_of(self.sandbox, settings.issuer + intake.PATH)
        self._intake = Intake(secrets, clock=self, is_live=False)
        self.has_campaigns = False
        """Whether prices change by a campaign, which the worker looks at again each day here."""
        self._cards: dict[UUID, CardKind] = {}
        self._working: Iterator[str] = iter(_WORK * 1000)

    def now(self) -> datetime:
        """Return the sandbox's present instant."""
        return self.sandbox.now()

    async def close(self) -> None:
        """Finish what came in, and let the sandbox go."""
        await self._intake.finish()
        await self.gateway.close()
        self.sandbox.close()

    async def _deliver(self, delivery: Delivery) -> int:
        headers = {name.lower(): value for name, value in delivery.headers.items()}
        await self._intake.take(headers["stripe-signature"].encode(), delivery.body)
        return 200

    # ---- time

    async def pass_until(self, end: datetime) -> None:
        """Do all that falls due until `end`, at Stripe and here, each at its own instant."""
        while (due := await self._next(end)) is not None:
            await self._stand_at(due)
        await self._stand_at(end)

    async def _next(self, end: datetime) -> datetime | None:
        async with transaction() as connection:
            ours = [
                await connection.fetchval(query, self.now()) for query in (_NEXT_MONTH, _NEXT_TURN)
            ]
        if self.has_campaigns:
            ours.append(self.now() + _DAY)
        due = [at for at in (*ours, self.sandbox.next_instant(end)) if at is not None]
        return min((at for at in due if at < end), default=None)

    async def _stand_at(self, at: datetime) -> None:
        await self.sandbox.advance(max(at, self.now()))
        await self.hear()

    async def hear(self) -> None:
        """Look at all that webhooks tell of, and do what it makes due, as the worker does."""
        await self.sandbox.deliver_due()
        await draining.drain_all(self.now(), arrivals.handler(self.memberships.house).handle)
        await syncing.turn(self.now())
        await granting.grant_due(self.now())
        if self.has_campaigns:
            await running.run(self.memberships.house, at=self.now(), pause_s=0)
            await self.sandbox.deliver_due()
            await draining.drain_all(self.now(), arrivals.handler(self.memberships.house).handle)

    # ---- cards

    async def pay(self, member: MemberId, url: str) -> bool:
        """Fill in the payment page with the member's card; return whether it took it."""
        kind = self._cards.get(member, CardKind.WORKS)
        number = _ON_THE_PAGE.get(kind) or next(self._working)
        form = {"action": "pay", "number": number, "expiry": "12 / 40", "cvc": "123"}
        async with httpx.AsyncClient(transport=self._transport, base_url="http://story") as browser:
            answer = await browser.post(urlsplit(url).path, data=form | {"email": "a@b.example"})
            while answer.is_redirect:
                there = answer.url.join(answer.headers["location"])
                if there.host != "story":
                    return True
                if there.path.startswith("/3ds/"):
                    answer = await browser.post(there, data={"outcome": "complete"})
                else:
                    answer = await browser.get(there)
        return False

    async def take_card(self, member: MemberId, kind: CardKind) -> None:
        """Let a member pay with such a card from now on, and what it owes at once."""
        self._cards[member] = kind
        async with transaction() as connection:
            live = await register.live(connection, member)
        if live is None or live.customer_id is None or live.subscription is None:
            return
        keyed = {"customer": live.customer_id}
        path = f"/v1/payment_methods/{_KEPT[kind]}/attach"
        method = {"default_payment_method": (await self.gateway.post(None, path, keyed))["id"]}
        await self.gateway.post(
            None, f"/v1/customers/{live.customer_id}", {"invoice_settings": method}
        )
        await self.gateway.post(None, f"/v1/subscriptions/{live.subscription}", method)
        for invoice in (await self.gateway.picture(live.subscription)).invoices:
            if invoice.status == "open" and kind is CardKind.WORKS:
                await self.gateway.post(None, f"/v1/invoices/{invoice.id}/pay", {})


async def put_on_sale(club: Club, documents: tuple[Any, ...], *, by: tuple[str, str]) -> None:
    """Put plans (`PlanDocument`) on sale, by two persons."""
    for document in documents:
        at = club.now()
        approval = await registering.prepare(document, valid_from=None, prepared_by=by[0], at=at)
        await registering.approve(approval, approved_by=by[1], at=at)
