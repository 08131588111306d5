"""Members at the till: enrolled, looked up, shown as far as the relation goes."""

from datetime import datetime
from uuid import UUID

from coalition.kernel.ids import MemberId, random_id
from coalition.members import merging
from coalition.members.sealing import MemberKeys
from server import people
from tests.support.http import SETTINGS, Coalition, Shop

PERSON = {
    "email": "asa@exempel.example",
    "phone": "+46 70 123 45 67",
    "card": "9752 0001",
    "first_name": "Åsa",
    "born": "1980-02-29",
}


async def test_a_member_is_enrolled_with_one_contact_or_many(grocer: Shop) -> None:
    made = await grocer.post("/v1/members", PERSON)
    assert made.status_code == 201, made.text
    assert made.json()["balance"] == 0
    shown = await grocer.get(f"/v1/members/{made.json()['member_id']}")
    assert shown.status_code == 200
    assert shown.json() == {
        "member_id": made.json()["member_id"],
        "balance": 0,
        "state": "active",
        "personal": {
            "email": "asa@exempel.example",
            "phone": "+46701234567",
            "first_name": "Åsa",
            "born": "1980-02-29",
            "cards": ["97520001"],
        },
    }


async def test_a_member_is_found_by_each_contact(grocer: Shop) -> None:
    member = (await grocer.post("/v1/members", PERSON)).json()["member_id"]
    await grocer.issue(member, 5)
    for query in ("card=97520001", "email=asa%40exempel.example", "phone=%2B46701234567"):
        found = await grocer.get(f"/v1/members?{query}")
        assert found.status_code == 200, found.text
        assert (found.json()["member_id"], found.json()["balance"]) == (member, 5)


async def test_a_look_up_names_one_contact_that_somebody_has(grocer: Shop) -> None:
    refusals = {
        "": (422, "one_contact_needed"),
        "?card=97520001&phone=%2B46701234567": (422, "one_contact_needed"),
        "?card=97529999": (404, "member_not_found"),
        "?card=%00%00%00%00": (422, "invalid_card"),
        "?phone=0701234567": (422, "invalid_phone"),
        "?name=Svea": (422, "invalid"),
    }
    for query, expected in refusals.items():
        answer = await grocer.get(f"/v1/members{query}")
        assert (answer.status_code, answer.json()["code"]) == expected, query


async def test_a_contact_belongs_to_one_member(grocer: Shop, fuel: Shop) -> None:
    await grocer.new_member(card="97520001")
    again = await fuel.post("/v1/members", {"card": "97520001", "email": "b@exempel.example"})
    assert (again.status_code, again.json()["code"]) == (409, "card_taken")
    free = await fuel.get("/v1/members?email=b@exempel.example")
    assert free.status_code == 404, "a refusal leaves nothing behind"


async def test_personal_data_are_for_partners_with_a_relation(grocer: Shop, fuel: Shop) -> None:
    member = (await grocer.post("/v1/members", PERSON)).json()["member_id"]
    stranger = await fuel.get(f"/v1/members/{member}")
    assert stranger.json() == {
        "member_id": member,
        "balance": 0,
        "state": "active",
        "personal": None,
    }
    await fuel.issue(member, 10)
    acquainted = await fuel.get(f"/v1/members/{member}")
    assert acquainted.json()["personal"]["first_name"] == "Åsa"


async def test_nobody_is_shown_who_is_not_there(grocer: Shop) -> None:
    for address in (f"/v1/members/{random_id()}", f"/v1/members/{random_id()}/balance"):
        answer = await grocer.get(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "member_not_found")


async def test_an_enrolment_is_repeated_under_its_key_without_effect(grocer: Shop) -> None:
    first = await grocer.post("/v1/members", PERSON, key="enrol 1")
    again = await grocer.post("/v1/members", PERSON, key="enrol 1")
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


async def test_each_scope_opens_what_it_names(coalition: Coalition, grocer: Shop) -> None:
    member = await grocer.new_member()
    reader = await coalition.till(grocer, scopes=["members:read"])
    assert (await reader.get(f"/v1/members/{member}")).status_code == 200
    refused = await reader.post("/v1/members", {"card": "97520002"})
    assert (refused.status_code, refused.json()["scope"]) == (403, "members:write")


async def test_the_id_of_a_member_who_was_merged_leads_to_the_survivor(
    grocer: Shop, fuel: Shop, at: datetime
) -> None:
    old = await grocer.new_member(card="OLD97520001")
    new = await fuel.new_member(card="NEW97520002")
    await grocer.issue(old, 30)
    approval = await merging.prepare(
        from_id=MemberId(UUID(old)),
        into_id=MemberId(UUID(new)),
        reason="showed both cards",
        prepared_by="staff:anna",
        at=at,
    )
    await merging.approve(
        approval,
        approved_by="staff:bertil",
        keys=MemberKeys.of(SETTINGS),
        followers=people.FOLLOWERS,
        at=at,
    )
    for address in (f"/v1/members/{old}", "/v1/members?card=OLD97520001", f"/v1/members/{new}"):
        shown = await grocer.get(address)
        assert shown.status_code == 200, shown.text
        assert (shown.json()["member_id"], shown.json()["balance"]) == (new, 30)
        assert shown.json().get("merged_from") == (old if address.endswith(old) else None)
        assert shown.json()["personal"]["cards"] == ["NEW97520002", "OLD97520001"]
    balance = (await grocer.get(f"/v1/members/{old}/balance")).json()
    assert (balance["member_id"], balance["balance"]) == (new, 30)
    bought = {"purchase": {"amount_minor": 1000, "currency": "SEK"}, "member_id": old}
    quoted = await grocer.post("/v1/points/quote", bought)
    assert (quoted.json()["member_id"], quoted.json()["balance"]) == (new, 30), quoted.text
    refused = await grocer.post("/v1/points/redeem", grocer.payment(old, 5))
    assert (refused.status_code, refused.json()["code"]) == (409, "member_merged")
    assert refused.json()["merged_into"] == new
    said = {"consents": [{"purpose": "marketing", "granted": True, "text_version": "1"}]}
    for answer in (
        await grocer.get(f"/v1/members/{old}/consents"),
        await grocer.post(f"/v1/members/{old}/consents", said),
    ):
        assert (answer.status_code, answer.json()["merged_into"]) == (409, new)
    by_card = grocer.payment(old, 5)
    del by_card["member_id"]
    paid = await grocer.post("/v1/points/redeem", by_card | {"card": "OLD97520001"})
    assert (paid.status_code, paid.json()["member_id"]) == (201, new)
