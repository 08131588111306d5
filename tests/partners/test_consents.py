"""Consents at the till: taken down while enrolling and later, read by partners that may."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.members import closing, consents
from tests.support.http import Coalition, Shop

MAILS = {
    "purpose": "marketing",
    "channel": "email",
    "granted": True,
    "text_version": "2026-11.sv",
}
SHARING = {"purpose": "sharing", "granted": True, "text_version": "2026-11.sv"}


def held(items: list[dict[str, object]]) -> dict[tuple[object, object], object]:
    return {(one["purpose"], one["channel"]): one["granted"] for one in items}


async def test_what_is_agreed_to_while_enrolling_holds_from_then_on(
    grocer: Shop, at: datetime
) -> None:
    body = {"card": "97520001", "consents": [MAILS, MAILS | {"channel": "sms", "granted": False}]}
    member = (await grocer.post("/v1/members", body)).json()["member_id"]
    shown = await grocer.get(f"/v1/members/{member}/consents")
    assert shown.status_code == 200, shown.text
    assert shown.json()["member_id"] == member
    assert held(shown.json()["items"]) == {
        ("marketing", "email"): True,
        ("marketing", "sms"): False,
    }
    async with transaction() as connection:
        first, _ = await consents.history(connection, MemberId(UUID(str(member))))
    assert (first.source, first.through_partner_no, first.given_at) == ("enrolment", 1, at)


async def test_the_word_given_last_holds_and_what_was_said_before_is_kept(
    grocer: Shop, at: datetime
) -> None:
    member = await grocer.new_member()
    address = f"/v1/members/{member}/consents"
    assert (await grocer.get(address)).json()["items"] == []
    said = await grocer.post(address, {"consents": [MAILS]})
    assert said.status_code == 201, said.text
    assert held(said.json()["items"]) == {("marketing", "email"): True}
    withdrawn = await grocer.post(address, {"consents": [MAILS | {"granted": False}]})
    assert held(withdrawn.json()["items"]) == {("marketing", "email"): False}
    before = (at - timedelta(days=3)).isoformat()
    late = await grocer.post(address, {"consents": [MAILS | {"given_at": before}]})
    assert held(late.json()["items"]) == {("marketing", "email"): False}, "an older word came late"
    async with transaction() as connection:
        kept = await consents.history(connection, MemberId(UUID(str(member))))
    assert [one.granted for one in kept] == [True, False, True]


async def test_a_consent_is_repeated_under_its_key_without_effect(grocer: Shop) -> None:
    member = await grocer.new_member()
    address = f"/v1/members/{member}/consents"
    first = await grocer.post(address, {"consents": [MAILS]}, key="consent 1")
    again = await grocer.post(address, {"consents": [MAILS]}, key="consent 1")
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    other = await grocer.post(address, {"consents": [SHARING]}, key="consent 1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    async with transaction() as connection:
        assert len(await consents.history(connection, MemberId(UUID(str(member))))) == 1


async def test_sharing_is_with_the_partner_that_asks_and_no_other_hears_of_it(
    grocer: Shop, fuel: Shop
) -> None:
    member = await grocer.new_member()
    await fuel.issue(member, 5)
    address = f"/v1/members/{member}/consents"
    await grocer.post(address, {"consents": [SHARING, MAILS]})
    await fuel.post(address, {"consents": [SHARING | {"granted": False}]})
    own = (await grocer.get(address)).json()["items"]
    assert held(own) == {("sharing", None): True, ("marketing", "email"): True}
    other = (await fuel.get(address)).json()["items"]
    assert held(other) == {("sharing", None): False, ("marketing", "email"): True}


async def test_only_a_partner_that_knows_the_member_reads_or_writes(
    grocer: Shop, fuel: Shop
) -> None:
    member = await grocer.new_member()
    address = f"/v1/members/{member}/consents"
    for refused in (await fuel.get(address), await fuel.post(address, {"consents": [MAILS]})):
        assert (refused.status_code, refused.json()["code"]) == (403, "relation_needed")
    nobody = f"/v1/members/{random_id()}/consents"
    for refused in (await fuel.get(nobody), await fuel.post(nobody, {"consents": [MAILS]})):
        assert (refused.status_code, refused.json()["code"]) == (404, "member_not_found")


async def test_each_scope_opens_what_it_names(coalition: Coalition, grocer: Shop) -> None:
    member = await grocer.new_member()
    address = f"/v1/members/{member}/consents"
    reader = await coalition.till(grocer, scopes=["members:read"])
    assert (await reader.get(address)).status_code == 200
    refused = await reader.post(address, {"consents": [MAILS]})
    assert (refused.status_code, refused.json()["scope"]) == (403, "members:write")


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "pigeon"},
        {"purpose": "Marketing!"},
        {"purpose": ""},
        {"text_version": ""},
        {"text_version": "a b"},
        {"granted": "yes"},
        {"given_at": "2026-11-21T12:00:00"},
        {"given_at": "2031-01-01T00:00:00Z"},
        {"given_at": "0001-01-01T00:00:00+14:00"},
        {"recipient": 2},
    ],
    ids=str,
)
async def test_what_cannot_be_a_consent_is_refused(grocer: Shop, wrong: dict[str, object]) -> None:
    member = await grocer.new_member()
    body = {"consents": [MAILS | wrong]}
    refused = await grocer.post(f"/v1/members/{member}/consents", body)
    assert refused.status_code == 422, refused.text
    enrolled = await grocer.post("/v1/members", {"card": "97520009"} | body)
    assert enrolled.status_code == 422, "and leaves no member behind"
    assert (await grocer.get("/v1/members?card=97520009")).status_code == 404


async def test_a_list_of_consents_has_some_and_not_too_many(grocer: Shop) -> None:
    member = await grocer.new_member()
    for many in (0, 21):
        refused = await grocer.post(f"/v1/members/{member}/consents", {"consents": [MAILS] * many})
        assert refused.status_code == 422


async def test_a_closed_member_agrees_to_nothing_more(grocer: Shop, at: datetime) -> None:
    member = await grocer.new_member()
    await closing.close(MemberId(UUID(str(member))), actor="staff:anna", at=at)
    refused = await grocer.post(f"/v1/members/{member}/consents", {"consents": [MAILS]})
    assert (refused.status_code, refused.json()["code"]) == (409, "member_closed")
