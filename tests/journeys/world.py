"""The whole service on a fresh database, with two partners, for those who try its door."""

import dataclasses
import hashlib
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import httpx

from billing.benefits import applying
from billing.benefits.entitlements import Entitlement, Ground
from coalition.federation import currencies, rates, stores
from coalition.federation import service as federation
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from partners.settlement import closing, periods, sealing
from server.app import Service, create_service
from tests.billing.benefits.world import SHIPPING, plan, register
from tests.support.http import (
    ACTOR,
    ISSUER,
    SETTINGS,
    Desk,
    Shop,
    new_client,
    open_desk,
    sign_partner,
    token_of,
)
from tests.support.members import App, open_app

Footprint = dict[str, str]
"""Of every table, how many rows it has and a digest over all of them."""

_TABLES = """
SELECT namespace.nspname || '.' || quote_ident(relation.relname)
FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind = 'r' AND namespace.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1
"""

_BY_HAND = """
INSERT INTO settlement_adjustment
VALUES ($1, $2, 1, 1, $2, 'SEK', 'none', 0, 500, 'a sign above the door', NULL, $3, 'staff:anna',
        'staff:bertil')
"""


@dataclass
class World:
    """The service with two partners, as it is in production but for its clock and its network.

    The desk of finance holds every scope of staff.
    """

    service: Service
    clock: FixedClock
    http: httpx.AsyncClient
    grocer: Shop
    fuel: Shop
    finance: Desk


@dataclass
class Scene(World):
    """A member with 100 points of the grocer's, 30 of them on hold there; they become miles 1:1.

    It has a plan, too.

    The grocer also sent a batch of one line, which was refused, and its first month is closed, with
    a line by hand. The fuel station has a store M-7, which the grocer has not.
    """

    member: str
    posting: str
    hold: str
    batch: str
    statement: str
    app: App


async def set_scene(world: World) -> Scene:
    """Enrol a member at the grocer, issue 100 points and reserve 30 of them."""
    grocer = world.grocer
    await stores.create_store(
        partner_no=world.fuel.partner.no, code="M-7", name="Macken 7", actor=ACTOR, at=grocer.at
    )
    await _agree_on_miles(grocer.at)
    member = await grocer.new_member()
    posting = await grocer.issue(member, 100)
    await _give_plan(MemberId(UUID(member)), grocer.at)
    held = await grocer.post("/v1/points/holds", grocer.payment(member, 30))
    assert held.status_code == 201, held.text
    sent = await grocer.send("/v1/batches", b"{}", "application/x-ndjson")
    assert sent.status_code == 201, sent.text
    parts = {field.name: getattr(world, field.name) for field in dataclasses.fields(World)}
    return Scene(
        **parts,
        member=member,
        posting=posting,
        hold=held.json()["hold_id"],
        batch=sent.json()["batch_id"],
        statement=await close_first_month(grocer),
        app=await open_app(world.http, UUID(member), world.service.settings, grocer.at),
    )


async def _give_plan(member: MemberId, at: datetime) -> None:
    """Let the member have a plan for a month, by which nothing is charged for sending."""
    plans = await register(plan("plus", SHIPPING), at=at)
    end = at + timedelta(days=30)
    held = Entitlement(
        plan_no=plans.by_code("plus").no,
        begins=at,
        ends=end,
        ground=Ground.COMPED,
        period_start=at,
        period_end=end,
        source="a gift",
    )
    async with transaction() as connection:
        await applying.apply(
            connection,
            member=member,
            membership_id=random_id(),
            entitlements=[held],
            plans=plans,
            at=at,
        )


async def close_first_month(shop: Shop) -> str:
    """Close the partner's first month, with 5.00 by hand; return the statement's id."""
    at, partner_no = shop.at, shop.partner.no
    await periods.ensure(at)
    async with transaction() as connection:
        await connection.execute(_BY_HAND, random_id(), partner_no, at)
    first = await sealing.seal(partner_no, 1, at)
    approval = await closing.prepare(
        period=first.name, partner_no=partner_no, prepared_by=ACTOR, at=at
    )
    (closed,) = await closing.approve(approval, approved_by="staff:other", at=at)
    return str(closed.statement)


async def _agree_on_miles(at: datetime) -> None:
    await currencies.create_currency(code="MILES", name="Miles", actor=ACTOR, at=at)
    approval = await rates.prepare(
        from_code="POINT",
        to_code="MILES",
        from_points=1,
        to_points=1,
        prepared_by=ACTOR,
        at=at,
    )
    await rates.approve(approval, approved_by="staff:other", at=at)


@asynccontextmanager
async def open_world(database_url: str, at: datetime) -> AsyncIterator[World]:
    """Serve the database with two partners in it at the time `at`."""
    clock = FixedClock(at)
    settings = dataclasses.replace(SETTINGS, database_url=database_url)
    service = create_service(settings, clock=clock)
    transport = httpx.ASGITransport(app=service.application)
    async with service.running(), httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
        await federation.create_coalition(
            name="Stadsfördel", timezone="Europe/Stockholm", actor=ACTOR, at=at
        )
        shops = []
        for name in ("Handlarn", "Macken"):
            partner, store = await sign_partner(name, at)
            client = await new_client(partner, at)
            shops.append(Shop(partner, store, client, await token_of(client, at), http, at))
        grocer, fuel = shops
        finance = await open_desk(http, at)
        yield World(service, clock, http, grocer, fuel, finance)


async def footprint() -> Footprint:
    """Return what every table holds, so that two of them differ when anything was left behind."""
    async with transaction() as connection:
        tables = [row[0] for row in await connection.fetch(_TABLES)]
        found = {}
        for table in tables:
            rows = await connection.fetch(f"SELECT kept::text FROM {table} AS kept ORDER BY 1")
            digest = hashlib.blake2b("\n".join(row[0] for row in rows).encode(), digest_size=8)
            found[table] = f"{len(rows)} rows, {digest.hexdigest()}"
    return found


async def _events() -> int:
    async with transaction() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM outbox"))


async def assert_refused(
    sending: Awaitable[httpx.Response],
    status: int,
    code: str,
    *,
    pointer: str | None = None,
    parameter: str | None = None,
    tells: int = 0,
) -> httpx.Response:
    """Await the answer; it must be this refusal, well written, and leave nothing behind.

    `pointer` or `parameter` is the place that the refusal must name. Of some refusals the guards
    are told, who count them: `tells` says by how many events, which are all that is new.
    """
    before = await footprint()
    waiting = await _events()
    answer = await sending
    left = await footprint()
    assert await _events() == waiting + tells
    if tells:
        left["public.outbox"] = before["public.outbox"]
    assert left == before, "a refused request leaves nothing behind"
    assert (answer.status_code, code_of(answer)) == (status, code), answer.text
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert problem["type"] == f"urn:problem:coalition:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    places = [(error.get("pointer"), error.get("parameter")) for error in problem.get("errors", [])]
    if pointer is not None or parameter is not None:
        assert places == [(pointer, parameter)], answer.text
    return answer


def code_of(answer: httpx.Response) -> str:
    """Return the code of a refusal."""
    return str(answer.json().get("code")) if answer.status_code >= 400 else "no refusal"
