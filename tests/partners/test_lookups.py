"""What tills look up: quotes, postings with their reasons, pages of them."""

from uuid import UUID

from tests.points.pools import mark
from tests.support.http import Coalition, Shop


async def test_a_quote_says_what_would_be_earned_and_what_could_be_paid(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 400)
    purchase = {"amount_minor": 25_050, "currency": "SEK"}
    answer = await grocer.http.post(
        "/v1/points/quote",
        json={"member_id": member, "purchase": purchase},
        headers=grocer.headers,
    )
    assert answer.status_code == 200, answer.text
    quoted = answer.json()
    assert quoted["points"] == 250
    assert quoted["balance"] == 400
    assert quoted["payable"] == {"points": 400, "amount_minor": 400, "currency": "SEK"}
    assert quoted["reasons"][0]["points"] == 250
    assert await grocer.balance(member) == 400


async def test_a_quote_needs_no_member(grocer: Shop) -> None:
    purchase = {"amount_minor": 25_050, "currency": "SEK"}
    answer = await grocer.http.post(
        "/v1/points/quote", json={"purchase": purchase}, headers=grocer.headers
    )
    assert answer.json()["points"] == 250
    assert answer.json()["payable"] is None


async def test_a_posting_is_read_back_with_the_reasons_of_its_first_answer(
    grocer: Shop, fuel: Shop
) -> None:
    member = await grocer.new_member()
    body = grocer.purchase(member, 12_345, store="1")
    made = (await grocer.post("/v1/points/issue", body)).json()
    shown = (await grocer.get(f"/v1/postings/{made['posting_id']}")).json()
    assert shown == {
        "posting_id": made["posting_id"],
        "kind": "issue",
        "member_id": member,
        "store": "1",
        "receipt": body["receipt"],
        "occurred_at": "2026-11-21T12:00:00Z",
        "committed_at": "2026-11-21T12:00:00Z",
        "points": 123,
        "direction": "credit",
        "lots": [{"issuer_id": str(grocer.partner.id), "points": 123, "expires_on": "2027-11-30"}],
        "reasons": made["reasons"],
        "purchase": body["purchase"],
        "reverses": None,
        "linked": None,
        "reversed_points": 0,
        "lines": None,
    }


async def test_a_redemption_tells_whose_points_were_spent(grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 30)
    await fuel.issue(member, 30)
    made = (await fuel.post("/v1/points/redeem", fuel.payment(member, 50))).json()
    shown = (await fuel.get(f"/v1/postings/{made['posting_id']}")).json()
    assert (shown["kind"], shown["direction"]) == ("redeem", "debit")
    assert shown["reasons"] == made["reasons"]
    assert sum(lot["points"] for lot in shown["lots"]) == 50
    issuers = {str(grocer.partner.id), str(fuel.partner.id)}
    assert {lot["issuer_id"] for lot in shown["lots"]} == issuers


async def test_a_reversal_and_its_original_know_of_each_other(grocer: Shop) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 30)
    made = await grocer.post(f"/v1/postings/{posting}/reverse", {"points": 10, "reason": "back"})
    reversal = (await grocer.get(f"/v1/postings/{made.json()['posting_id']}")).json()
    assert (reversal["kind"], reversal["direction"]) == ("reversal", "debit")
    assert reversal["reverses"] == posting
    assert reversal["reasons"] == [{"rule": "reversal", "points": 10, "text": "back"}]
    original = (await grocer.get(f"/v1/postings/{posting}")).json()
    assert original["reversed_points"] == 10
    assert original["reasons"] == [
        {"rule": "given", "points": 30, "text": "as the partner decided"}
    ]


async def test_postings_come_in_pages_the_latest_first(grocer: Shop) -> None:
    member = await grocer.new_member()
    made = [await grocer.issue(member, points) for points in (1, 2, 3, 4, 5)]
    seen: list[str] = []
    address = "/v1/postings?limit=2"
    pages = 0
    while True:
        page = (await grocer.get(address)).json()
        seen += [posting["posting_id"] for posting in page["items"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        address = f"/v1/postings?limit=2&cursor={page['next_cursor']}"
    assert pages == 3
    assert sorted(seen) == sorted(made)
    assert seen == sorted(seen, reverse=True)


async def test_postings_are_found_by_receipt_and_store(grocer: Shop) -> None:
    member = await grocer.new_member()
    wanted = await grocer.issue(member, 1, receipt="A 17", store="1")
    await grocer.issue(member, 2, receipt="A 18", store="1")
    await grocer.issue(member, 3, receipt="A 17")
    paid = await grocer.post(
        "/v1/points/redeem", grocer.payment(member, 1, receipt="A 17", store="1")
    )
    latest = (await grocer.get("/v1/postings?limit=1")).json()["items"][0]
    day = latest["occurred_at"][:10]
    page = (await grocer.get(f"/v1/postings?receipt=A+17&day={day}&store=1")).json()
    found = [posting["posting_id"] for posting in page["items"]]
    assert found == [wanted, paid.json()["posting_id"]]
    other_day = await grocer.get("/v1/postings?receipt=A+17&day=2026-01-01&store=1")
    assert other_day.json()["items"] == []
    unknown = await grocer.get(f"/v1/postings?receipt=A+17&day={day}&store=99")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_store")
    for query in ("receipt=A+17", f"day={day}", "store=1"):
        refused = await grocer.get(f"/v1/postings?{query}")
        assert (refused.status_code, refused.json()["code"]) == (422, "receipt_and_day_needed")


async def test_a_till_of_one_store_finds_its_receipt_without_naming_the_store(
    coalition: Coalition, grocer: Shop
) -> None:
    member = await grocer.new_member()
    bound = await coalition.till(grocer, store_no=grocer.store.no)
    made = await bound.issue(member, 5, receipt="A 17")
    address = f"/v1/postings?receipt=A+17&day={grocer.at.date()}"
    found = (await bound.get(address)).json()["items"]
    assert [(one["posting_id"], one["store"]) for one in found] == [(made, grocer.store.code)]
    assert (await grocer.get(address)).json()["items"] == [], "that names no store"


async def test_a_till_that_only_takes_points_may_ask_for_a_quote(
    coalition: Coalition, grocer: Shop
) -> None:
    for scope, status in (("points:redeem", 200), ("points:issue", 200), ("members:read", 403)):
        till = await coalition.till(grocer, scopes=[scope])
        purchase = {"amount_minor": 25_050, "currency": "SEK"}
        answer = await till.http.post(
            "/v1/points/quote", json={"purchase": purchase}, headers=till.headers
        )
        assert answer.status_code == status, answer.text


async def test_a_purchase_too_large_for_one_posting_is_refused_and_not_cut(grocer: Shop) -> None:
    member = await grocer.new_member()
    answer = await grocer.post("/v1/points/issue", grocer.purchase(member, 10**12))
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_points")
    assert await grocer.balance(member) == 0


async def test_who_shares_is_told_what_of_the_balance_is_its_own(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 400)
    await mark(UUID(member))

    made = (await grocer.post("/v1/points/issue", grocer.purchase(member, 1_000))).json()
    shown = (await grocer.get(f"/v1/members/{member}")).json()
    told = (await grocer.get(f"/v1/members/{member}/balance")).json()

    for answer in (made, shown, told):
        parts = answer["balance"], answer["own_balance"], answer["pool_balance"]
        assert parts == (410, 410, 0)
