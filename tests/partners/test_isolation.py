"""No partner sees or changes what is another's: its ids answer 404, its lists are its own."""

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from tests.support.http import Coalition, Shop


async def test_anothers_posting_is_not_there(grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 100)
    shown = await fuel.get(f"/v1/postings/{posting}")
    assert (shown.status_code, shown.json()["code"]) == (404, "posting_not_found")
    reversed_ = await fuel.post(f"/v1/postings/{posting}/reverse", {})
    assert (reversed_.status_code, reversed_.json()["code"]) == (404, "posting_not_found")
    assert await grocer.balance(member) == 100


async def test_anothers_hold_is_not_there(grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    held = await grocer.post("/v1/points/holds", grocer.payment(member, 80))
    address = f"/v1/points/holds/{held.json()['hold_id']}"
    answers = [
        await fuel.get(address),
        await fuel.post(f"{address}/capture", {}),
        await fuel.post(f"{address}/void", {}),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (404, "hold_not_found")
    }
    assert (await grocer.get(address)).json()["state"] == "open"


@pytest.mark.parametrize(
    "body", [b"{", b"", b'{"points":-1}', b'{"points":"1"}', b'{"nonsense":1}', b"\xff"]
)
async def test_a_bad_body_tells_a_stranger_nothing(grocer: Shop, fuel: Shop, body: bytes) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 100)
    held = await grocer.post("/v1/points/holds", grocer.payment(member, 80))
    hold = held.json()["hold_id"]
    for address in (
        f"/v1/postings/{posting}/reverse",
        f"/v1/points/holds/{hold}/capture",
        f"/v1/points/holds/{hold}/void",
    ):
        stranger = await fuel.send(address, body, "application/json")
        assert stranger.status_code == 404, stranger.text
        owner = await grocer.send(address, body, "application/json")
        assert owner.status_code in {400, 422}, owner.text
        media = await fuel.send(address, body, "text/plain")
        assert media.status_code == 404


async def test_lists_show_ones_own(grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    own = await grocer.issue(member, 100)
    await fuel.issue(member, 200)
    page = (await grocer.get("/v1/postings")).json()
    assert [posting["posting_id"] for posting in page["items"]] == [own]


async def test_anothers_batch_is_not_there(grocer: Shop, fuel: Shop) -> None:
    made = await grocer.send("/v1/batches", b"{}\n", "application/x-ndjson")
    batch = made.json()["batch_id"]
    for address in (f"/v1/batches/{batch}", f"/v1/batches/{batch}/results"):
        answer = await fuel.get(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")
    assert (await fuel.get("/v1/batches")).json()["items"] == []
    assert [item["batch_id"] for item in (await grocer.get("/v1/batches")).json()["items"]] == [
        batch
    ]


@pytest.mark.parametrize("table", ["posting", "hold", "batch", "batch_chunk"])
async def test_the_database_itself_shows_a_tenant_its_own_rows_only(
    grocer: Shop, fuel: Shop, table: str
) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    await grocer.post("/v1/points/holds", grocer.payment(member, 80))
    await grocer.send("/v1/batches", b"{}\n", "application/x-ndjson")
    for shop, expected in ((grocer, 1), (fuel, 0)):
        async with transaction(role=TENANT_ROLE, partner_no=shop.partner.no) as connection:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == expected


async def test_a_batch_does_not_reverse_anothers_posting(grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 100)
    line = f'{{"kind":"reverse","posting_id":"{posting}"}}\n'.encode()
    answer = await fuel.send("/v1/batches", line, "application/x-ndjson")
    assert answer.json()["results"][0]["code"] == "posting_not_found"
    assert await grocer.balance(member) == 100


async def test_a_reversal_needs_the_scope_of_what_it_reverses(
    coalition: Coalition, grocer: Shop
) -> None:
    member = await grocer.new_member()
    issue = await grocer.issue(member, 100)
    redeem = (await grocer.post("/v1/points/redeem", grocer.payment(member, 10))).json()
    issuer = await coalition.till(grocer, scopes=["points:issue"])
    taker = await coalition.till(grocer, scope="points:redeem")
    for till, other, own in (
        (issuer, redeem["posting_id"], issue),
        (taker, issue, redeem["posting_id"]),
    ):
        refused = await till.post(f"/v1/postings/{other}/reverse", {"points": 1})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        made = await till.post(f"/v1/postings/{own}/reverse", {"points": 1})
        assert made.status_code == 201
    reader = await coalition.till(grocer, scopes=["members:read"])
    assert (await reader.post(f"/v1/postings/{issue}/reverse", {})).status_code == 403
