"""Two partners side by side: receipts and keys do not touch, business opens personal data."""

import json

from tests.journeys.world import Scene
from tests.support.http import Shop, new_client, token_of


async def test_receipts_of_two_partners_are_two_receipts(scene: Scene) -> None:
    body = scene.grocer.payment(scene.member, 5) | {"receipt": "the-same"}
    answers = [await shop.post("/v1/points/issue", body) for shop in (scene.grocer, scene.fuel)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["posting_id"] != answers[1].json()["posting_id"]


async def test_keys_of_two_clients_are_two_keys_also_within_one_partner(scene: Scene) -> None:
    at = scene.grocer.at
    client = await new_client(scene.grocer.partner, at)
    token = await token_of(client, at)
    second = Shop(scene.grocer.partner, scene.grocer.store, client, token, scene.http, at)
    for shop in (scene.grocer, scene.fuel, second):
        body = shop.payment(scene.member, 5, receipt=shop.new_key())
        answer = await shop.post("/v1/points/issue", body, key="the-same")
        assert (answer.status_code, "idempotent-replayed" in answer.headers) == (201, False)
    assert await scene.grocer.balance(scene.member) == 85


async def test_an_answer_is_not_given_again_to_another_client(scene: Scene) -> None:
    body = scene.grocer.payment(scene.member, 5)
    first = await scene.grocer.post("/v1/points/issue", body, key="guessed")
    other = await scene.fuel.post("/v1/points/issue", body, key="guessed")
    assert other.status_code == 201
    assert other.json()["posting_id"] != first.json()["posting_id"]


async def test_business_with_a_member_opens_the_personal_data(scene: Scene) -> None:
    address = f"/v1/members/{scene.member}"
    assert (await scene.fuel.get(address)).json()["personal"] is None
    paid = await scene.fuel.post("/v1/points/redeem", scene.fuel.payment(scene.member, 5))
    assert paid.status_code == 201, paid.text
    assert (await scene.fuel.get(address)).json()["personal"] == {"cards": ["97520001"]}


async def test_what_was_refused_opens_nothing(scene: Scene) -> None:
    too_much = scene.fuel.payment(scene.member, 5000)
    answer = await scene.fuel.post("/v1/points/redeem", too_much)
    assert answer.status_code == 409
    shown = await scene.fuel.get(f"/v1/members/{scene.member}")
    assert shown.json()["personal"] is None


async def test_a_line_of_a_batch_reverses_only_ones_own(scene: Scene) -> None:
    line = {"kind": "reverse", "posting_id": scene.posting, "points": 1}
    answer = await scene.fuel.send("/v1/batches", json.dumps(line).encode(), "application/x-ndjson")
    [result] = answer.json()["results"]
    assert (result["status"], result["code"]) == (404, "posting_not_found")
    assert await scene.grocer.balance(scene.member) == 70
