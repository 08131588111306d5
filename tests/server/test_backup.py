"""The drill: a coalition is backed up while it serves, restored elsewhere, proved and used."""

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from coalition.kernel.clock import SystemClock
from tests.server.processes import serving, within
from tests.server.test_serving import assert_stopped, token

FILES = ["blind_index_key", "database.dump", "manifest.json", "master_key"]


def buy(url: str, headers: dict[str, str], receipt: str) -> int:
    """Issue the points of a purchase of 123.45 on the card; return the balance after it."""
    body = {
        "card": "KORT1234",
        "receipt": receipt,
        "occurred_at": SystemClock().now().isoformat(),
        "purchase": {"amount_minor": 12_345, "currency": "SEK"},
    }
    answer = httpx.post(
        f"{url}/v1/points/issue", json=body, headers=headers | {"Idempotency-Key": receipt}
    )
    assert answer.status_code == 201, answer.text
    return int(answer.json()["balance"])


def test_a_restored_coalition_holds_and_works(data: Path, tmp_path: Path) -> None:
    client: Any = within("client", "create", "1", "--name", "till", "--data", data, "--json")
    kept, restored = tmp_path / "kept", tmp_path / "restored"
    with serving("serve", "--data", data, "--no-worker") as service:
        headers = token(service.url, client.document)
        httpx.post(
            f"{service.url}/v1/members",
            json={"card": "KORT1234", "first_name": "Astrid"},
            headers=headers | {"Idempotency-Key": "enrol"},
        ).raise_for_status()
        assert buy(service.url, headers, "1") == 123
        made = within("backup", kept, "--data", data, "--json")
        assert made.status == 0, made.err
        assert buy(service.url, headers, "2") == 246

    assert sorted(path.name for path in kept.iterdir()) == FILES
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}
    assert kept.stat().st_mode & 0o777 == 0o700
    done = within("restore", kept, "--data", restored)

    assert done.status == 0, done.err
    assert within("audit", "--data", restored, "--json").document["ok"]
    with serving("serve", "--data", restored, "--no-worker") as service:
        headers = token(service.url, client.document)
        found = httpx.get(f"{service.url}/v1/members?card=KORT1234", headers=headers).json()
        assert found["balance"] == 123
        assert found["personal"]["first_name"] == "Astrid"
        assert buy(service.url, headers, "2") == 246
    assert within("audit", "--data", restored, "--json").document["ok"]


def test_a_backup_is_restored_only_whole_and_only_where_nothing_is(
    data: Path, tmp_path: Path
) -> None:
    kept, new = tmp_path / "kept", tmp_path / "new"
    assert within("backup", kept, "--data", data).status == 0
    assert_stopped(within("backup", kept, "--data", data), 2, "is not empty")
    assert_stopped(within("restore", kept, "--data", data), 2, "there is a coalition in")
    assert_stopped(within("restore", tmp_path, "--data", new), 2, "manifest.json is missing")

    spoiled = tmp_path / "spoiled"
    shutil.copytree(kept, spoiled)
    os.truncate(spoiled / "database.dump", 100)
    assert_stopped(within("restore", spoiled, "--data", new), 2, "database.dump differs")
    (spoiled / "master_key").unlink()
    assert_stopped(within("restore", spoiled, "--data", new), 2, "master_key is missing")
    assert not new.exists()
    other = within("restore", kept, "--data", new, COALITION_MASTER_KEY="22" * 32)
    assert_stopped(other, 2, "COALITION_MASTER_KEY is not the key in")
    assert list(new.iterdir()) == []


@pytest.mark.usefixtures("database")
def test_a_backup_of_a_server_goes_into_an_empty_database_alone(
    database_url: str, tmp_path: Path, postgres_url: str
) -> None:
    keys = {"COALITION_BLIND_INDEX_KEY": "11" * 32, "COALITION_MASTER_KEY": "22" * 32}
    made = within("backup", tmp_path / "kept", "--database-url", database_url, **keys)
    assert made.status == 0, made.err
    there = within("restore", tmp_path / "kept", "--database-url", database_url, **keys)
    assert_stopped(there, 2, "the database has tables")
    nowhere = urlunsplit(urlsplit(postgres_url)._replace(path="/nowhere"))
    gone = within("backup", tmp_path / "other", "--database-url", nowhere, **keys)
    assert_stopped(gone, 3, "pg_dump failed")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
