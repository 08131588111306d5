"""Fees of families on the pages: seen where one looks, paid on Stripe's page, and paid once."""

import re
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from coalition.families.kin.speaking import By
from coalition.families.rule_sets.notation import Money
from coalition.families.transfers import deciding
from coalition.families.transfers.transferring import Request
from coalition.families.transfers.wishes import Wish
from coalition.kernel.idempotency import Claim
from coalition.kernel.ids import MemberId
from coalition.kernel.web.decoding import Media
from tests.families.registered import activated, bound, written
from tests.member_ui.world import FROM_US, Person, Town, hidden
from tests.support.http import Shop, new_client, sign_partner, token_of

FEE = {"kind": "flat", "money": {"amount_minor": 5_000, "currency": "SEK"}}


async def known(shop: Shop, member: Person) -> MemberId:
    found = await shop.get(f"/v1/members?email={member.email}")
    return MemberId(UUID(found.json()["member_id"]))


async def test_a_member_sees_and_pays_the_fee_that_its_transfer_waits_for(town: Town) -> None:
    anna, bo = await town.member(), await town.member()
    at = town.service.clock.now()
    await activated("costly", written(fees=[FEE]), at)
    await bound("p2p", "costly", at)
    partner, store = await sign_partner("Handlarn", at)
    client = await new_client(partner, at)
    shop = Shop(partner, store, client, await token_of(client, at), anna.http, at)
    sender, receiver = await known(shop, anna), await known(shop, bo)
    await shop.issue(str(sender), 900)

    async def sent(points: int) -> dict[str, str]:
        wish = Wish(sender=sender, receiver=receiver, points=points, requested_by="member")
        claim = Claim.of(8, f"fee-{points}", "/", msgspec.json.encode(wish))
        answer = await town.service.transfers.request(Request(wish, claim, Media.JSON))
        told: dict[str, str] = msgspec.json.decode(answer.body)
        return told

    assert "You owe nothing" in (await anna.get("/fees")).text
    asked = await sent(100)
    assert (asked["state"], asked["pay_at"]) == ("awaiting_payment", "/fees")
    assert 'href="/fees"' in (await anna.get("/wallet")).text
    assert 'href="/fees"' not in (await bo.get("/wallet")).text
    page = (await anna.get("/fees")).text
    assert "SEK\xa050.00" in page
    fields = hidden(page, "/fees")
    stolen = hidden((await bo.get("/wallet")).text, "/sign-out") | {"fee": fields["fee"]}
    assert (await bo.post("/fees", FROM_US, **stolen)).status_code == 404
    opened = await anna.post("/fees", FROM_US, **fields)
    back = await anna.pay(opened.headers["location"])
    assert back.url.path == "/fees"
    assert "You owe nothing" in back.text
    assert ">Paid</span>" in back.text

    second = await sent(50)
    opened = await anna.send("/fees", "/fees")
    await deciding.fee_paid(
        town.service.transfers,
        UUID(second["transfer_id"]),
        paid=Money(amount_minor=5_000, currency="SEK"),
        at=town.service.clock.now(),
        by=By.staff("anna"),
    )
    back = await anna.pay(opened.headers["location"])
    assert "nothing is paid twice" in (await anna.get("/fees")).text
    assert ">Given back</span>" in back.text


async def test_who_has_a_card_there_pays_with_it_at_a_tap(town: Town) -> None:
    member = await town.member()
    await member.order()
    opened = await member.send("/gifts", "/gifts", months="1")
    path = urlsplit(opened.headers["location"]).path
    page = (await member.get(path)).text
    kept = re.search(r'name="kept" value="(pm_\w+)"', page)
    assert kept is not None, page
    assert "Visa ending in 4242" in page
    stolen = await town.member()
    await stolen.order(card="5555555555554444")
    other = await stolen.send("/gifts", "/gifts", months="1")
    theirs = urlsplit(other.headers["location"]).path
    refused = await stolen.http.post(theirs, data={"action": "pay", "kept": kept[1]})
    assert "gifts" not in refused.headers.get("location", ""), "nobody pays with another's card"
    answer = await member.http.post(path, data={"action": "pay", "kept": kept[1]})
    while answer.headers.get("location", "").startswith("cs_"):
        answer = await member.http.get(answer.url.join(answer.headers["location"]))
    assert "Paid" in (await member.get("/gifts")).text
    assert "Paid" not in (await stolen.get("/gifts")).text.replace("Not paid", "")
