"""A data directory gets a server of its own: the first time, again, and after every death."""

import asyncio
import os
import re
import signal
import socket
import stat
import subprocess
from pathlib import Path

import asyncpg
import pytest

from coalition.kernel.embedded_postgres import running, start
from coalition.kernel.embedded_postgres.binaries import candidate_folders
from tests.kernel.embedded_postgres.queries import execute, fetch_value
from tests.kernel.embedded_postgres.service import ORDINARY_UID, PRESENT_UID, USERS, Service


@pytest.mark.parametrize("uid", USERS.values(), ids=USERS.keys())
async def test_a_first_start_makes_a_durable_database_for_any_user(
    uid: int, ordinary_directory: Path, ordinary_environ: dict[str, str]
) -> None:
    directory = ordinary_directory / "data"
    with Service(directory, uid=uid, durable=True, environ=ordinary_environ) as service:
        answer = service.answer
        assert "error" not in answer
        assert answer["was_running"] is False
        assert _runs_unprivileged(directory)
        for setting, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "password_encryption": "scram-sha-256",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "jit": "off",
            "TimeZone": "UTC",
        }.items():
            assert await fetch_value(answer["url"], f"SHOW {setting}") == value, setting
        assert service.tell("stop") == 0
    assert running(directory) is None


def _runs_unprivileged(directory: Path) -> bool:
    return (directory / "postgres" / "data" / "postmaster.pid").stat().st_uid != 0


def _one_folder_a_version() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in candidate_folders(os.environ):
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=False
        )
        if match := re.search(r"\) (\d+)", answer.stdout):
            found.setdefault(match[1], folder)
    return found


VERSIONS = _one_folder_a_version()


@pytest.mark.parametrize("folder", VERSIONS.values(), ids=VERSIONS.keys())
async def test_every_installed_version_sorts_and_folds_strings_alike(
    folder: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COALITION_POSTGRES_BIN", str(folder))
    with start(directory, durable=False) as server:
        ordered = (
            "SELECT string_agg(word, ' ' ORDER BY word) FROM unnest(ARRAY['ö','a','B','z']) word"
        )
        assert await fetch_value(server.url, ordered) == "B a z ö"
        assert await fetch_value(server.url, "SELECT upper('åäö')") == "ÅÄÖ"
        refused = "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL"
        assert await fetch_value(server.url, refused) == 0
        assert str(await fetch_value(server.url, "SHOW wal_compression")) in {"lz4", "off"}
        kept = "SELECT setting::int FROM pg_settings WHERE name = '{}_wal_size'"
        most = await fetch_value(server.url, kept.format("max"))
        assert await fetch_value(server.url, kept.format("min")) == max(32, int(str(most)) // 8)


async def test_only_the_owner_reads_the_password_and_the_server_asks_for_it(
    directory: Path,
) -> None:
    with start(directory, durable=False) as server:
        password = directory / "postgres" / "password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        secret = password.read_text().strip()
        assert secret in server.url
        assert secret not in repr(server)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await fetch_value(server.url.replace(secret, "guessed"), "SELECT 1")


async def test_a_restart_finds_data_password_and_port_as_they_were(directory: Path) -> None:
    told: list[str] = []
    with start(directory, log=told.append) as first:
        await execute(first.url, "CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('yes')")
    with start(directory, log=told.append) as second:
        assert second.url == first.url
        assert second.pid != first.pid
        assert await fetch_value(second.url, "SELECT word FROM kept") == "yes"
    assert [line.partition(" ")[0] for line in told] == ["making", "PostgreSQL", "PostgreSQL"]


async def test_a_killed_server_starts_again_though_its_backends_are_still_busy(
    directory: Path,
) -> None:
    first = start(directory)
    await execute(first.url, "CREATE TABLE kept AS SELECT 'yes' AS word")
    busy = asyncio.create_task(
        fetch_value(first.url, "SELECT count(*) FROM generate_series(1, 3000000)")
    )
    active = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%3000000)'"
    )
    while await fetch_value(first.url, active) == 0:
        assert not busy.done()
    os.kill(first.pid, signal.SIGKILL)
    second = await asyncio.to_thread(start, directory)
    assert second.pid != first.pid
    assert await fetch_value(second.url, "SELECT word FROM kept") == "yes"
    await asyncio.gather(busy, return_exceptions=True)
    first.stop()
    assert running(directory) is not None, "the second owner keeps it"
    second.stop()
    assert running(directory) is None


def test_a_lock_file_naming_a_living_stranger_is_no_obstacle(
    ordinary_directory: Path, ordinary_environ: dict[str, str]
) -> None:
    directory = ordinary_directory / "data"
    with Service(directory, uid=ORDINARY_UID, environ=ordinary_environ) as service:
        pid = service.answer["pid"]
        lock_file = directory / "postgres" / "data" / "postmaster.pid"
        left_behind = lock_file.read_text()
        assert service.tell("stop") == 0
    user = ORDINARY_UID if PRESENT_UID == 0 else None
    with subprocess.Popen(["sleep", "600"], user=user) as stranger:
        try:
            lock_file.write_text(left_behind.replace(str(pid), str(stranger.pid), 1))
            os.chown(lock_file, ORDINARY_UID, -1)
            with Service(directory, uid=ORDINARY_UID, environ=ordinary_environ) as service:
                assert "error" not in service.answer
                assert service.tell("stop") == 0
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_an_interrupted_first_start_is_begun_anew(directory: Path) -> None:
    half_made = directory / "postgres" / "data.new-half"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with start(directory, durable=False) as server:
        assert server.was_running is False
    assert not half_made.exists()


def test_a_port_that_was_taken_in_between_is_given_up_for_a_free_one(directory: Path) -> None:
    with start(directory, durable=False) as first:
        pass
    with (
        socket.create_server(("127.0.0.1", first.port)),
        start(directory, durable=False) as second,
    ):
        assert second.port != first.port
