"""A world to measure: a data directory, five partners, members with lots, and a running service."""

import asyncio
import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import asyncpg

from bench.fill import Part, fill
from coalition.access.service import NewClient, create_client
from coalition.federation.service import create_coalition, create_partner
from coalition.federation.stores import NewStore, create_stores
from coalition.federation.terms import ContractTerms
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import migrate, open_database
from coalition.kernel.embedded_postgres import EmbeddedServer, start
from coalition.kernel.identity import SCOPES
from coalition.points.earning import agree
from server.apps import APPS

PARTNERS = 5
STORES = 20
ACTOR = "bench"
READY_WITHIN_S = 30


@dataclass
class World:
    """What load is sent to."""

    directory: Path
    postgres: EmbeddedServer
    clients: list[NewClient]
    members_file: Path
    port: int = 0
    service: subprocess.Popen[bytes] | None = None
    token: str = ""
    run: int = 0
    touched: int = 0

    @property
    def url(self) -> str:
        """The address of the service."""
        return f"http://127.0.0.1:{self.port}"

    def next_run(self) -> str:
        """Return a name that no earlier run of this world had; it goes into keys and receipts."""
        self.run += 1
        return f"{self.run}-{secrets.token_hex(4)}"

    def renew_token(self, client: int = 0) -> str:
        """Take a fresh token of one partner's client from the service."""
        new = self.clients[client]
        proof = b64encode(f"{new.client_id}:{new.client_secret}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(
            "POST",
            "/oauth/token",
            "grant_type=client_credentials",
            {
                "Authorization": f"Basic {proof}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        answer = json.loads(connection.getresponse().read())
        connection.close()
        self.token = answer["access_token"]
        return self.token

    def members(self) -> list[UUID]:
        """Return the members that load is about."""
        return [UUID(line) for line in self.members_file.read_text("ascii").split()]

    def untouched(self, count: int) -> list[UUID]:
        """Return members that no earlier call has returned."""
        first, self.touched = self.touched, self.touched + count
        chosen = self.members()[first : self.touched]
        assert len(chosen) == count, "the world has too few members for so many rounds"
        return chosen

    def memory_mb(self) -> float:
        """Return the resident memory of the largest process of the service, in MB."""
        assert self.service is not None
        command = ["ps", "-A", "-o", "pid=,ppid=,rss="]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows = [tuple(map(int, line.split())) for line in output.splitlines()]
        family = {self.service.pid}
        for _ in range(3):
            family |= {pid for pid, parent, _ in rows if parent in family}
        return max(rss_kib for pid, _, rss_kib in rows if pid in family) * 1024 / 1e6


def free_port() -> int:
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _set_up(url: str, at: datetime) -> list[NewClient]:
    engine = await open_database(url, apps=APPS)
    try:
        await migrate(engine, APPS)
        await create_coalition(name="Bench", timezone="Europe/Stockholm", actor=ACTOR, at=at)
        clients = []
        for no in range(1, PARTNERS + 1):
            terms = ContractTerms(
                currency="EUR",
                issue_price=Decimal("0.0100"),
                redemption_price=Decimal("0.0085"),
                expiry_months=24,
            )
            begins = at - timedelta(days=800)
            made = await create_partner(
                name=f"Partner {no}", terms=terms, actor=ACTOR, at=at, valid_from=begins.date()
            )
            partner_no = made.partner.no
            stores = [NewStore(f"s{store}", f"Store {store}") for store in range(STORES)]
            await create_stores(partner_no=partner_no, stores=stores, actor=ACTOR, at=at)
            await agree(
                partner_no=partner_no,
                currency="EUR",
                points=1,
                per_minor=100,
                valid_from=begins,
                actor=ACTOR,
                at=at,
            )
            clients.append(
                await create_client(
                    partner_no=partner_no,
                    name="tills",
                    scopes=sorted(SCOPES),
                    actor=ACTOR,
                    at=at,
                )
            )
        return clients
    finally:
        await engine.close()


async def _write_log(url: str, mebibytes: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        for _ in range(mebibytes):
            await connection.execute(
                "SELECT pg_logical_emit_message(false, 'bench', repeat('x', 1048576))"
            )
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


@contextlib.contextmanager
def make_world(
    directory: Path,
    *,
    members: int,
    lots_each: int,
    postings: int,
    earlier: Sequence[Part] = (),
    log_mebibytes: int = 0,
) -> Iterator[World]:
    """Make a world in `directory`: members with lots and a history; stop it at the end.

    So much of the log has been written before that, and its files can be written again, as on a
    server that has worked for a day. Where one has to be made, all commits wait.
    """
    directory.mkdir(parents=True, exist_ok=True)
    postgres = start(directory)
    try:
        asyncio.run(_write_log(postgres.url, log_mebibytes))
        clients = asyncio.run(_set_up(postgres.url, SystemClock().now()))
        ids = asyncio.run(
            fill(
                postgres.url,
                members=members,
                lots_each=lots_each,
                postings=postings,
                earlier=earlier,
            )
        )
        members_file = directory / "members.txt"
        members_file.write_text("\n".join(map(str, ids)) + "\n", "ascii")
        yield World(directory, postgres, clients, members_file)
    finally:
        postgres.stop()


@contextlib.contextmanager
def serving(world: World) -> Iterator[float]:
    """Run the service of `world`; yield how many seconds it took to be ready."""
    world.port = free_port()
    log = (world.directory / "service.log").open("ab")
    command = ["serve", "--data", str(world.directory), "--port", str(world.port), "--no-worker"]
    started = time.perf_counter()
    world.service = subprocess.Popen(
        [str(Path(sys.executable).parent / "coalition"), *command],
        stdout=log,
        stderr=log,
        # As in production, where no stand-in for Stripe is loaded; who measures one says so.
        env={"COALITION_STRIPE_SANDBOX": "0", **os.environ},
    )
    try:
        _wait_until_ready(world)
        took_s = time.perf_counter() - started
        world.renew_token()
        yield took_s
    finally:
        world.service.send_signal(signal.SIGTERM)
        world.service.wait(timeout=60)
        world.service = None
        log.close()


def _wait_until_ready(world: World) -> None:
    until = time.perf_counter() + READY_WITHIN_S
    while time.perf_counter() < until:
        connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        assert world.service is not None
        assert world.service.poll() is None, "the service ended; see service.log"
        time.sleep(0.01)
    message = f"the service was not ready within {READY_WITHIN_S} s"
    raise TimeoutError(message)
