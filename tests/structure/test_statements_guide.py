"""Runs the commands of the guide to settlement for partners, as it shows them."""

import json
import subprocess
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from coalition.kernel.clock import SystemClock
from tests.structure import tree
from tests.structure.test_papers_run import COALITION, Running, address_of, assert_answers_as_shown

GUIDE = tree.ROOT / "docs" / "guides" / "partner-statements.md"
TERMS = (
    *("--currency", "USD", "--expiry-months", "24"),
    *("--service-fee", "0.001", "--vat", "service_fee=0.25"),
)
CARD = "97520001"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Serve a coalition whose last month is closed, with receipts that came in before and after."""
    data = tmp_path / "data"
    now = SystemClock().now()
    month = _last_month(now)
    then = datetime(month.year, month.month, 14, 16, 20, tzinfo=now.tzinfo)
    command = [*COALITION, "serve", "--port", "0", "--no-worker", "--data", str(data)]
    with subprocess.Popen(command, cwd=tree.ROOT, stderr=subprocess.PIPE, text=True) as service:
        try:
            url = address_of(service)
            words = ("partner", "create", "--name", "Fuel Stop", *TERMS)
            client = _told(data, *words, "--valid-from", month.isoformat())
            running = Running(url, client["client_id"], client["client_secret"])
            with _till(running) as till:
                _post(till, "/v1/members", "enrol", {"card": CARD})
                _move(till, "issue", 1250, then)
                _move(till, "redeem", 400, then + timedelta(days=2))
                _close(data, f"{month:%Y-%m}")
                _move(till, "issue", 800, now)
                _move(till, "issue", 90, then)
            yield running
        finally:
            service.terminate()
            service.communicate()


def test_every_command_of_the_guide_to_statements_answers_as_shown(
    running: Running, tmp_path: Path
) -> None:
    assert_answers_as_shown(GUIDE.read_text("utf-8"), running, tmp_path)


def _last_month(now: datetime) -> date:
    """Return the first day of the month before, where the coalition is."""
    here = now.astimezone(ZoneInfo("Europe/Stockholm")).date()
    return (here.replace(day=1) - timedelta(days=1)).replace(day=1)


def _close(data: Path, period: str) -> None:
    _told(data, "settle", "seal")
    proposed = _told(data, "settle", "close", "--period", period, "--prepared-by", "anna")
    _told(data, "settle", "approve", proposed["approval_id"], "--approved-by", "bertil")


def _told(data: Path, *words: str) -> Any:  # Any: a JSON document
    """Run a command on the data directory and return what it answers."""
    done = subprocess.run(
        [*COALITION, *words, "--json", "--data", str(data)],
        cwd=tree.ROOT,
        check=True,
        capture_output=True,
    )
    return json.loads(done.stdout)


def _till(running: Running) -> httpx.Client:
    token = httpx.post(
        f"{running.url}/oauth/token",
        auth=(running.client_id, running.client_secret),
        data={"grant_type": "client_credentials"},
    )
    headers = {"authorization": f"Bearer {token.json()['access_token']}"}
    return httpx.Client(base_url=running.url, headers=headers)


def _move(till: httpx.Client, act: str, points: int, at: datetime) -> None:
    receipt = f"{act}-{points}"
    body = {"card": CARD, "receipt": receipt, "occurred_at": at.isoformat(), "points": points}
    _post(till, f"/v1/points/{act}", receipt, body)


def _post(till: httpx.Client, address: str, key: str, body: object) -> None:
    answer = till.post(address, json=body, headers={"idempotency-key": key})
    assert answer.status_code == 201, answer.text
