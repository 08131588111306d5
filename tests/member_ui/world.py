"""The whole service with two plans on sale and the sandbox, and people at its pages."""

import dataclasses
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from billing.subscriptions import selling
from coalition.federation import service as federation
from coalition.kernel.clock import FixedClock
from server.app import Service, create_service
from tests.billing.plans.written import MONTHLY, on_sale, plan
from tests.support.http import ACTOR, ISSUER, SETTINGS

PASSWORD = "three words of mine"
FROM_US = {"origin": ISSUER, "sec-fetch-site": "same-origin"}
READS = {"accept": "text/html,application/xhtml+xml"}
PLANS = (
    plan(),
    plan("premium", rank=20, prices=[MONTHLY | {"amount_minor": 14_900}]),
)
_numbers = count(1)


@dataclass
class Person:
    """Somebody at a browser without scripts."""

    http: httpx.AsyncClient
    email: str = field(default_factory=lambda: f"person{next(_numbers)}@exempel.example")

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page."""
        return await self.http.get(path, headers=READS | headers)

    async def post(self, path: str, headers: dict[str, str], **fields: str) -> httpx.Response:
        """Send a form with just these headers and fields."""
        return await self.http.post(path, headers=READS | headers, data=fields)

    async def send(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Send the form to `path` that the page `page` has, with these fields over its own."""
        answer = await self.get(page)
        assert answer.status_code == 200, answer.text
        return await self.post(path, FROM_US, **(hidden(answer.text, path) | fields))

    async def join(self, **fields: str) -> httpx.Response:
        """Become a member."""
        known = {"email": self.email, "password": PASSWORD}
        return await self.post("/join", FROM_US, **(known | fields))

    async def sign_in(self, **fields: str) -> httpx.Response:
        """Sign in."""
        known = {"email": self.email, "password": PASSWORD}
        return await self.post("/sign-in", FROM_US, **(known | fields))

    async def order(self, price: int = 1, card: str = "4242424242424242") -> httpx.Response:
        """Order, pay on the sandbox's page, and come back."""
        opened = await self.send(f"/order?price={price}", "/order", accept="yes")
        assert opened.status_code == 303, opened.text
        return await self.pay(opened.headers["location"], card)

    async def pay(self, address: str, card: str = "4242424242424242") -> httpx.Response:
        """Pay on a page of the sandbox's, and come back."""
        form = {"action": "pay", "number": card, "expiry": "12 / 40", "cvc": "123"}
        answer = await self.http.post(urlsplit(address).path, data=form)
        while answer.headers.get("location", "").startswith("cs_"):
            answer = await self.http.get(answer.url.join(answer.headers["location"]))
        return await self.get(answer.headers["location"])

    async def later(self, jump: str) -> None:
        """Let the whole house be a day, week, month or year on, and sign in again."""
        moved = await self.http.post("/sandbox/time-machine", data={"jump": jump}, headers=FROM_US)
        assert moved.is_redirect, moved.text
        await self.sign_in()


@dataclass
class Town:
    """The service, whose pages people open."""

    service: Service

    def person(self, **given: str) -> Person:
        """Return somebody whom nobody knows yet."""
        transport = httpx.ASGITransport(app=self.service.application)
        return Person(
            httpx.AsyncClient(
                transport=transport,
                base_url=ISSUER,
                headers={"accept-language": "en"} | given,
            )
        )

    async def member(self, **given: str) -> Person:
        """Return somebody who has joined."""
        person = self.person(**given)
        answer = await person.join()
        assert answer.headers.get("location") == "/wallet", answer.text
        return person


@asynccontextmanager
async def open_town(database_url: str, folder: Path, at: datetime) -> AsyncIterator[Town]:
    """Serve the database, with the sandbox in `folder`, from the time `at`."""
    settings = dataclasses.replace(
        SETTINGS, database_url=database_url, data_directory=folder, stripe_sandbox=True
    )
    service = create_service(settings, clock=FixedClock(at))
    async with service.running():
        await federation.create_coalition(
            name="Stadsfördel", timezone="Europe/Stockholm", actor=ACTOR, at=at
        )
        for document in PLANS:
            await on_sale(document, at - timedelta(hours=1))
        await selling.bring(service.payments.gateway, at=at)
        yield Town(service)


def hidden(html: str, path: str) -> dict[str, str]:
    """Return the hidden fields of the first form of a page that leads to `path`."""
    form = re.search(rf'<form method="post" action="{re.escape(path)}".*?</form>', html, re.DOTALL)
    assert form is not None, f"no form leads to {path}"
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[0])
    return dict(found)
