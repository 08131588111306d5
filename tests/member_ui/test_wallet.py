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
