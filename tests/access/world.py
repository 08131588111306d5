"""A partner, its client, and an application with the routes of access, for the tests of access."""

import base64
import json
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus
from uuid import UUID

import httpx
from litestar import Litestar
from litestar.datastructures import State

from coalition.access import freshness, service
from coalition.access.api import ROUTES
from coalition.access.service import NewClient
from coalition.access.signing_keys import ensure_signing_key
from coalition.federation import service as federation
from coalition.federation.terms import ContractTerms
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from coalition.kernel.identity import SCOPES, TokenVerifier, audience_of
from coalition.kernel.settings import Settings
from coalition.kernel.web.problem import EXCEPTION_HANDLERS

ISSUER = "https://points.example"
TOKEN_ADDRESS = f"{ISSUER}/oauth/token"
ACTOR = "staff:anna"
SETTINGS = Settings(
    database_url="", issuer=ISSUER, blind_index_key=bytes(32), master_key=bytes(range(32))
)
TERMS = ContractTerms(currency="SEK", issue_price=Decimal("0.01"), redemption_price=Decimal("0.01"))


@dataclass
class World:
    """One coalition with a partner and its client, served by `http` at the time of `clock`."""

    clock: FixedClock
    verifier: TokenVerifier
    partner_no: int
    partner_id: UUID
    client: NewClient
    app: Callable[..., Awaitable[None]]
    http: httpx.AsyncClient

    @property
    def basic(self) -> dict[str, str]:
        """The headers by which the client proves itself."""
        return basic(self.client.client_id, self.client.client_secret)

    async def ask(
        self, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Ask for a token as the client; a `grant_type` or `headers` given replace the usual."""
        asked = {"grant_type": "client_credentials"} | dict(form or {})
        sent = self.basic if headers is None else headers
        return await self.http.post("/oauth/token", data=asked, headers=sent)

    async def token(self, form: Mapping[str, str] | None = None) -> str:
        """Return a new token of the client."""
        answer = await self.ask(form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


async def new_world(at: datetime) -> World:
    """Set up a coalition at `at`, and an application of the routes of access."""
    clock = FixedClock(at)
    await federation.create_coalition(
        name="Norden", timezone="Europe/Stockholm", actor=ACTOR, at=at
    )
    partner = (
        await federation.create_partner(name="Kvarnen", terms=TERMS, actor=ACTOR, at=at)
    ).partner
    client = await new_client(at, partner_no=partner.no)
    await ensure_signing_key(master_key=SETTINGS.master_key, at=at)
    verifier = await new_verifier(at)
    app = application(verifier, clock)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ISSUER)
    return World(clock, verifier, partner.no, partner.id, client, app, http)


async def new_partner_no(at: datetime, name: str) -> int:
    """Make a further partner and return its number."""
    made = await federation.create_partner(name=name, terms=TERMS, actor=ACTOR, at=at)
    return made.partner.no


async def new_client(
    at: datetime,
    *,
    partner_no: int,
    name: str = "Till",
    scopes: Sequence[str] = SCOPES,
    store_no: int | None = None,
) -> NewClient:
    """Make a client that holds every scope, unless others are given."""
    return await service.create_client(
        partner_no=partner_no, name=name, scopes=scopes, store_no=store_no, actor=ACTOR, at=at
    )


async def new_verifier(at: datetime) -> TokenVerifier:
    """Return the verifier of a process that starts at `at`."""
    verifier = TokenVerifier(issuer=ISSUER, audience=audience_of(ISSUER))
    await freshness.refresh(verifier, at)
    return verifier


def application(verifier: TokenVerifier, clock: FixedClock) -> Callable[..., Awaitable[None]]:
    """Return a small application with the routes of access."""
    return Litestar(
        ROUTES,
        state=State({"settings": SETTINGS, "clock": clock, "verifier": verifier}),
        exception_handlers=EXCEPTION_HANDLERS,
        logging_config=None,
    )


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the header of HTTP Basic as RFC 6749 section 2.3.1 wants it."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def part(token: str, index: int) -> dict[str, Any]:
    """Return the header (0) or the claims (1) of a token without verifying it."""
    text = token.split(".")[index]
    decoded: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


async def logged_actions() -> list[tuple[str, str, str]]:
    """Return actor, action and subject of every audit row of access, in order."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT actor, action, subject FROM audit_log"
            " WHERE subject LIKE 'client:%' OR subject LIKE 'signing_key:%' ORDER BY no"
        )
    return [tuple(row) for row in rows]


def refused(answer: httpx.Response, *, status: int, error: str) -> None:
    """Assert that the token endpoint refused with `error`, in the form of RFC 6749 section 5.2."""
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    description = answer.json()["error_description"]
    assert description.isascii()
    assert not {'"', "\\"} & set(description)
    assert ("www-authenticate" in answer.headers) == (status == 401)
