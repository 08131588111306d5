"""What moves points, over HTTP: issue, redeem, hold, capture, void, reverse."""

from tests.support.http import Shop, is_uuid


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


async def test_points_issued_by_one_can_be_spent_at_another(grocer: Shop, fuel: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    answer = await fuel.post("/v1/points/redeem", fuel.payment(member, 60))
    assert answer.status_code == 201, answer.text
    assert answer.json()["points"] == 60
    assert answer.json()["balance"] == 40
    assert await grocer.balance(member) == 40
