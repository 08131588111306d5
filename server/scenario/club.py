"""Paid memberships of a story: the sandbox in memory, Stripe's webhooks, and their time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import httpx

from billing.gateway import intake
from billing.gateway.client import Gateway
from billing.gateway.intake import Intake
from billing.plans import registering
from billing.sandbox import Delivery, Sandbox
from billing.subscriptions import register
from billing.subscriptions.service import Memberships
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from server.club_time import ClubTime
from server.payments import secrets_of
from server.scenario.membership_steps import CardKind

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


class Club(ClubTime):
    """The sandbox, what listens to it, and with which cards members pay."""

    def __init__(self, settings: Settings, begins_at: datetime) -> None:
        """Let the sandbox stand at `begins_at`; it moves with `pass_until` alone."""
        sandbox = Sandbox(None, now=lambda: begins_at, deliver=self._deliver, seed="story")
        transport = httpx.ASGITransport(app=cast("Any", sandbox.application))
        gateway = Gateway(_KEY, transport=transport)
        memberships = Memberships(gateway, MemberKeys.of(settings), home=settings.issuer)
        super().__init__(sandbox, gateway, memberships)
        secrets = secrets_of(sandbox, settings.issuer + intake.PATH)
        self._intake = Intake(secrets, clock=self, is_live=False)
        self._cards: dict[UUID, CardKind] = {}
        self._working: Iterator[str] = iter(_WORK * 1000)

    async def close(self) -> None:
        """Finish what came in, and let the sandbox go."""
        await self._intake.finish()
        await self.gateway.close()
        self.sandbox.close()

    async def _deliver(self, delivery: Delivery) -> int:
        headers = {name.lower(): value for name, value in delivery.headers.items()}
        await self._intake.take(headers["stripe-signature"].encode(), delivery.body)
        return 200

    # ---- cards

    async def pay(self, member: MemberId, url: str) -> bool:
        """Fill in the payment page with the member's card; return whether it took it."""
        kind = self._cards.get(member, CardKind.WORKS)
        number = _ON_THE_PAGE.get(kind) or next(self._working)
        return await self.fill_in(url, number)

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
