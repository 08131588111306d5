"""The wallet: what came in, what went out, and what is left."""

from tests.member_ui.world import Town
from tests.support.http import Shop, new_client, sign_partner, token_of


async def test_the_wallet_shows_what_came_in_and_what_went_out(town: Town) -> None:
    member, at = await town.member(), town.service.clock.now()
    partner, store = await sign_partner("Handlarn", at)
    client = await new_client(partner, at)
    shop = Shop(partner, store, client, await token_of(client, at), member.http, at)
    found = await shop.get(f"/v1/members?email={member.email}")
    known = found.json()["member_id"]
    await shop.issue(known, 100)
    spent = await shop.post("/v1/points/redeem", shop.payment(known, 30))
    assert spent.status_code == 201, spent.text
    page = (await member.get("/wallet")).text
    assert ">70 <small>points</small>" in page
    assert ">+100</td>" in page
    assert ">−30</td>" in page
    assert page.count("<td>Handlarn</td>") == 2


async def test_money_that_is_left_at_stripe_is_shown_on_the_membership(town: Town) -> None:
    member = await town.member()
    await member.order()
    assert "Credit" not in (await member.get("/membership")).text
    gateway = town.service.payments.gateway
    (one,) = [one async for one in gateway.pages("/v1/customers", {"email": member.email})]
    left = {"amount": -2_500, "currency": "sek"}
    await gateway.post("left", f"/v1/customers/{one['id']}/balance_transactions", left)
    await member.send("/membership", "/membership/pause", months="1")
    page = (await member.get("/membership")).text
    assert "SEK\xa025.00" in page
    assert "It is taken off your next invoices." in page
