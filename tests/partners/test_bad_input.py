"""Bad input: each has a precise problem and leaves nothing behind."""

import json
from datetime import timedelta
from typing import Any

import pytest

from coalition.federation import service as federation
from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from tests.support.http import ACTOR, Coalition, Shop

MEMBER = "6cb173c2-6e0b-4fe7-a722-e6bca8a59f5b"
WRONG_FIELDS: list[tuple[dict[str, Any], int, str]] = [
    ({"points": "5"}, 422, "/points"),
    ({"points": 5.0}, 422, "/points"),
    ({"points": 1.5}, 422, "/points"),
    ({"points": True}, 422, "/points"),
    ({"points": 0}, 422, "/points"),
    ({"points": -5}, 422, "/points"),
    ({"points": 2**31}, 422, "/points"),
    ({"points": 10**30}, 422, "/points"),
    ({"point": 5}, 422, "/point"),
    ({"member_id": "not an id"}, 422, "/member_id"),
    ({"member_id": 5}, 422, "/member_id"),
    ({"receipt": ""}, 422, "/receipt"),
    ({"receipt": "x" * 65}, 422, "/receipt"),
    ({"receipt": "a\u0000b"}, 422, "/receipt"),
    ({"receipt": "a\nb"}, 422, "/receipt"),
    ({"receipt": None}, 422, "/receipt"),
    ({"occurred_at": "2026-11-21"}, 422, "/occurred_at"),
    ({"occurred_at": "2026-11-21T12:00:00"}, 422, "/occurred_at"),
    ({"occurred_at": 1_700_000_000}, 422, "/occurred_at"),
    ({"occurred_at": "0001-01-01T00:00:00+14:00"}, 422, "/occurred_at"),
    ({"occurred_at": "9999-12-31T23:59:59-14:00"}, 422, "/occurred_at"),
    ({"occurred_at": "2026-11-21T12:05:01Z"}, 422, "/occurred_at"),
    ({"occurred_at": "2025-10-17T11:59:59Z"}, 422, "/occurred_at"),
    ({"store": "a\u0000b"}, 422, "/store"),
    ({"card": "abc"}, 422, "/card"),
]
WRONG_BODIES: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"nonsense", 400),
    (b'{"receipt":"\xff"}', 400),
    (b'{"receipt":"\\ud800"}', 400),
    (b"[]", 422),
    (b"5", 422),
    (b"null", 422),
    (b"[" * 100_000, 422),
    (b'{"points":' + b"9" * 5000 + b"}", 422),
]


async def nothing_was_left() -> bool:
    """Tell whether no posting, lot, hold, receipt or key is there."""
    tables = ("posting", "lot", "hold", "receipt_claim", "idempotency_claim", "outbox")
    async with transaction() as connection:
        counts = [await connection.fetchval(f"SELECT count(*) FROM {name}") for name in tables]
    return not any(counts)


@pytest.mark.parametrize("address", ["/v1/points/issue", "/v1/points/redeem", "/v1/points/holds"])
async def test_a_wrong_field_is_pointed_at(grocer: Shop, address: str) -> None:
    for changes, status, pointer in WRONG_FIELDS:
        answer = await grocer.post(address, grocer.payment(MEMBER, 5) | changes)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert answer.status_code == status, (changes, problem)
        assert problem["status"] == status
        assert problem["type"] == "urn:problem:coalition:" + problem["code"]
        assert problem["errors"][0]["pointer"] == pointer, (changes, problem)
    assert await nothing_was_left()


async def test_a_body_that_cannot_be_read_is_refused(grocer: Shop) -> None:
    for body, status in WRONG_BODIES:
        answer = await grocer.send("/v1/points/issue", body, "application/json")
        assert answer.status_code == status, (body[:20], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    huge = await grocer.send("/v1/points/issue", b" " * 1_000_001, "application/json")
    assert (huge.status_code, huge.json()["limit_bytes"]) == (413, 1_000_000)
    media = await grocer.send("/v1/points/issue", b"{}", "text/xml")
    assert media.status_code == 415
    assert await nothing_was_left()


async def test_a_purchase_has_an_amount_and_a_known_currency(grocer: Shop) -> None:
    member = await grocer.new_member()
    refusals: dict[str, list[dict[str, Any]]] = {
        "invalid": [
            {"amount_minor": -1, "currency": "SEK"},
            {"amount_minor": 0, "currency": "SEK"},
            {"amount_minor": 10**18, "currency": "SEK"},
            {"amount_minor": 2**63, "currency": "SEK"},
            {"amount_minor": 1.0, "currency": "SEK"},
            {"amount_minor": 1, "currency": "sek"},
            {"amount_minor": 1, "currency": "SEKK"},
            {"amount_minor": 1},
            {"amount_minor": 1, "currency": "SEK", "vat": 1},
        ],
        "no_earning_rule": [
            {"amount_minor": 1, "currency": "XYZ"},
            {"amount_minor": 1, "currency": "EUR"},
        ],
    }
    for code, purchases in refusals.items():
        for purchase in purchases:
            body = grocer.purchase(member, purchase=purchase)
            answer = await grocer.post("/v1/points/issue", body)
            assert answer.json()["code"] == code, (purchase, answer.text)
    assert await grocer.balance(member) == 0


async def test_one_member_and_one_of_purchase_and_points_are_named(grocer: Shop) -> None:
    member = await grocer.new_member()
    refusals: list[tuple[dict[str, Any], int, str]] = [
        ({"card": "97520001"}, 422, "one_member_needed"),
        ({"member_id": None}, 422, "one_member_needed"),
        ({"points": 5}, 422, "purchase_or_points"),
        ({"purchase": None}, 422, "purchase_or_points"),
        ({"member_id": str(random_id())}, 404, "member_not_found"),
        ({"member_id": None, "card": "97529999"}, 404, "card_not_found"),
        ({"member_id": None, "card": "????"}, 404, "card_not_found"),
    ]
    for changes, status, code in refusals:
        answer = await grocer.post("/v1/points/issue", grocer.purchase(member) | changes)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_receipt_is_used_once_whatever_the_key(grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100, receipt="R1")
    again = await grocer.post("/v1/points/issue", grocer.purchase(member, receipt="R1"))
    assert (again.status_code, again.json()["code"]) == (409, "duplicate_receipt")
    assert await grocer.balance(member) == 100
    assert (await fuel.post("/v1/points/issue", fuel.purchase(member, receipt="R1"))).is_success
    assert (
        await grocer.post("/v1/points/redeem", grocer.payment(member, 5, receipt="R1"))
    ).is_success


async def test_an_unknown_store_is_refused(grocer: Shop) -> None:
    member = await grocer.new_member()
    answer = await grocer.post("/v1/points/issue", grocer.purchase(member, store="77"))
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_store")


async def test_a_suspended_partner_does_no_business(grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    await federation.suspend_partner(
        partner_no=grocer.partner.no, reason="does not pay", actor=ACTOR, at=grocer.at
    )
    answers = [
        await grocer.post("/v1/points/issue", grocer.purchase(member)),
        await grocer.post("/v1/members", {"card": "97520002"}),
        await grocer.send("/v1/batches", b"{}\n", "application/x-ndjson"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "partner_suspended")
    ] * 3
    assert (await fuel.post("/v1/points/issue", fuel.purchase(member))).status_code == 201


async def test_a_token_is_needed_and_must_hold_the_scope(
    coalition: Coalition, grocer: Shop
) -> None:
    nobody = await grocer.http.post("/v1/points/issue", json={})
    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated")
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    forged = await grocer.http.post(
        "/v1/points/issue", json={}, headers={"authorization": f"Bearer {grocer.token[:-4]}AAAA"}
    )
    assert (forged.status_code, forged.json()["code"]) == (401, "invalid_token")
    reader = await coalition.till(grocer, scopes=["members:read"])
    for address, scope in (
        ("/v1/points/issue", "points:issue"),
        ("/v1/points/redeem", "points:redeem"),
        ("/v1/points/holds", "points:redeem"),
        ("/v1/batches", "batches:write"),
        ("/v1/members", "members:write"),
    ):
        refused = await reader.post(address, {})
        assert (refused.status_code, refused.json()["scope"]) == (403, scope)
    coalition.clock.advance(timedelta(minutes=15))
    expired = await grocer.get("/v1/postings")
    assert (expired.status_code, expired.json()["code"]) == (401, "invalid_token")


async def test_a_wrong_query_names_its_parameter(grocer: Shop) -> None:
    for query, parameter in (
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("receipt=%00", "receipt"),
        ("receipt=", "receipt"),
        ("page=2", "page"),
    ):
        answer = await grocer.get(f"/v1/postings?{query}")
        assert answer.status_code == 422, (query, answer.text)
        assert answer.json()["errors"][0]["parameter"] == parameter
    twice = await grocer.get("/v1/postings?limit=1&limit=2")
    assert twice.status_code == 400
    assert (await grocer.get("/v1/postings?receipt=%ff")).status_code == 400


async def test_other_methods_and_addresses_are_refused(grocer: Shop) -> None:
    wrong = await grocer.get("/v1/points/issue")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    for address in ("/v1/postings/5", "/v1/points/holds/x", "/v1/nothing", "/v1/members/%00"):
        answer = await grocer.get(address)
        assert answer.status_code == 404, address
        assert json.loads(answer.content)["code"] == "not_found"
