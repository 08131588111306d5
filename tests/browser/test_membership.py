"""Buying, changing and leaving a paid membership in a browser, and what a till learns of it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.world import ASKS, DECLINED, FAILS_LATER, Member, Town, town

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(Path(tmp_path_factory.mktemp("town"))) as found:
        yield found


def bought(here: Town, plan: str = "Plus", price: str = "79.00") -> Member:
    member = here.member()
    member.order(plan, price)
    member.pay(here.card())
    member.back()
    return member


def test_a_person_joins_and_buys_a_year_with_a_trial_and_the_till_knows(here: Town) -> None:
    member = here.member()
    assert member.entitled()["plan"] is None
    member.order("Plus", "790.00")
    member.pay(here.card())
    said = member.back()
    assert "Free trial" in said
    assert "790.00" in said
    entitled = member.entitled()
    assert entitled["plan"] == "plus"
    assert {one["code"] for one in entitled["benefits"]} >= {"more"}
    assert entitled["flags"] == ["early-access"]
    (order,) = member.kept()["membership_orders"]
    assert (order["state"], order["country"]) == ("complete", "EU")
    assert order["disclosure_version"]


def test_what_is_not_paid_gives_nothing_and_comes_to_an_end(here: Town) -> None:
    member = here.member()
    member.order("Premium", "149.00")
    member.pay(DECLINED)
    assert "declined" in member.page.inner_text("body").lower()
    assert member.entitled()["plan"] is None
    member.pay(ASKS)
    member.page.click("text=Fail authentication")
    assert member.entitled()["plan"] is None
    assert "waits for its payment" in member.goto("/membership")
    member.later(days=2)
    member.until("/membership", "no plan")
    assert member.entitled()["plan"] is None
    member.order("Premium", "149.00")
    member.pay(ASKS)
    member.page.click("text=Complete authentication")
    assert "Active" in member.back()
    assert member.entitled()["plan"] == "premium"


def test_an_upgrade_charges_what_was_shown_and_a_failing_card_keeps_the_plan(here: Town) -> None:
    member = bought(here)
    member.later(days=20)  # beyond the trial, within the first paid month
    member.until("/membership", "Active")
    member.press("Change plan")
    said = member.press("Change to this")
    due = re.search(r"To pay now\s+SEK\s(\S+)", said)
    assert due is not None
    member.press("Order with obligation to pay")
    assert "Premium" in member.goto("/membership")
    assert member.entitled()["plan"] == "premium"
    member.press("Cards and invoices")
    assert f"{due[1]} SEK" in member.page.inner_text("body")

    poor = bought(here)
    poor.later(days=20)
    poor.until("/membership", "Active")
    poor.press("Cards and invoices")
    poor.page.click("text=Use another card")
    poor.pay(FAILS_LATER)
    poor.goto("/membership/change")
    poor.press("Change to this")
    poor.press("Order with obligation to pay")
    said = poor.goto("/membership")
    assert "Plus" in said
    assert "waits for its payment" in said
    assert poor.entitled()["plan"] == "plus"


def test_leaving_takes_two_clicks_has_a_receipt_and_can_be_taken_back(here: Town) -> None:
    member = bought(here, "Premium", "149.00")
    member.goto("/membership")
    said = member.press("Cancel the membership")
    assert "Nothing more is charged" in said
    receipt = member.press("Confirm the cancellation")
    assert "Cancelled" in receipt
    assert re.search(r"\d{1,2} \w+ \d{4} \d{2}:\d{2}", receipt)
    member.goto("/membership")
    member.press("Keep my membership")
    assert "Active" in member.goto("/membership")
    member.press("Cancel the membership")
    member.press("Confirm the cancellation")
    assert member.entitled()["plan"] == "premium"
    member.later(days=35)
    assert "See the plans" in member.until("/membership", "Ended")
    assert member.entitled()["plan"] is None


def test_no_page_runs_a_script_or_shows_what_was_typed_as_its_own(here: Town) -> None:
    member = here.member()
    refused: list[str] = []
    member.page.on("console", lambda said: refused.append(said.text))
    for path in ("/", "/plans", "/wallet", "/membership", "/gifts", "/withdraw", "/join"):
        member.goto(path)
        assert member.page.locator("script").count() == 0, path
    assert refused == []
    member.goto("/plans?currency=%3Cscript%3Ealert(1)%3C/script%3E&lang=%22%3E%3Cscript%3E")
    assert member.page.locator("script").count() == 0
    answer = member.page.request.post(f"{here.url}/membership/pause", form={"months": "1"})
    assert answer.status == 403, "it names no origin of ours"
