"""What moves points, over HTTP: issue, redeem, hold, capture, void, reverse."""

from datetime import timedelta

import msgspec

from tests.support.http import Coalition, Shop, is_uuid

MSGPACK = "application/vnd.msgpack"


async def test_a_purchase_earns_points_and_says_why(grocer: Shop) -> None:
    member = await grocer.new_member()
    answer = await grocer.post("/v1/points/issue", grocer.purchase(member, 12_345, store="1"))
    assert answer.status_code == 201, answer.text
    given = answer.json()
    assert is_uuid(given["posting_id"])
    assert given == {
        "posting_id": given["posting_id"],
        "member_id": member,
        "points": 123,
        "balance": 123,
        "lots": [{"points": 123, "expires_on": "2027-11-30"}],
        "reasons": [
            {
                "rule": "earning:1",
                "points": 123,
                "text": "1 point per 1.00 SEK of 123.45 SEK, rounded down",
            }
        ],
    }
    assert await grocer.balance(member) == 123


async def test_a_purchase_that_earns_nothing_makes_no_posting(grocer: Shop) -> None:
    member = await grocer.new_member()
    answer = await grocer.post("/v1/points/issue", grocer.purchase(member, 99))
    assert answer.status_code == 200, answer.text
    assert answer.json()["posting_id"] is None
    assert answer.json()["points"] == 0
    assert await grocer.balance(member) == 0


async def test_a_member_is_named_by_card_too(grocer: Shop) -> None:
    member = await grocer.new_member(card="9752 0001")
    body = grocer.purchase(member, 500, card="97520001")
    del body["member_id"]
    answer = await grocer.post("/v1/points/issue", body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["member_id"] == member


async def test_points_issued_by_one_can_be_spent_at_another(grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    answer = await fuel.post("/v1/points/redeem", fuel.payment(member, 60))
    assert answer.status_code == 201, answer.text
    assert answer.json()["points"] == 60
    assert answer.json()["balance"] == 40
    assert await grocer.balance(member) == 40


async def test_more_than_the_balance_is_refused_with_the_balance(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 10)
    answer = await grocer.post("/v1/points/redeem", grocer.payment(member, 11))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_enough_points"
    assert answer.json()["balance"] == 10


async def test_a_hold_is_captured_in_part_and_the_rest_is_free_again(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    held = await grocer.post("/v1/points/holds", grocer.payment(member, 80, expires_in_s=60))
    assert held.status_code == 201, held.text
    hold = held.json()["hold_id"]
    assert held.json()["balance"] == 20
    assert held.json()["expires_at"] == "2026-11-21T12:01:00Z"
    captured = await grocer.post(f"/v1/points/holds/{hold}/capture", {"points": 30})
    assert captured.status_code == 201, captured.text
    assert (captured.json()["points"], captured.json()["balance"]) == (30, 70)
    shown = await grocer.get(f"/v1/points/holds/{hold}")
    assert shown.json()["state"] == "captured"
    assert shown.json()["posting_id"] == captured.json()["posting_id"]
    again = await grocer.post(f"/v1/points/holds/{hold}/capture", {})
    assert (again.status_code, again.json()["code"]) == (409, "hold_resolved")


async def test_a_hold_is_voided_whole(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    held = await grocer.post("/v1/points/holds", grocer.payment(member, 80))
    hold = held.json()["hold_id"]
    voided = await grocer.post(f"/v1/points/holds/{hold}/void", {})
    assert voided.status_code == 200, voided.text
    assert (voided.json()["points"], voided.json()["balance"]) == (80, 100)


async def test_more_than_a_hold_is_not_captured(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    held = await grocer.post("/v1/points/holds", grocer.payment(member, 80))
    over = await grocer.post(f"/v1/points/holds/{held.json()['hold_id']}/capture", {"points": 81})
    assert (over.status_code, over.json()["code"]) == (409, "capture_exceeds_hold")


async def test_a_hold_whose_time_has_run_out_is_shown_as_expired(
    coalition: Coalition, grocer: Shop
) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    held = await grocer.post("/v1/points/holds", grocer.payment(member, 80, expires_in_s=5))
    address = f"/v1/points/holds/{held.json()['hold_id']}"
    assert (await grocer.get(address)).json()["state"] == "open"
    coalition.clock.advance(timedelta(seconds=5))
    assert (await grocer.get(address)).json()["state"] == "expired"
    late = await grocer.post(f"{address}/capture", {})
    assert (late.status_code, late.json()["code"]) == (409, "hold_resolved")


async def test_a_redemption_is_returned_in_parts_up_to_its_whole(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    spent = await grocer.post("/v1/points/redeem", grocer.payment(member, 60))
    reverse = f"/v1/postings/{spent.json()['posting_id']}/reverse"
    part = await grocer.post(reverse, {"points": 20, "reason": "one bottle back"})
    assert part.status_code == 201, part.text
    assert (part.json()["points"], part.json()["balance"]) == (20, 60)
    rest = await grocer.post(reverse, {})
    assert (rest.json()["points"], rest.json()["balance"]) == (40, 100)
    more = await grocer.post(reverse, {})
    assert (more.status_code, more.json()["code"]) == (409, "reversal_exceeds_original")


async def test_an_issue_whose_points_are_spent_is_not_taken_back(grocer: Shop) -> None:
    member = await grocer.new_member()
    posting = await grocer.issue(member, 100)
    await grocer.post("/v1/points/redeem", grocer.payment(member, 60))
    refused = await grocer.post(f"/v1/postings/{posting}/reverse", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "points_already_spent")
    assert refused.json()["remaining"] == 40
    taken = await grocer.post(f"/v1/postings/{posting}/reverse", {"points": 40})
    assert (taken.status_code, taken.json()["balance"]) == (201, 0)


async def test_everything_is_said_in_messagepack_too(grocer: Shop) -> None:
    member = await grocer.new_member()
    body = msgspec.msgpack.encode(grocer.purchase(member, 700))
    answer = await grocer.send("/v1/points/issue", body, MSGPACK, accept=MSGPACK)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == MSGPACK
    assert msgspec.msgpack.decode(answer.content)["points"] == 7


async def test_a_till_bound_to_a_store_acts_for_no_other(
    coalition: Coalition, grocer: Shop
) -> None:
    member = await grocer.new_member()
    bound = await coalition.till(grocer, store_no=grocer.store.no)
    made = await bound.post("/v1/points/issue", bound.purchase(member, 500))
    shown = await bound.get(f"/v1/postings/{made.json()['posting_id']}")
    assert shown.json()["store"] == "1"
    other = await coalition.new_store(grocer, "2")
    elsewhere = await bound.post("/v1/points/issue", bound.purchase(member, 500, store=other.code))
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "other_store")
