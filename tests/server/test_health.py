"""What the doctor says of settlement: postings that nobody drains, rates that nobody agreed on."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import uuid7
from coalition.kernel.settings import Settings
from server.databases import do
from server.place import Place
from tests.server.processes import within


def finding(data: Path, check: str) -> Any:  # Any: JSON
    """Return what the doctor finds on `check`."""
    findings = within("doctor", "--data", data, "--json").document["findings"]
    return next(one for one in findings if one["check"] == check)


def test_the_doctor_names_postings_that_no_drain_takes(data: Path) -> None:
    assert finding(data, "settlement")["ok"]

    async def queue(_: Settings) -> None:
        batch = uuid7(SystemClock().now() - timedelta(hours=1))
        async with transaction() as connection:
            await connection.execute(
                "INSERT INTO settlement_queue VALUES (3, $1, $1, $1, 17)", batch
            )

    do(Place(environ={}, data=data), queue)
    found = finding(data, "settlement")
    assert not found["ok"]
    assert found["found"].startswith("17 postings wait for a drain, the oldest for 36")
    assert "coalition worker" in found["mend"]


def test_the_doctor_names_rates_that_are_missing_between_partners(data: Path) -> None:
    assert finding(data, "money rates")["ok"]
    for name, roles in (("Kiosk", "issue,accept"), ("Bank", "issue")):
        currency = "EUR" if name == "Kiosk" else "NOK"
        words = ("--name", name, "--currency", currency, "--roles", roles, "--data", data)
        assert within("partner", "create", *words).status == 0
    found = finding(data, "money rates")
    assert not found["ok"]
    assert found["found"] == "none for EUR to NOK, EUR to SEK, SEK to EUR, SEK to NOK"
