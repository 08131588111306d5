"""Runs what docker-compose.yml says, word for word but for host, port and place, without docker."""

import asyncio
import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from coalition.kernel.embedded_postgres.binaries import find_binaries
from tests.structure import containers
from tests.support.postgres import EMPTY, url_of

KEYS, PULSE = "/var/lib/coalition/keys", "/tmp/pulse"  # noqa: S108 - in the container
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what a container listens on; here it becomes the loopback
HEALTH_ATTEMPTS, HEALTH_PAUSE_S = 120, 0.25


@dataclass(frozen=True)
class Deployment:
    """The compose file carried over to this machine: other places and ports, the same words."""

    database_url: str
    keys: Path
    port: int

    @property
    def pulse(self) -> Path:
        """Return the file that the worker touches."""
        return self.keys.parent / "pulse"

    def here(self, text: str) -> str:
        """Return a text of the compose file with this machine's places and ports."""
        if text.startswith("postgresql://"):
            return self.database_url
        places = {PULSE: str(self.pulse), KEYS: str(self.keys), EVERYWHERE: "127.0.0.1"}
        for there, here in places.items():
            text = text.replace(there, here)
        return re.sub(r"\b8000\b", str(self.port), text)

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of a service, and a path that finds our programs."""
        told = containers.services()[name].environment
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {"PATH": path, **{key: self.here(value) for key, value in told.items()}}

    def argv(self, name: str) -> list[str]:
        """Return what the container of a service runs."""
        return [self.here(word) for word in containers.services()[name].argv]

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself."""
        return self._run(name, self.argv(name))

    def health(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run the health check of a service once."""
        return self._run(
            name, [self.here(word) for word in containers.services()[name].healthcheck]
        )

    def _run(self, name: str, argv: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, env=self.environment(name), capture_output=True, text=True, check=False
        )

    @contextmanager
    def running(self, name: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service that goes on, and end it as docker does."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.argv(name), env=self.environment(name), stdout=output, stderr=output
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


@pytest.fixture
def deployment(runner: asyncio.Runner, postgres_url: str, tmp_path: Path) -> Iterator[Deployment]:
    """Return a deployment on an empty database."""
    name = f"deployment_{secrets.token_hex(6)}"
    runner.run(execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {EMPTY}"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (tmp_path / "keys").mkdir()
    yield Deployment(url_of(postgres_url, name), tmp_path / "keys", port)
    runner.run(execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)"))


def test_the_keys_are_made_once_and_only_their_owner_reads_them(deployment: Deployment) -> None:
    done = deployment.run("keys")
    assert (done.returncode, done.stderr) == (0, "")
    files = sorted(deployment.keys.iterdir())
    made = [file.read_text() for file in files]
    assert [file.name for file in files] == ["blind_index_key", "master_key"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert len(set(made)) == len(made)
    assert {len(bytes.fromhex(key)) for key in made} == {32}
    assert deployment.run("keys").returncode == 0
    assert [file.read_text() for file in files] == made


def test_the_databases_health_check_answers_for_a_database_that_runs(
    deployment: Deployment,
) -> None:
    check = containers.services()["database"].healthcheck
    program = find_binaries().folder / check[0]
    there = urlsplit(deployment.database_url)
    arguments = [*check[1:], f"--port={there.port}"]
    assert subprocess.run([program, *arguments], check=False).returncode == 0
    nobody = f"--port={deployment.port}"
    assert subprocess.run([program, *check[1:], nobody], check=False).returncode != 0


def test_the_migrations_may_run_again(deployment: Deployment) -> None:
    deployment.run("keys")
    first = deployment.run("migrate")
    assert first.returncode == 0, first.stderr
    again = deployment.run("migrate")
    assert again.returncode == 0, again.stderr


def test_the_service_becomes_healthy_and_ends_when_told(
    deployment: Deployment, tmp_path: Path
) -> None:
    deployment.run("keys")
    deployment.run("migrate")
    log = tmp_path / "log"
    with deployment.running("service", log) as process:
        assert is_healthy_in_the_end(deployment, "service", process), log.read_text()
    assert process.returncode == 0, log.read_text()


def test_the_worker_becomes_healthy_and_is_not_while_it_hangs_and_ends_when_told(
    deployment: Deployment, tmp_path: Path
) -> None:
    deployment.run("keys")
    deployment.run("migrate")
    log = tmp_path / "log"
    with deployment.running("worker", log) as process:
        assert is_healthy_in_the_end(deployment, "worker", process), log.read_text()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        try:
            # As if it had been so for two minutes: nobody waits for them here.
            past = deployment.pulse.stat().st_mtime - 120
            os.utime(deployment.pulse, (past, past))
            assert deployment.health("worker").returncode != 0
        finally:
            process.send_signal(signal.SIGCONT)
        assert is_healthy_in_the_end(deployment, "worker", process), log.read_text()
    assert process.returncode == 0, log.read_text()


@pytest.mark.parametrize("name", ["service", "worker"])
def test_the_health_check_fails_while_there_is_nobody(deployment: Deployment, name: str) -> None:
    assert deployment.health(name).returncode != 0


def is_healthy_in_the_end(
    deployment: Deployment, name: str, process: subprocess.Popen[bytes]
) -> bool:
    """Run the health check of a service until it passes, the service ends, or nobody would wait."""
    for _ in range(HEALTH_ATTEMPTS):
        if deployment.health(name).returncode == 0:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=HEALTH_PAUSE_S)
            return False
    return False


async def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
