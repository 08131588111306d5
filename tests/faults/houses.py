"""A founded coalition in a data directory, copied for each test: two partners and a few members."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from coalition.kernel import embedded_postgres
from coalition.kernel.database import open_database
from server.apps import APPS
from server.proof import prove
from tests.faults.processes import ROOT, ServiceProcess, postgres_processes
from tests.faults.tills import Till, token_of

PARTNERS = ("Handlarn", "Macken")
MEMBERS = 4


@dataclass
class House:
    """A data directory with two partners and `MEMBERS` members, and its service."""

    data: Path
    clients: list[tuple[str, str]]
    members: list[str]
    service: ServiceProcess

    def http(self, *, timeout_s: float = 10.0) -> httpx.AsyncClient:
        """Return a client of the service; who waits longer has an unknown outcome."""
        return httpx.AsyncClient(
            base_url=self.service.url, timeout=timeout_s, limits=httpx.Limits(max_connections=200)
        )

    async def tills(self, http: httpx.AsyncClient) -> list[Till]:
        """Return a till of each partner."""
        return [Till(http, await token_of(self.service.url, client)) for client in self.clients]

    @asynccontextmanager
    async def books(self) -> AsyncIterator[None]:
        """Open the database itself while the block runs; it must be up, with or without service."""
        server = embedded_postgres.running(self.data)
        assert server is not None, "PostgreSQL runs"
        engine = await open_database(server.url, apps=APPS, pool_size=2)
        try:
            yield
        finally:
            await engine.close()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection]:
        """Yield a session of an operator, straight to the database."""
        server = embedded_postgres.running(self.data)
        assert server is not None, "PostgreSQL runs"
        connection = await asyncpg.connect(server.url)
        try:
            yield connection
        finally:
            await connection.close()

    async def check_books(self) -> None:
        """Prove every invariant of ledger and settlement."""
        report = await prove()
        assert report.ok, report.breaches


def found(directory: Path) -> None:
    """Found the coalition in a new data directory; its description goes beside it."""
    data = directory / "data"
    service = ServiceProcess(["--data", str(data)], directory / "founding.log")
    service.start()
    try:
        clients = [_found_partner(data, name) for name in PARTNERS]
        members = asyncio.run(_enrol(service.url, clients[0]))
        service.send(signal.SIGTERM)
        assert service.await_end() == 0, "a service that is told to stop ends well"
    finally:
        service.close()
    assert not postgres_processes(data), "and its database with it"
    (directory / "house.json").write_text(json.dumps({"clients": clients, "members": members}))


def copy_of(directory: Path, target: Path) -> House:
    """Return a house like the one that was founded in `directory`."""
    # cp, as the database's files belong to another user when tests are run by root.
    subprocess.run(["cp", "-a", str(directory / "data"), str(target / "data")], check=True)
    described = json.loads((directory / "house.json").read_text())
    data = target / "data"
    return House(
        data=data,
        clients=[(one, secret) for one, secret in described["clients"]],
        members=described["members"],
        service=ServiceProcess(["--data", str(data)], target / "service.log"),
    )


def _found_partner(data: Path, name: str) -> tuple[str, str]:
    command = [sys.executable, "-m", "server.cli", "partner", "create", "--name", name, "--json"]
    done = subprocess.run(
        [*command, "--data", str(data)], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    made = json.loads(done.stdout)
    return made["client_id"], made["client_secret"]


async def _enrol(url: str, client: tuple[str, str]) -> list[str]:
    headers = {"authorization": f"Bearer {await token_of(url, client)}"}
    members = []
    async with httpx.AsyncClient(base_url=url) as http:
        for number in range(MEMBERS):
            answer = await http.post(
                "/v1/members",
                json={"card": f"7000{number:04}"},
                headers=headers | {"idempotency-key": f"enrol-{number}"},
            )
            assert answer.status_code == 201, answer.text
            members.append(answer.json()["member_id"])
    return members
