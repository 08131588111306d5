"""The whole service on a fresh database, with two partners, for those who try its door."""

import dataclasses
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx

from coalition.federation import service as federation
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from server.app import Service, create_service
from tests.support.http import (
    ACTOR,
    ISSUER,
    SETTINGS,
    Shop,
    new_client,
    sign_partner,
    token_of,
)

Footprint = dict[str, str]
"""Of every table, how many rows it has and a digest over all of them."""

_TABLES = """
SELECT namespace.nspname || '.' || quote_ident(relation.relname)
FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind = 'r' AND namespace.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1
"""


@dataclass
class World:
    """The service with two partners, as it is in production but for its clock and its network."""

    service: Service
    clock: FixedClock
    http: httpx.AsyncClient
    grocer: Shop
    fuel: Shop


@asynccontextmanager
async def open_world(database_url: str, at: datetime) -> AsyncIterator[World]:
    """Serve the database with two partners in it at the time `at`."""
    clock = FixedClock(at)
    settings = dataclasses.replace(SETTINGS, database_url=database_url)
    service = create_service(settings, clock=clock)
    transport = httpx.ASGITransport(app=service.application)  # type: ignore[arg-type]  # httpx names its own types
    async with service.running(), httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
        await federation.create_coalition(
            name="Stadsfördel", timezone="Europe/Stockholm", actor=ACTOR, at=at
        )
        shops = []
        for name in ("Handlarn", "Macken"):
            partner, store = await sign_partner(name, at)
            client = await new_client(partner, at)
            shops.append(Shop(partner, store, client, await token_of(client, at), http, at))
        yield World(service, clock, http, *shops)


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
