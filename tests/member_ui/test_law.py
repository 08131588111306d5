"""What the law of a country asks of the pages: its words, its clock, and receipts that last."""

import re
from urllib.parse import unquote

from tests.member_ui.world import Person, Town


async def reference_of(member: Person) -> str:
    found = re.search(r"<code>([0-9a-f-]{36})</code>", (await member.get("/membership")).text)
    assert found is not None
    return found[1]


async def test_an_order_is_by_the_law_and_the_clock_of_the_country_that_is_chosen(
    town: Town,
) -> None:
    member = await town.member(**{"accept-language": "sv-FI,sv;q=0.9"})
    page = (await member.get("/order?price=1")).text
    assert '<option value="FI" selected>Finland</option>' in page
    assert "Beställ med betalningsskyldighet" in page
    assert '<option value="AT">Österrike</option>' in page
    german = (await member.get("/order?price=1&country=DE")).text
    assert 'name="country" value="DE"' in german
    assert "Säg upp avtal här" in german, "the law of there, in the language of the page"
    chosen = (await member.get("/order?price=1")).text
    assert 'name="country" value="DE"' in chosen, "the browser remembers it"

    await member.send("/order?price=1&country=GR", "/order", accept="yes")
    town_of_order = (await member.get("/order?price=1")).text
    assert 'name="country" value="GR"' in town_of_order, "what was ordered by counts from then on"


async def test_the_last_day_is_that_of_the_country_of_the_order(town: Town) -> None:
    member = await town.member()
    opened = await member.send("/order?price=1&country=FI", "/order", accept="yes")
    await member.pay(opened.headers["location"])
    page = (await member.get("/membership")).text
    # Ordered on 21 November; the house is in Stockholm, where that midnight is 5 December, 23:00.
    assert "Possible until the end of 5 December 2026" in page
    assert "Withdraw from the contract here" in page
    declared = await member.send("/membership", "/membership/withdraw")
    assert "Possible until the end of 5 December 2026." in declared.text


async def test_a_receipt_is_kept_as_a_text_that_says_when_and_by_which_clock(town: Town) -> None:
    member = await town.member()
    await member.order()
    left = await member.send("/membership/cancel", "/membership/cancel", reason="<b>moved")
    address = left.headers["location"]
    page = (await member.get(address)).text
    assert f'href="{address}.txt" download="cancelled-2026-11-21.txt"' in page
    assert "&lt;b&gt;moved" in page
    kept = await member.get(f"{address}.txt")
    assert kept.headers["content-type"] == "text/plain; charset=utf-8"
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert kept.headers["content-disposition"] == 'attachment; filename="cancelled-2026-11-21.txt"'
    for line in (
        "Stadsfördel",
        "What you declared: Cancellation of the membership",
        "Plan: Plus",
        "Reason: <b>moved",
        "Version of the terms: EU-2026-11",
        f"Reference: {await reference_of(member)}",
    ):
        assert line in kept.text.splitlines(), line
    assert re.search(r"When: 21 November 2026 \d\d:\d\d:\d\d \(UTC\+01:00, Europe/", kept.text)
    assert (await (await town.member()).get(f"{address}.txt")).status_code == 303


async def test_whoever_does_not_sign_in_keeps_the_receipt_too(town: Town) -> None:
    member, stranger = await town.member(), town.person(**{"accept-language": "nb"})
    await member.order()
    right = {"reference": await reference_of(member), "email": member.email, "reason": "flytter"}
    page = (await stranger.send("/cancel", "/cancel", **right)).text
    kept = re.search(r'href="data:text/plain;charset=utf-8,([^"]+)" download="', page)
    assert kept is not None
    text = unquote(kept[1])
    assert "Det du meldte: Oppsigelse av medlemskapet" in text
    assert "Grunn: flytter" in text
    assert "(UTC+01:00, Europe/Oslo)" in text
