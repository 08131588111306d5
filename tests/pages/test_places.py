"""Where a visitor is likely to be, and instants by the clock of there."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pages.places import LocalWording, country_asked_from


@pytest.mark.parametrize(
    ("accepted", "country"),
    [
        ("sv-FI,sv;q=0.9,en;q=0.8", "FI"),
        ("en-US,en;q=0.9,sv;q=0.8", "SE"),
        ("en-GB,en", None),
        ("nb,nn;q=0.5", "NO"),
        ("de-at", "AT"),
        ("fi", "FI"),
        ("el", "GR"),
        ("zh-Hant-TW", "TW"),
        ("<script>, *;q=0.1", None),
        ("", None),
    ],
)
def test_a_browser_is_likely_at_home_where_its_language_is(
    accepted: str, country: str | None
) -> None:
    assert country_asked_from(accepted) == country


def test_an_instant_that_proves_something_says_by_which_clock_it_is() -> None:
    at = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    here = LocalWording("en", {}, ZoneInfo("UTC"))
    finnish = here.by_clock(ZoneInfo("Europe/Helsinki"))
    assert finnish.exact(at) == "22 November 2026 01:30:00 (UTC+02:00, Europe/Helsinki)"
    midnight = datetime(2026, 11, 21, 22, tzinfo=UTC)
    assert finnish.last_day(midnight) == "21 November 2026"
    assert LocalWording("sv", {}, ZoneInfo("UTC")).country("AT") == "Österrike"
    assert finnish.country("XQ") == "XQ"
