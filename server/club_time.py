"""How time goes by for paid memberships where nobody waits: in stories, in the demo's past.

All that falls due is done in its order, at its own instant: at the sandbox, which stands in for
Stripe, and here, where the worker would do it.
"""

from datetime import datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx

from billing.benefits import granting
from billing.gateway import draining
from billing.gateway.client import Gateway
from billing.sandbox import Sandbox
from billing.subscriptions import arrivals, recovering, syncing
from billing.subscriptions.campaigns import running
from billing.subscriptions.service import Memberships
from coalition.kernel.database import transaction

_DAY: Final = timedelta(days=1)
_NEXT_MONTH: Final = "SELECT min(due_at) FROM benefit_schedule WHERE due_at > $1"
_NEXT_TURN: Final = "SELECT min(turns_at) FROM membership WHERE turns_at > $1"


class ClubTime:
    """The sandbox and our own books of it, moved on together."""

    def __init__(self, sandbox: Sandbox, gateway: Gateway, memberships: Memberships) -> None:
        """Move these on; webhooks of the sandbox come to our intake."""
        self.sandbox, self.gateway, self.memberships = sandbox, gateway, memberships
        self.has_campaigns = False
        """Whether prices change by a campaign, which is looked at once a day here."""
        self._transport = httpx.ASGITransport(app=cast("Any", sandbox.application))

    def now(self) -> datetime:
        """Return the sandbox's present instant."""
        return self.sandbox.now()

    async def pass_until(self, end: datetime) -> None:
        """Do all that falls due until `end`, at Stripe and here, each at its own instant."""
        while (due := await self._next(end)) is not None:
            await self._stand_at(due)
        await self._stand_at(end)

    async def hear(self) -> None:
        """Look at all that webhooks tell of, and do what it makes due, as the worker does."""
        await self._listen()
        await syncing.turn(self.now())
        await granting.grant_due(self.now())
        if await recovering.recover(self.gateway, self.now()):
            await self._listen()
        if self.has_campaigns:
            await running.run(self.memberships.house, at=self.now(), pause_s=0)
            await self._listen()

    async def fill_in(self, url: str, number: str) -> bool:
        """Pay on a hosted page with a card, also where its holder has to agree; False: declined."""
        form = {"action": "pay", "number": number, "expiry": "12 / 40", "cvc": "123"}
        here = "http://sandbox.invalid"
        async with httpx.AsyncClient(transport=self._transport, base_url=here) as browser:
            answer = await browser.post(urlsplit(url).path, data=form | {"email": "a@b.example"})
            while answer.is_redirect:
                there = answer.url.join(answer.headers["location"])
                if there.host != "sandbox.invalid":
                    return True
                if there.path.startswith("/3ds/"):
                    answer = await browser.post(there, data={"outcome": "complete"})
                else:
                    answer = await browser.get(there)
        return False

    async def _listen(self) -> None:
        await self.sandbox.deliver_due()
        await draining.drain_all(self.now(), arrivals.handler(self.memberships.house).handle)

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
