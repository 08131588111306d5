"""Forms of other sites and of other people do nothing here."""

import pytest

from tests.member_ui.world import FROM_US, PASSWORD, Town, hidden
from tests.support.http import ISSUER

ELSEWHERE = {
    "another site": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "another site in an old browser": {"origin": "https://evil.example"},
    "a frame without an origin": {"origin": "null"},
    "a name beside ours": {"origin": f"{ISSUER}.evil.example"},
    "another port": {"origin": f"{ISSUER}:8443", "sec-fetch-site": "same-site"},
    "our origin said from elsewhere": {"origin": ISSUER, "sec-fetch-site": "cross-site"},
    "nothing said": {},
}
ACTS = ("membership/card", "membership/cancel", "membership/withdraw", "order", "sign-out")


@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE.keys())
async def test_a_form_that_comes_from_elsewhere_does_nothing(
    town: Town, headers: dict[str, str]
) -> None:
    stranger = town.person()
    refused = await stranger.post("/join", headers, email=stranger.email, password=PASSWORD)
    assert (refused.status_code, refused.cookies.get("__Host-session")) == (403, None)
    assert "our own page" in refused.text
    assert (await stranger.sign_in()).status_code == 401, "nobody has joined"

    member = await town.member()
    fields = hidden((await member.get("/wallet")).text, "/sign-out")
    assert (await member.post("/sign-out", headers, **fields)).status_code == 403
    assert (await member.get("/wallet")).status_code == 200, "it is still signed in"


async def test_a_form_without_the_key_of_the_session_does_nothing(town: Town) -> None:
    member, other = await town.member(), await town.member()
    theirs = hidden((await other.get("/wallet")).text, "/sign-out")
    for act in ACTS:
        for fields in ({}, {"act": "a"}, {"act": "a", "form_key": "ü" * 64}, theirs):
            answer = await member.post(f"/{act}", FROM_US, **fields)
            assert answer.status_code in {400, 422}, (act, fields)
    assert (await member.get("/wallet")).status_code == 200


async def test_a_browser_that_says_no_site_is_known_by_its_origin(town: Town) -> None:
    member = town.person()
    joined = await member.post("/join", {"origin": ISSUER}, email=member.email, password=PASSWORD)
    assert joined.status_code == 303
    page = await member.get("/plans")
    assert page.headers["referrer-policy"] == "same-origin", "else it would say null of itself"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
async def test_no_other_site_moves_the_time_of_the_house(
    town: Town, headers: dict[str, str]
) -> None:
    stranger = town.person()
    payments = town.service.payments
    assert payments.sandbox is not None
    before = payments.sandbox.offset
    answer = await stranger.post("/sandbox/time-machine", headers, jump="week")
    assert answer.status_code == 403
    assert payments.sandbox.offset == before
