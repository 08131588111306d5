"""Orders, receipts and withdrawals: once however often they are sent, and nobody else's."""

import asyncio
import re

from tests.member_ui.world import FROM_US, Person, Town, hidden


async def orders(person: Person) -> set[str]:
    """Send one form of an order six times at once and once more; return where it led to."""
    page = await person.get("/order?price=1")
    fields = hidden(page.text, "/order") | {"accept": "yes"}
    sent = [person.post("/order", FROM_US, **fields) for _ in range(6)]
    answers = [*await asyncio.gather(*sent), await person.post("/order", FROM_US, **fields)]
    assert {answer.status_code for answer in answers} == {303}
    return {answer.headers["location"] for answer in answers}


async def test_an_order_sent_many_times_is_one(town: Town) -> None:
    assert len(await orders(await town.member())) == 1


async def test_an_order_that_was_not_agreed_to_is_none(town: Town) -> None:
    member = await town.member()
    refused = await member.send("/order?price=1", "/order")
    assert refused.status_code == 422


async def test_leaving_twice_by_one_form_or_two_is_leaving_once(town: Town) -> None:
    member = await town.member()
    await member.order()
    first, second = [
        hidden((await member.get("/membership/cancel")).text, "/membership/cancel")
        for _ in range(2)
    ]
    sent = [member.post("/membership/cancel", FROM_US, **fields) for fields in (first, first)]
    answers = [*await asyncio.gather(*sent)]
    answers.append(await member.post("/membership/cancel", FROM_US, **second))
    led = {answer.headers["location"] for answer in answers}
    assert len(led) == 1
    page = await member.get("/membership")
    assert page.text.count('href="/membership/receipts/') == 1


async def test_a_second_click_at_the_same_time_is_told_what_the_first_one_is(town: Town) -> None:
    member = await town.member()
    await member.order()

    async def clicked(page: str, path: str, **given: str) -> str:
        fields = hidden((await member.get(page)).text, path) | given
        answers = await asyncio.gather(*(member.post(path, FROM_US, **fields) for _ in range(3)))
        assert {answer.status_code for answer in answers} == {303}, path
        (led,) = {answer.headers["location"] for answer in answers}
        return str(led)

    assert await clicked("/membership", "/membership/pause", months="2") == (
        "/membership?done=paused"
    )
    assert await clicked("/membership", "/membership/resume") == "/membership?done=resumed"
    assert await clicked("/membership/change?price=3", "/membership/change") == (
        "/membership?done=changed"
    )
    cancelled = await clicked("/membership/cancel", "/membership/cancel")
    assert await clicked("/membership", "/membership/uncancel") != cancelled
    assert "/sandbox/checkout/" in await clicked("/gifts", "/gifts", months="3")


async def test_receipts_and_withdrawals_of_others_are_not_to_be_had(town: Town) -> None:
    member, other = await town.member(), await town.member()
    await member.order()
    left = await member.send("/membership/cancel", "/membership/cancel")
    receipt = left.headers["location"]
    assert "Cancelled" in (await member.get(receipt)).text
    assert (await other.get(receipt)).headers["location"] == "/membership"

    declared = await member.send("/membership", "/membership/withdraw")
    fields = hidden(declared.text, "/membership/withdraw/confirm")
    theirs = hidden((await other.get("/wallet")).text, "/sign-out")
    stolen = theirs | {"withdrawal": fields["withdrawal"]}
    refused = await other.post("/membership/withdraw/confirm", FROM_US, **stolen)
    assert refused.status_code == 404
    assert "Cancelled" in (await member.get(receipt)).text
    confirmed = await member.post("/membership/withdraw/confirm", FROM_US, **fields)
    again = await member.post("/membership/withdraw/confirm", FROM_US, **fields)
    assert confirmed.headers["location"] == again.headers["location"]


async def test_withdrawing_without_signing_in_tells_nobody_who_is_a_member(town: Town) -> None:
    member, other = await town.member(), await town.member()
    page = await member.order()
    page = await member.get("/membership")
    found = re.search(r"<code>([0-9a-f-]{36})</code>", page.text)
    assert found is not None
    reference, unknown = found[1], "00000000-0000-4000-8000-000000000000"
    stranger = town.person()
    said = set()
    for asked, email in (
        (unknown, member.email),
        (unknown, "nobody@exempel.example"),
        (reference, other.email),
        (reference, "nobody@exempel.example"),
    ):
        answer = await stranger.send("/withdraw", "/withdraw", reference=asked, email=email)
        text = answer.text.replace(asked, "").replace(email, "")
        said.add((answer.status_code, re.sub(r"\s+", " ", text)))
    assert len(said) == 1, "all four are answered alike"
    declared = await stranger.send(
        "/withdraw", "/withdraw", reference=reference, email=member.email
    )
    assert "You get back" in declared.text
    wrong = {"reference": reference, "email": other.email}
    tried = [await stranger.send("/withdraw", "/withdraw", **wrong) for _ in range(7)]
    assert tried[-1].status_code == 429, "addresses cannot be tried out at one reference"


async def test_whoever_has_the_reference_and_the_address_cancels_without_signing_in(
    town: Town,
) -> None:
    member, stranger = await town.member(), town.person()
    await member.order()
    page = await member.get("/membership")
    found = re.search(r"<code>([0-9a-f-]{36})</code>", page.text)
    assert found is not None
    wrong = {"reference": found[1], "email": "nobody@exempel.example"}
    refused = await stranger.send("/cancel", "/cancel", **wrong)
    assert refused.status_code == 404
    assert 'value="nobody@exempel.example"' in refused.text, "what was typed stays"
    assert "No membership has this reference" in refused.text
    mistyped = await stranger.send("/cancel", "/cancel", **(wrong | {"reference": "<i>123"}))
    assert mistyped.status_code == 404
    assert "No membership has this reference" in mistyped.text
    assert "<i>" not in mistyped.text
    right = wrong | {"email": member.email}
    first = await stranger.send("/cancel", "/cancel", **right)
    assert first.status_code == 200
    assert "Cancelled" in first.text
    again = await stranger.send("/cancel", "/cancel", **right)
    receipts = {re.findall(r"<code>([0-9a-f-]{36})</code>", one.text)[-1] for one in (first, again)}
    assert len(receipts) == 1, "it is cancelled once"
    assert "Ends" in (await member.get("/membership")).text


async def test_a_code_that_is_none_is_said_where_it_was_typed(town: Town) -> None:
    member = await town.member()
    refused = await member.send("/order?price=1", "/order", accept="yes", promotion="<b>NOPE")
    assert refused.status_code == 404
    assert "No such code" in refused.text
    assert "Your order" in refused.text
    assert "<b>" not in refused.text


async def test_a_member_sees_what_was_paid_what_it_saved_and_where_to_pay(town: Town) -> None:
    member = await town.member(**{"accept-language": "sv"})
    await member.order(price=1)
    page = (await member.get("/membership")).text
    assert "Betalningar" in page
    assert "Vad planen sparar åt dig" in page
    assert "sparat 0,00\xa0kr och betalat 79,00\xa0kr" in page
    await member.later("week")
    await member.later("week")
    page = (await member.get("/membership")).text
    assert "har inte betalat sig hittills" in page
    assert "Du kan pausa den eller säga upp" in page


async def test_money_comes_back_once_and_a_gift_is_bought_once_by_many_clicks(town: Town) -> None:
    member = await town.member()
    await member.order()
    declared = await member.send("/membership", "/membership/withdraw")
    path = "/membership/withdraw/confirm"
    fields = hidden(declared.text, path)
    answers = await asyncio.gather(*(member.post(path, FROM_US, **fields) for _ in range(4)))
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert (await member.get("/membership")).text.count(">Refunded") == 1
    gift = hidden((await member.get("/gifts")).text, "/gifts") | {"months": "3"}
    answers = await asyncio.gather(*(member.post("/gifts", FROM_US, **gift) for _ in range(4)))
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert (await member.get("/gifts")).text.count("Not paid") == 1
