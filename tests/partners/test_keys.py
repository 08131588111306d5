"""Idempotency keys: one effect and equal answers, however often and however at once they come."""

import asyncio

import pytest

from coalition.kernel.database import transaction
from tests.support.http import Coalition, Shop

ACTS = ("/v1/points/issue", "/v1/points/redeem", "/v1/points/holds", "/v1/members", "/v1/batches")


async def count_postings() -> int:
    """Return how many postings there are."""
    async with transaction() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM posting"))


async def test_the_first_answer_is_given_again_byte_for_byte(
    coalition: Coalition, grocer: Shop
) -> None:
    member = await grocer.new_member()
    body = grocer.purchase(member, 500)
    first = await grocer.post("/v1/points/issue", body, key="k")
    await grocer.issue(member, 100)
    again = await grocer.post("/v1/points/issue", body, key="k")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await count_postings() == 2


async def test_the_first_answer_keeps_its_own_media_type(grocer: Shop) -> None:
    member = await grocer.new_member()
    body = grocer.purchase(member, 500)
    first = await grocer.post("/v1/points/issue", body, key="k")
    again = await grocer.post(
        "/v1/points/issue", body, key="k", headers={"accept": "application/vnd.msgpack"}
    )
    assert again.content == first.content
    assert again.headers["content-type"] == "application/json"


async def test_equal_keys_that_come_at_once_have_one_effect(grocer: Shop) -> None:
    member = await grocer.new_member()
    body = grocer.purchase(member, 500)
    answers = await asyncio.gather(
        *(grocer.post("/v1/points/issue", body, key="k") for _ in range(20))
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (201, answers[0].content)
    }
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert await grocer.balance(member) == 5
    assert await count_postings() == 1


async def test_a_key_is_not_used_again_for_another_body_or_address(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    body = grocer.payment(member, 5)
    await grocer.post("/v1/points/redeem", body, key="k")
    for address, other in (
        ("/v1/points/redeem", body | {"points": 6}),
        ("/v1/points/holds", body),
        ("/v1/members", {"card": "97520002"}),
    ):
        refused = await grocer.post(address, other, key="k")
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert await grocer.balance(member) == 95


async def test_a_key_belongs_to_its_client(coalition: Coalition, grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    for shop in (grocer, fuel, await coalition.till(grocer)):
        made = await shop.post("/v1/points/issue", shop.purchase(member, 500), key="k")
        assert made.status_code == 201
    assert await grocer.balance(member) == 15


async def test_a_refusal_leaves_the_key_free(grocer: Shop) -> None:
    member = await grocer.new_member()
    body = grocer.payment(member, 5)
    refused = await grocer.post("/v1/points/redeem", body, key="k")
    assert refused.status_code == 409
    await grocer.issue(member, 100)
    made = await grocer.post("/v1/points/redeem", body, key="k")
    assert made.status_code == 201


async def test_the_same_act_on_another_hold_is_another_request(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    one = (await grocer.post("/v1/points/holds", grocer.payment(member, 5))).json()["hold_id"]
    two = (await grocer.post("/v1/points/holds", grocer.payment(member, 5))).json()["hold_id"]
    assert (await grocer.post(f"/v1/points/holds/{one}/capture", {}, key="k")).status_code == 201
    reused = await grocer.post(f"/v1/points/holds/{two}/capture", {}, key="k")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("address", ACTS)
async def test_what_writes_needs_a_key(grocer: Shop, address: str) -> None:
    for key in ({}, {"idempotency-key": ""}, {"idempotency-key": "x" * 256}):
        answer = await grocer.http.post(address, json={}, headers=grocer.headers | key)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
