"""Commands have the time of the house, also where the sandbox's time machine has moved it on."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from billing.sandbox import Sandbox
from coalition.kernel.clock import SystemClock
from coalition.kernel.settings import Settings
from server import house_clock, payments
from server.databases import do
from server.house_clock import FILE, HouseClock
from server.place import Place
from tests.server.processes import within

MOVED = timedelta(days=40)


def _moved_on(data: Path) -> None:
    sandbox = Sandbox(data / FILE, now=SystemClock().now)
    asyncio.run(sandbox.advance(SystemClock().now() + MOVED))
    sandbox.close()


def test_what_a_command_does_bears_the_time_that_the_service_has(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def times(settings: Settings) -> tuple[datetime, datetime]:
        paying = payments.open_payments(settings, SystemClock())
        try:
            return HouseClock().now(), paying.clock.now()
        finally:
            await paying.close()

    place = Place(environ={}, data=data)
    here, there = do(place, times)
    assert abs(here - there) < timedelta(minutes=1)
    assert capsys.readouterr().err == ""

    _moved_on(data)
    here, there = do(place, times)
    assert abs(here - there) < timedelta(minutes=1)
    assert here > SystemClock().now() + MOVED - timedelta(hours=1)
    assert "has moved this house on by 40 days" in capsys.readouterr().err
    assert house_clock.ahead() == timedelta(), "outside the place it is the machine's time"

    real = Place(environ={"COALITION_STRIPE_KEY": "sk_test_1"}, data=data)
    here, _ = do(real, times)
    assert here < SystemClock().now() + timedelta(minutes=1), "Stripe's time is the true one"

    listed = within("plan", "list", "--json", "--data", data)
    assert (listed.document, "by 40 days" in listed.err) == ({"items": []}, True)
