"""Addresses and words that no page of ours would send: each is answered by a plain page."""

import re

import pytest

from billing.plans.countries import shipped
from member_ui import wallet
from pages.rendering import lead_to
from tests.member_ui.world import FROM_US, READS, Person, Town, hidden

ADDRESSES = (
    "/membership?checkout=%00",
    "/membership?checkout=%ff",
    "/membership?checkout=" + "x" * 5_000,
    "/membership?checkout=cs_test_of_nobody",
    "/plans?currency=%00&country=%00&lang=%00",
    "/plans?country=" + "A" * 3_000,
    "/plans?lang=%3Cb%3E&done=%3Cscript%3E",
    "/order?price=%00",
    "/order?price=-1",
    "/order?price=99999999999999999999",
    "/membership/change?price=999999999",
    "/membership/change?price=%D9%A3",
    "/membership/receipts/%00",
    "/membership/receipts/x%0d%0aset-cookie:a=b",
    "/membership/receipts/00000000-0000-4000-8000-000000000000",
    "/wallet?" + "a=1&" * 2_000,
)
PAGES = ("/", "/join", "/sign-in", "/plans", "/withdraw", "/wallet", "/membership", "/gifts")
TERMS = shipped().of("EU").disclosure_version
TYPED = '"><script>alert(1)</script>{{7*7}}'


def test_nobody_is_led_to_another_host_by_slashes_at_the_beginning() -> None:
    assert lead_to("//gifts?next=//x").headers["location"] == "/gifts?next=//x"
    assert lead_to("/\\\\gifts").headers["location"] == "/%5C%5Cgifts"
    assert lead_to("https://billing.stripe.com/p").headers["location"].startswith("https://")


@pytest.mark.parametrize("address", ADDRESSES, ids=[one[:40] for one in ADDRESSES])
async def test_a_strange_address_is_answered_by_a_page(standing: Person, address: str) -> None:
    answer = await standing.get(address)
    assert answer.status_code in {200, 303, 404, 409, 422}
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text
    assert "a=b" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/order", {"price": "٣", "country": "SE", "disclosure": "x", "accept": "yes"}),
        ("/order", {"price": "1", "country": "X" * 9, "disclosure": TERMS, "accept": "yes"}),
        ("/order", {"price": "1", "country": "<b", "disclosure": TERMS, "accept": "yes"}),
        ("/order", {"price": "1", "country": "SE", "disclosure": "\x01", "accept": "yes"}),
        ("/order", {"price": "1", "country": "SE", "disclosure": "SE-2026-11"}),
        ("/gifts", {"plan": TYPED, "months": "1", "currency": "SEK"}),
        ("/gifts", {"plan": "plus", "months": "0", "currency": "SEK"}),
        ("/gifts", {"plan": "plus", "months": "1", "currency": TYPED}),
        ("/gifts/redeem", {"code": TYPED}),
        ("/gifts/redeem", {"code": "x" * 9_000}),
        ("/membership/change", {"price": "1", "previewed_at": "yesterday"}),
        ("/membership/change", {"price": "1", "previewed_at": "2026-11-21T12:00:00"}),
        ("/membership/withdraw/confirm", {"withdrawal": "x"}),
        ("/membership/pause", {"months": "-1"}),
    ],
)
async def test_a_strange_form_is_answered_by_a_page_that_shows_nothing_of_it(
    standing: Person, path: str, fields: dict[str, str]
) -> None:
    own = hidden((await standing.get("/wallet")).text, "/sign-out")
    answer = await standing.post(path, FROM_US, **(own | fields))
    assert answer.status_code in {404, 409, 422}
    assert "<title>This did not work" in answer.text
    assert TYPED not in answer.text
    assert "<script" not in answer.text


async def test_what_somebody_typed_is_shown_as_it_is_and_never_run(town: Town) -> None:
    answer = await town.person().join(first_name=TYPED, last_name=TYPED, password="short")
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "49" not in answer.text.partition("alert(1)")[2][:30]
    shown = await town.person().get("/sign-in?next=" + TYPED.replace('"', "%22"))
    assert "<script" not in shown.text


async def test_an_address_that_leads_nowhere_is_a_page_to_people_and_a_problem_to_programs(
    town: Town,
) -> None:
    person = town.person(**{"accept-language": "sv"})
    page = await person.get("/nowhere")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Sidan finns inte" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path, accept in (("/nowhere", "application/json"), ("/v1/nowhere", READS["accept"])):
        problem = await person.http.get(path, headers={"accept": accept})
        assert problem.headers["content-type"] == "application/problem+json"
        assert problem.json()["code"] == "not_found"


async def test_the_address_of_a_form_opened_by_itself_leads_to_where_the_form_is(
    town: Town,
) -> None:
    member = await town.member()
    for path, leads in (
        ("/membership/withdraw/confirm?lang=sv", "/membership/withdraw?lang=sv"),
        ("/membership/withdraw?lang=sv", "/membership?lang=sv"),
        ("/gifts/redeem", "/gifts"),
        ("/withdraw/confirm", "/withdraw"),
        ("/sign-out", "/"),
    ):
        assert (await member.get(path)).headers["location"] == leads
    refused = await member.post("/wallet", FROM_US, a="1")
    assert refused.status_code == 405
    assert "This did not work" in refused.text


async def test_a_failure_of_ours_is_a_plain_page_with_the_number_of_the_request(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A table that is gone: what no page foresees, at a place that pages reach.
    monkeypatch.setattr(wallet, "_POSTINGS", "no number")
    member = await town.member()
    answer = await member.get("/wallet", **{"x-request-id": "trace-42"})
    assert answer.status_code == 500
    assert "Something failed on our side" in answer.text
    assert "trace-42" in answer.text
    assert "Traceback" not in answer.text


async def test_every_page_keeps_to_itself_what_it_says(standing: Person, town: Town) -> None:
    more = ("/cancel", "/fees", "/plans", "/order?price=1", "/membership/seats", "/nowhere")
    for who in (standing, town.person()):
        for path in (*PAGES, *more):
            headers = (await who.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "frame-ancestors 'none'" in policy, path
            assert "script" not in policy, path
            assert headers["cache-control"] == "no-store", path
            assert headers["referrer-policy"] == "same-origin", path
            assert headers["x-content-type-options"] == "nosniff", path


async def test_head_is_answered_as_get_is_without_the_body(standing: Person) -> None:
    style = re.search(r'href="(/static/[^"]+)"', (await standing.get("/plans")).text)
    assert style is not None
    for path in (*PAGES, "/order?price=1", "/nowhere", "/sign-out", style[1]):
        page = await standing.get(path)
        head = await standing.http.head(path, headers=READS)
        assert (head.status_code, head.content) == (page.status_code, b""), path
        for name in ("content-type", "location", "content-security-policy"):
            assert head.headers.get(name) == page.headers.get(name), (path, name)


@pytest.mark.parametrize("language", ["en", "sv", "nb"])
async def test_every_page_keeps_what_was_asked_when_its_language_is_changed(
    town: Town, language: str
) -> None:
    member = await town.member(**{"accept-language": language})
    for path in PAGES:
        page = await member.get(path)
        if page.status_code == 200:
            assert f'<html lang="{language}">' in page.text
            assert page.text.count("<h1") == 1, path
            assert "<script" not in page.text
    order = await member.get("/order?price=2")
    assert "?price=2&amp;lang=nb" in order.text
