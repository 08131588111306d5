"""A coalition behind its HTTP door, served in this process: real clients, tokens and rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import httpx
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp

from coalition.access import freshness, service, tokens
from coalition.access.credentials import SecretCredential
from coalition.access.service import NewClient
from coalition.access.signing_keys import ensure_signing_key
from coalition.families.doors import admin_api as rule_sets
from coalition.federation import service as federation
from coalition.federation import stores
from coalition.federation.terms import ContractTerms, Partner, Store
from coalition.kernel.clock import FixedClock
from coalition.kernel.identity import (
    OPERATOR,
    SCOPES,
    STAFF_SCOPES,
    TokenVerifier,
    audience_of,
)
from coalition.kernel.settings import Settings
from coalition.kernel.web.application import build_application
from coalition.kernel.web.health import Readiness
from coalition.kernel.web.hot import Door
from coalition.kernel.web.metrics import Metrics
from coalition.oversight import api as oversight
from coalition.points import earning
from coalition.points.till import Tills
from partners.batches import api as batches
from partners.pos import api as pos
from partners.settlement import api as settlement
from partners.statements import api as statements

ISSUER = "https://points.example"
ACTOR = "staff:test"
SETTINGS = Settings(
    database_url="", issuer=ISSUER, blind_index_key=bytes(32), master_key=bytes(range(32))
)
TERMS = ContractTerms(
    currency="SEK",
    issue_price=Decimal("0.01"),
    redemption_price=Decimal("0.01"),
    expiry_months=12,
)


@dataclass
class Shop:
    """A partner with a store and a client, speaking to the service as its till would."""

    partner: Partner
    store: Store
    client: NewClient
    token: str
    http: httpx.AsyncClient
    at: datetime
    _keys: "count[int]" = field(default_factory=count)

    async def post(
        self,
        address: str,
        body: object,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send `body` as JSON under `key`, or under a new one."""
        sent = self.headers | {"idempotency-key": key or self.new_key()} | dict(headers or {})
        return await self.http.post(address, json=body, headers=sent)

    async def send(
        self, address: str, content: bytes, media_type: str, *, key: str | None = None, **more: str
    ) -> httpx.Response:
        """Send `content` as it is."""
        sent = self.headers | {"idempotency-key": key or self.new_key()}
        sent |= {"content-type": media_type} | more
        return await self.http.post(address, content=content, headers=sent)

    async def get(self, address: str, **headers: str) -> httpx.Response:
        """Ask for what is at `address`."""
        return await self.http.get(address, headers=self.headers | headers)

    @property
    def headers(self) -> dict[str, str]:
        """The header that says who asks."""
        return {"authorization": f"Bearer {self.token}"}

    def new_key(self) -> str:
        """Return an idempotency key that was not used before."""
        return f"{self.client.client_id}-{next(self._keys)}"

    def purchase(
        self, member: str, amount_minor: int = 10_000, **changes: object
    ) -> dict[str, Any]:
        """Return the body of an issue for a purchase at the store, just now."""
        body = {
            "member_id": member,
            "receipt": f"receipt-{next(self._keys)}",
            "occurred_at": self.at.isoformat(),
            "purchase": {"amount_minor": amount_minor, "currency": "SEK"},
        }
        return body | changes

    def payment(self, member: str, points: int, **changes: object) -> dict[str, Any]:
        """Return the body of a redemption or a hold, just now."""
        body = {
            "member_id": member,
            "receipt": f"receipt-{next(self._keys)}",
            "occurred_at": self.at.isoformat(),
            "points": points,
        }
        return body | changes

    async def new_member(self, card: str = "97520001") -> str:
        """Enrol a member by card; return the id."""
        answer = await self.post("/v1/members", {"card": card})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["member_id"])

    async def issue(self, member: str, points: int, **changes: object) -> str:
        """Issue `points` to the member; return the posting's id."""
        body = self.payment(member, points, **changes)
        answer = await self.post("/v1/points/issue", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["posting_id"])

    async def balance(self, member: str) -> int:
        """Return what the member can spend."""
        answer = await self.get(f"/v1/members/{member}/balance")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["balance"])


@dataclass
class Desk:
    """A client of the operator, speaking to the service as a person of its staff would."""

    client: NewClient
    token: str
    http: httpx.AsyncClient
    _keys: "count[int]" = field(default_factory=count)

    @property
    def actor(self) -> str:
        """The name under which the audit log knows what is done here."""
        return f"client:{self.client.client_id}"

    async def post(
        self, address: str, body: object = None, *, key: str | None = None
    ) -> httpx.Response:
        """Send `body` as JSON under `key`, or under a new one."""
        headers = self.headers | {"idempotency-key": key or self.new_key()}
        if body is None:
            return await self.http.post(address, headers=headers)
        return await self.http.post(address, json=body, headers=headers)

    async def get(self, address: str, **parameters: str) -> httpx.Response:
        """Ask for what is at `address`."""
        return await self.http.get(address, headers=self.headers, params=parameters or None)

    @property
    def headers(self) -> dict[str, str]:
        """The header that says who asks."""
        return {"authorization": f"Bearer {self.token}"}

    def new_key(self) -> str:
        """Return an idempotency key that was not used before."""
        return f"{self.client.client_id}-{next(self._keys)}"


async def open_desk(
    http: httpx.AsyncClient, at: datetime, scopes: Sequence[str] = STAFF_SCOPES
) -> Desk:
    """Make a client of the operator with these scopes, and sign it in."""
    client = await service.create_client(
        partner_no=OPERATOR, name="Finance", scopes=scopes, actor=ACTOR, at=at
    )
    return Desk(client, await token_of(client, at), http)


@dataclass
class Coalition:
    """Two partners, the grocer and the fuel station, and the application that serves them."""

    clock: FixedClock
    tills: Tills
    app: ASGIApp
    http: httpx.AsyncClient
    grocer: Shop
    fuel: Shop

    async def till(
        self,
        shop: Shop,
        *,
        scopes: Sequence[str] = SCOPES,
        store_no: int | None = None,
        scope: str | None = None,
    ) -> Shop:
        """Return a further client of the same partner, with fewer scopes or bound to a store."""
        at = self.clock.now()
        client = await new_client(shop.partner, at, scopes, store_no)
        token = await token_of(client, at, scope)
        return Shop(shop.partner, shop.store, client, token, self.http, at)

    async def new_store(self, shop: Shop, code: str) -> Store:
        """Make a further store of the partner."""
        return await stores.create_store(
            partner_no=shop.partner.no, code=code, name=code, actor=ACTOR, at=self.clock.now()
        )

    async def broken_off(
        self, address: str, content: bytes, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Send the beginning of a body and hang up; return status and problem all the same."""
        coming = [{"type": "http.request", "body": content, "more_body": True}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return coming.pop() if coming else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": address,
            "raw_path": address.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await self.app(scope, receive, send)  # type: ignore[arg-type]  # Litestar's are narrower
        start, *body = sent
        return start["status"], json.loads(b"".join(part["body"] for part in body))

    async def close(self) -> None:
        """Finish what is under way."""
        await self.tills.finish()
        await self.http.aclose()


async def open_coalition(at: datetime) -> Coalition:
    """Set up two partners in the bound database and serve them at the time `at`."""
    clock = FixedClock(at)
    await federation.create_coalition(
        name="Stadsfördel", timezone="Europe/Stockholm", actor=ACTOR, at=at
    )
    partners = [await sign_partner(name, at) for name in ("Handlarn", "Macken")]
    await ensure_signing_key(master_key=SETTINGS.master_key, at=at)
    verifier = TokenVerifier(issuer=ISSUER, audience=audience_of(ISSUER))
    await freshness.refresh(verifier, at)
    tills = Tills(card_key=SETTINGS.blind_index_key, clock=clock)
    door = Door(clock=clock, authenticate=verifier.verify)
    app = serve(routes_of(door, tills))
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # httpx names its own types
    http = httpx.AsyncClient(transport=transport, base_url=ISSUER)
    shops = []
    for partner, store in partners:
        client = await new_client(partner, at)
        shops.append(Shop(partner, store, client, await token_of(client, at), http, at))
    return Coalition(clock, tills, app, http, *shops)


def routes_of(door: Door, tills: Tills) -> list[ASGIRouteHandler]:
    """Return the handlers of the partners' door, and of finance's."""
    return [
        *pos.routes(door, tills, SETTINGS),
        *batches.routes(door, tills, SETTINGS),
        *settlement.routes(door),
        *oversight.routes(door),
        *rule_sets.routes(door),
        *statements.routes(door, tills),
    ]


def serve(routes: Sequence[ASGIRouteHandler]) -> ASGIApp:
    """Return the application that serves `routes` as the service does."""
    app: Any = build_application(routes, readiness=Readiness({}), metrics=Metrics())
    served: ASGIApp = app
    return served


async def sign_partner(name: str, at: datetime) -> tuple[Partner, Store]:
    """Make a partner with a contract of old, one point per krona and a store."""
    earlier = at - timedelta(days=500)
    made = await federation.create_partner(
        name=name, terms=TERMS, actor=ACTOR, at=at, valid_from=earlier.date()
    )
    await earning.agree(
        partner_no=made.partner.no,
        currency="SEK",
        points=1,
        per_minor=100,
        valid_from=earlier,
        actor=ACTOR,
        at=at,
    )
    store = await stores.create_store(
        partner_no=made.partner.no, code="1", name=f"{name} 1", actor=ACTOR, at=at
    )
    return made.partner, store


async def new_client(
    partner: Partner, at: datetime, scopes: Sequence[str] = SCOPES, store_no: int | None = None
) -> NewClient:
    """Make a client of `partner`."""
    return await service.create_client(
        partner_no=partner.no, name="Till", scopes=scopes, store_no=store_no, actor=ACTOR, at=at
    )


async def token_of(client: NewClient, at: datetime, scope: str | None = None) -> str:
    """Return an access token of `client`, narrowed to `scope` if one is given."""
    issued = await tokens.issue_token(
        SecretCredential(client.client_id, client.client_secret),
        grant_type=tokens.CLIENT_CREDENTIALS,
        scope=scope,
        settings=SETTINGS,
        at=at,
    )
    return issued.access_token


def is_uuid(text: object) -> bool:
    """Tell whether `text` is an id."""
    return str(UUID(str(text))) == text
