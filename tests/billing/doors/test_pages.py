"""The pages on which members agree to a price and share their plan, in each language."""

from datetime import datetime
from html.parser import HTMLParser

import httpx
import pytest

from coalition.access.sessions import Sessions
from coalition.kernel.ids import MemberId
from coalition.kernel.web.application import build_application
from coalition.kernel.web.health import Readiness
from coalition.kernel.web.metrics import Metrics
from coalition.points.till import Tills
from member_ui import routes
from member_ui.visit import House
from server import people
from tests.billing.campaigns.world import rising, run
from tests.billing.memberships.world import Club, make_club
from tests.billing.plans.written import plan
from tests.billing.seats.home import Home
from tests.support.http import ISSUER, SETTINGS

pytestmark = pytest.mark.usefixtures("database")

PASSWORD = "four words that rhyme"


class Forms(HTMLParser):
    """The forms of a page: their fields, by where they go to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._action = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action = told["action"]
            self.found.setdefault(self._action, {})
        elif tag == "input":
            self.found[self._action].setdefault(told["name"], told.get("value", ""))


class Browser:
    """Somebody who has signed in and fills in forms."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def page(self, path: str, language: str = "en") -> str:
        """Return a page."""
        answer = await self._http.get(path, params={"lang": language})
        assert answer.status_code == 200, answer.text
        return answer.text

    async def send(self, path: str, action: str) -> None:
        """Send the first form of a page that goes to `action`."""
        form = Forms(await self.page(path)).found[action]
        answer = await self._http.post(action, data=form, headers={"origin": ISSUER})
        assert answer.status_code == 303, answer.text


async def opened(club: Club, member: MemberId, email: str) -> Browser:
    """Return the browser of a member who has signed in."""
    sign_ins = people.sign_ins(SETTINGS)
    code = await sign_ins.give_code(member, email, actor="staff:anna", at=club.now())
    await sign_ins.set_password(code.code, PASSWORD, club.now())
    sessions = Sessions(sign_ins)
    house = House(
        settings=SETTINGS,
        clock=club,
        sign_ins=sign_ins,
        sessions=sessions,
        memberships=club.memberships,
        tills=Tills(card_key=SETTINGS.blind_index_key, clock=club),
        keys=club.keys,
    )
    word = await sessions.open(email, PASSWORD, club.now())
    application = build_application(
        routes.routes(house), readiness=Readiness({}), metrics=Metrics(), state={}
    )
    transport = httpx.ASGITransport(app=application)
    http = httpx.AsyncClient(transport=transport, base_url=ISSUER, cookies={house.cookie: word})
    return Browser(http)


async def test_a_member_agrees_to_a_price_and_shares_its_plan_in_its_browser(
    at: datetime,
) -> None:
    club = await make_club(at, plan("plus", seats=1))
    anna = await club.joined("plus", name="anna", country="DE")
    bo = await club.enrol("bo")
    await Home(club).family(anna, bo)
    await rising(club)
    await run(club)
    browser = await opened(club, anna, "anna@exempel.example")

    for language, word in (("en", "I agree to"), ("sv", "Jag godkänner"), ("nb", "Jeg godtar")):
        assert word in await browser.page("/membership", language)
    await browser.send("/membership", "/membership/price-consent")
    seen = await club.view(anna)
    assert seen.price_notice is not None
    assert seen.price_notice.agreed_at == club.now()
    assert "You agreed to this" in await browser.page("/membership")
    (receipt,) = await club.memberships.receipts(anna)
    assert "Agreed to the new price" in await browser.page(
        f"/membership/receipts/{receipt.receipt_id}"
    )

    assert "/membership/seats" in await browser.page("/membership")
    await browser.send("/membership/seats", "/membership/seats")
    assert (await club.view(bo)).ground == "shared"
    for language, word in (("en", "1 of 1"), ("sv", "1 av 1"), ("nb", "1 av 1")):
        assert word in await browser.page("/membership/seats", language)
    guest = await opened(club, bo, "bo@exempel.example")
    assert "pays for your plan" in await guest.page("/membership/seats")
    await guest.send("/membership/seats", "/membership/seats/remove")
    assert (await club.memberships.seats(anna, at=club.now())).items == ()
