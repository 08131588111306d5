"""A service with two plans on sale, a till beside it, and a member at a browser."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from shutil import which
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from coalition.kernel.clock import SystemClock
from tests.journeys.plain_till import PlainTill
from tests.journeys.processes import coalition, serving
from tests.server.processes import coalition as ended

WORK = (
    *("4242424242424242", "5555555555554444", "4000056655665556", "378282246310005"),
    *("5200828282828210", "6011111111111117", "3056930009020004", "5105105105105100"),
)
"""Cards that work. Each has its own fingerprint, and one trial."""
DECLINED = "4000000000000002"
FAILS_LATER = "4000000000000341"
ASKS = "4000002760003184"
PASSWORD = "three words of mine"
PATIENCE_MS, _GLANCE_MS = 20_000, 250

_BENEFITS = [
    {"benefit": "earn_multiplier", "code": "more", "factor": "2", "funding": {"issuer": 1}},
    {"benefit": "early_access", "code": "early", "flag": "early-access"},
]
PLANS = [
    {
        "code": "plus",
        "name": "Plus",
        "rank": 10,
        "trial_days": 14,
        "prices": [
            {"interval": "month", "currency": "SEK", "amount_minor": 7900},
            {"interval": "year", "currency": "SEK", "amount_minor": 79000},
        ],
        "benefits": _BENEFITS,
    },
    {
        "code": "premium",
        "name": "Premium",
        "rank": 20,
        "prices": [{"interval": "month", "currency": "SEK", "amount_minor": 14900}],
        "benefits": _BENEFITS,
    },
]


@dataclass
class Town:
    """The service at `url`, a till of one partner, and browsers."""

    url: str
    data: tuple[str, str]
    till: PlainTill
    browser: Browser
    log: Path
    days_ahead: int = 0
    """By how much the time machine has moved the house on."""
    _cards: Iterator[str] = field(default_factory=lambda: iter(WORK))
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def card(self) -> str:
        """Return a card that works and that nobody has used yet."""
        return next(self._cards)

    def now(self) -> datetime:
        """Return the present instant of the house."""
        return SystemClock().now() + timedelta(days=self.days_ahead)

    def member(self) -> "Member":
        """Return somebody who has just joined in a browser of its own."""
        page = self.browser.new_context(
            locale="en-GB", viewport={"width": 1100, "height": 860}
        ).new_page()
        page.set_default_timeout(PATIENCE_MS)
        email = f"member{next(self._numbers)}@exempel.example"
        page.goto(f"{self.url}/join")
        page.fill("#email", email)
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.wait_for_url("**/wallet")
        return Member(self, page, email)


@dataclass
class Member:
    """A member at a browser."""

    town: Town
    page: Page
    email: str

    def goto(self, path: str) -> str:
        """Open a page of ours; return what it says."""
        answer = self.page.goto(self.town.url + path)
        assert answer is not None
        assert answer.status < 500, path
        return self.said()

    def until(self, path: str, words: str) -> str:
        """Open a page of ours until the worker has heard of what it should say; return that."""
        for _ in range(PATIENCE_MS // _GLANCE_MS):
            if words in self.goto(path):
                break
            self.page.wait_for_timeout(_GLANCE_MS)
        said = self.said()
        assert words in said, said
        return said

    def said(self) -> str:
        """Return what the page says."""
        return self.page.inner_text("main")

    def order(self, plan: str, price: str, *, pays: bool = True) -> None:
        """Choose a price of a plan, agree, and come to the payment page unless it `pays` not."""
        self.goto("/plans?currency=SEK")
        card = self.page.locator(".card", has=self.page.get_by_role("heading", name=plan))
        card.locator(".border-top", has_text=price).get_by_role("link").click()
        self.page.check("#accept")
        if not pays:
            return
        self.page.click("form[action='/order'][method=post] button")
        self.page.wait_for_url("**/sandbox/checkout/**")

    def pay(self, card: str) -> None:
        """Fill in the card and send it."""
        self.page.fill("input[name=number]", card)
        self.page.fill("input[name=expiry]", "12 / 40")
        self.page.fill("input[name=cvc]", "123")
        self.page.click("button[value=pay], form button >> nth=-1")

    def back(self) -> str:
        """Wait until the payment page has led back; return what our page says."""
        self.page.wait_for_url(f"{self.town.url}/membership")
        return self.said()

    def press(self, words: str) -> str:
        """Press the last button, or follow the last link, with these words; return what comes."""
        named = f"main button:text-is('{words}'), main a:text-is('{words}')"
        self.page.locator(named).last.click()
        return self.said()

    def entitled(self) -> Any:  # Any: a JSON object
        """Return what a till learns of the member."""
        address = "/v1/members/{member_id}/entitlements"
        answer = self.town.till.get(address, member_id=self.member_id())
        assert answer.status == 200, answer
        return answer.body

    def member_id(self) -> str:
        """Return the id by which a till finds the member's address."""
        found = self.town.till.get("/v1/members", query=f"?email={self.email}")
        assert found.status == 200, found
        return str(found.body["member_id"])

    def kept(self) -> Any:  # Any: a JSON object
        """Return the copy that staff write of everything that is kept of the member."""
        copied = ended("member", "export", self.member_id(), "--by", "anna", *self.town.data)
        assert copied.status == 0, copied.err
        return json.loads(copied.out)

    def later(self, days: int) -> None:
        """Let `days` go by in the sandbox, and in the whole house, and sign in again."""
        while days:
            step = 7 if days >= 7 else 1
            self.page.goto(f"{self.town.url}/sandbox/time-machine")
            self.page.click("text=+ 1 week" if step == 7 else "text=+ 1 day")
            days -= step
            self.town.days_ahead += step
        self.town.till.sign_in()
        self.page.goto(f"{self.town.url}/sign-in")
        if self.page.locator("#email").count():
            self.page.fill("#email", self.email)
            self.page.fill("#password", PASSWORD)
            self.page.click("main button")
            self.page.wait_for_url("**/wallet")


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """Yield a town whose service runs while the block does."""
    program = which("chromium")
    assert program is not None, "the browser tests need Debian's chromium; .ci/run installs it"
    data = ("--data", str(folder / "data"))
    with serving(*data, log=folder / "log") as url, sync_playwright() as playwright:
        made = coalition(
            "partner", "create", "--name", "Handlarn", "--currency", "SEK", *data
        )  # fmt: skip
        for plan in PLANS:
            file = folder / f"{plan['code']}.json"
            file.write_text(json.dumps(plan))
            said = coalition("plan", "propose", str(file), "--prepared-by", "anna", *data)
            coalition("plan", "approve", said["approval_id"], "--approved-by", "bertil", *data)
        coalition("plan", "sync", *data)
        till = PlainTill(url, made["client_id"], made["client_secret"], set())
        till.sign_in()
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield Town(url, data, till, browser, folder / "log")
        finally:
            browser.close()
    assert "Traceback" not in (folder / "log").read_text()
