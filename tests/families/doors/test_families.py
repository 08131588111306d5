"""Members put families together through the door: form, invite, join, change, leave, separate."""

from tests.families.doors.world import Town, done, refused
from tests.families.groups.world import account, view
from tests.families.registered import written
from tests.support.members import App


async def formed(town: Town, head: App, kind: str = "family") -> str:
    """Return the id of a family that this member has formed."""
    return str(done(await head.post("/v1/families", {"kind": kind}), 201)["group_id"])


async def joined(head: App, group: str, member: App, role: str = "spouse") -> None:
    """Let a head invite somebody who accepts."""
    body = {"member_id": str(member.member), "role": role}
    invited = done(await head.post(f"/v1/families/{group}/invitations", body), 201)
    done(await member.post(f"/v1/invitations/{invited['invitation_id']}/accept", {}))


async def test_a_family_is_formed_joined_and_seen(town: Town) -> None:
    await town.rules("family", account())
    anna, bo, eva = await town.member(300), await town.member(200), await town.member()
    group = await formed(town, anna)
    await joined(anna, group, bo)

    seen = done(await bo.get(f"/v1/families/{group}"))

    assert [place["role"] for place in seen["places"]] == ["head", "spouse"]
    assert seen["points"] == 500
    assert done(await bo.get("/v1/families"))["items"][0]["group_id"] == group
    assert done(await eva.get("/v1/families"))["items"] == []
    refused(await eva.get(f"/v1/families/{group}"), 404, "unknown_group")


async def test_a_kind_that_nothing_is_bound_to_is_refused(town: Town) -> None:
    anna = await town.member()

    refused(await anna.post("/v1/families", {"kind": "family"}), 409, "no_rules")
    refused(await anna.post("/v1/families", {"kind": "p2p"}), 409, "no_rules")


async def test_a_key_forms_one_family(town: Town) -> None:
    await town.rules("family", account())
    anna = await town.member()

    first = await anna.post("/v1/families", {"kind": "family"}, key="one")
    again = await anna.post("/v1/families", {"kind": "family"}, key="one")

    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert len(done(await anna.get("/v1/families"))["items"]) == 1
    answer = await anna.http.post("/v1/families", json={"kind": "family"}, headers=anna.headers)
    refused(answer, 400, "idempotency_key_missing")


async def test_somebody_is_invited_by_what_a_till_would_know(town: Town) -> None:
    await town.rules("family", account())
    anna, bo = await town.member(), await town.member(email="bo@exempel.example")
    group = await formed(town, anna)
    address = f"/v1/families/{group}/invitations"

    body = done(await anna.post(address, {"email": "BO@exempel.example", "role": "spouse"}), 201)

    assert body["member_id"] == str(bo.member)
    assert done(await bo.get("/v1/invitations"))["items"] == [body]
    assert done(await anna.get("/v1/invitations"))["items"] == []
    assert done(await anna.get(f"/v1/families/{group}"))["invitations"] == [body]
    refused(await anna.post(address, {"role": "spouse"}), 422, "one_member_wanted")
    both = {"role": "spouse", "email": "bo@exempel.example", "member_id": str(bo.member)}
    refused(await anna.post(address, both), 422, "one_member_wanted")
    refused(await anna.post(address, {"email": "no address", "role": "x"}), 422, "invalid_email")


async def test_who_is_a_member_cannot_be_found_out_by_trying(town: Town) -> None:
    await town.rules("family", account())
    anna, bo = await town.member(), await town.member()
    group = await formed(town, anna)
    address = f"/v1/families/{group}/invitations"

    for number in range(5):
        wish = {"email": f"guess{number}@exempel.example", "role": "friend"}
        refused(await anna.post(address, wish), 404, "member_not_found")
    answer = await anna.post(address, {"email": "guess@exempel.example", "role": "friend"})

    refused(answer, 429, "too_many_attempts")
    assert answer.headers["retry-after"] == "30"
    # Nobody who lets nobody in learns anything at all.
    wish = {"email": "guess@exempel.example", "role": "friend"}
    refused(await bo.post(address, wish), 404, "unknown_group")


async def test_an_invitation_is_declined_or_taken_back(town: Town) -> None:
    await town.rules("family", account())
    anna, bo, eva = [await town.member() for _ in range(3)]
    group = await formed(town, anna)
    body = {"member_id": str(bo.member), "role": "spouse"}
    first = done(await anna.post(f"/v1/families/{group}/invitations", body), 201)["invitation_id"]

    for word in ("accept", "decline", "withdraw"):
        sent: dict[str, object] | None = {} if word == "accept" else None
        address = f"/v1/invitations/{first}/{word}"
        refused(await eva.post(address, sent), 404, "unknown_invitation")
    assert done(await bo.post(f"/v1/invitations/{first}/decline"))["state"] == "declined"
    refused(await bo.post(f"/v1/invitations/{first}/accept", {}), 409, "invitation_not_open")
    second = done(await anna.post(f"/v1/families/{group}/invitations", body), 201)["invitation_id"]
    assert done(await anna.post(f"/v1/invitations/{second}/withdraw"))["state"] == "withdrawn"


async def test_a_guardian_accepts_for_a_ward_and_a_head_takes_its_own_along(town: Town) -> None:
    rules = account(join={"child_without_invitation": True})
    await town.rules("family", rules)
    anna, bo = await town.member(), await town.member()
    kid, other = await town.child(anna), await town.child(bo)
    group = await formed(town, anna)
    address = f"/v1/families/{group}"

    place = done(
        await anna.post(f"{address}/members", {"member_id": str(kid.member), "role": "child"}), 201
    )
    assert (place["kind"], place["member_id"]) == ("minor", str(kid.member))
    wish = {"member_id": str(other.member), "role": "child"}
    refused(await anna.post(f"{address}/members", wish), 409, "invitation_needed")
    invited = done(await anna.post(f"{address}/invitations", wish), 201)
    assert done(await bo.get("/v1/invitations"))["items"] == [invited]
    accept = f"/v1/invitations/{invited['invitation_id']}/accept"
    refused(await other.post(accept, {}), 403, "guardian_only")
    assert done(await bo.post(accept, {}))["place"]["member_id"] == str(other.member)
    # The guardian belongs to no family itself, and sees that of its ward.
    assert done(await bo.get(address))["group_id"] == group


async def test_only_the_head_changes_what_others_are(town: Town) -> None:
    await town.rules("family", account())
    anna, bo, eva = [await town.member(100) for _ in range(3)]
    group = await formed(town, anna)
    for one in (bo, eva):
        await joined(anna, group, one, "friend")
    address = f"/v1/families/{group}/members/{bo.member}"

    for by, status, code in ((eva, 403, "head_only"), (await town.member(), 404, "unknown_group")):
        refused(await by.post(f"{address}/role", {"role": "sibling"}), status, code)
        refused(await by.post(f"{address}/right", {"may_spend": False}), status, code)
        refused(await by.post(f"{address}/remove"), status, code)
    assert done(await anna.post(f"{address}/role", {"role": "sibling"}))["role"] == "sibling"
    refused(await anna.post(f"{address}/role", {"role": "emperor"}), 422, "invalid_role")
    assert done(await anna.post(f"{address}/remove"))["why"] == "removed"
    refused(await bo.get(f"/v1/families/{group}"), 404, "unknown_group")


async def test_the_right_to_spend_is_taken_and_given(town: Town) -> None:
    who = {"members": {"max": 3}, "spend": {"adult": {"scope": "pool", "revocable": True}}}
    await town.rules("family", view(group=who))
    anna, bo = await town.member(100), await town.member(50)
    group = await formed(town, anna)
    await joined(anna, group, bo)
    address = f"/v1/families/{group}/members/{bo.member}/right"

    assert await town.balance(bo) == 150
    assert done(await anna.post(address, {"may_spend": False}))["may_spend"] is False
    assert await town.balance(bo) == 50


async def test_a_member_brings_points_in_and_sees_what_it_would_take_out(town: Town) -> None:
    rules = account(contribution={"existing": "none", "future_percent": [0], "manual": True})
    await town.rules("family", rules)
    anna, bo = await town.member(300), await town.member(200)
    group = await formed(town, anna)
    await joined(anna, group, bo)
    address = f"/v1/families/{group}"

    body = done(await bo.post(f"{address}/contributions", {"points": 80}, key="one"), 201)
    again = await bo.post(f"{address}/contributions", {"points": 80}, key="one")
    exit_ = done(await bo.get(f"{address}/exit"))

    assert body["brought"] == 80
    assert again.json() == body
    assert (exit_["brought"], exit_["takes_out"]) == (80, 80)
    assert done(await anna.get(f"{address}/exit", member=str(bo.member)))["takes_out"] == 80
    wish = {"points": 1, "member_id": str(anna.member)}
    refused(await bo.post(f"{address}/contributions", wish), 403, "not_yourself")
    refused(await bo.get(f"{address}/exit", member=str(anna.member)), 403, "not_yourself")
    left = done(await bo.post(f"{address}/leave", {}))
    assert (left["why"], left["points"]) == ("left", 80)
    assert await town.balance(bo) == 200


async def test_a_head_hands_over_before_it_leaves(town: Town) -> None:
    await town.rules("family", account())
    anna, bo, eva = [await town.member(10) for _ in range(3)]
    group = await formed(town, anna)
    for one in (bo, eva):
        await joined(anna, group, one, "friend")
    address = f"/v1/families/{group}"

    refused(await anna.post(f"{address}/leave", {}), 409, "head_must_hand_over")
    assert done(await anna.post(f"{address}/head", {"member_id": str(bo.member)}))["head"] == str(
        bo.member
    )
    done(await bo.post(f"{address}/leave", {"successor": str(eva.member)}))
    assert done(await eva.get(address))["head"] == str(eva.member)


async def test_a_separation_stops_everything_until_both_want_the_same(town: Town) -> None:
    await town.rules("family", account())
    anna, bo = await town.member(100), await town.member(60)
    group = await formed(town, anna)
    await joined(anna, group, bo)
    address = f"/v1/families/{group}"

    done(await bo.post(f"{address}/separate", {}))
    refused(await bo.post(f"{address}/leave", {}), 409, "group_separating")
    assert done(await bo.post(f"{address}/settle", {"outcome": "leave"}))["outcome"] is None
    assert done(await anna.post(f"{address}/settle", {"outcome": "leave"}))["outcome"] == "leave"

    assert await town.balance(bo) == 60
    refused(await bo.get(address), 404, "unknown_group")


async def test_the_head_closes_and_everybody_has_its_own_again(town: Town) -> None:
    await town.rules("family", account())
    anna, bo = await town.member(100), await town.member(60)
    group = await formed(town, anna)
    await joined(anna, group, bo)
    address = f"/v1/families/{group}/close"

    refused(await bo.post(address), 403, "head_only")
    assert done(await anna.post(address))["state"] == "closed"
    assert done(await anna.post(address))["state"] == "closed"

    assert (await town.balance(anna), await town.balance(bo)) == (100, 60)


async def test_nominees_are_named_for_the_head_alone_and_struck(town: Town) -> None:
    rules = written("nominee_only", group={"members": {"max": 1}, "nominees": {"max": 2}})
    await town.rules("nominees", rules)
    anna = await town.member(100)
    group = await formed(town, anna, "nominees")
    address = f"/v1/families/{group}"

    number = {"name": "4111 1111 1111 1111"}
    refused(await anna.post(f"{address}/nominees", number), 422, "invalid_nominee")
    place = done(await anna.post(f"{address}/nominees", {"name": "Mormor Karin"}), 201)
    seen = done(await anna.get(address))
    assert seen["places"][-1]["nominee"] == "Mormor Karin"
    assert done(await anna.post(f"{address}/nominees/{place['no']}/strike")) == {"no": place["no"]}
    assert len(done(await anna.get(address))["places"]) == 1


async def test_a_guardian_stops_a_ward_and_lets_it_go_on(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(), await town.member()
    kid = await town.child(anna, points=50)
    address = f"/v1/wards/{kid.member}"

    refused(await bo.post(f"{address}/stop"), 404, "unknown_guardian")
    assert done(await anna.post(f"{address}/stop"))["stopped"]
    body = {"to": str(bo.member), "points": 5}
    refused(await kid.post("/v1/transfers", body), 409, "transfer_refused")
    assert done(await anna.get("/v1/wards"))["items"][0]["frozen_at"] is not None
    assert not done(await anna.post(f"{address}/go-on"))["stopped"]
    done(await kid.post("/v1/transfers", body), 201)


async def test_who_is_frozen_changes_nothing(town: Town) -> None:
    await town.rules("family", account())
    anna, bo = await town.member(), await town.member()
    group = await formed(town, anna)
    body = {"member_id": str(bo.member), "role": "spouse"}
    invited = done(await anna.post(f"/v1/families/{group}/invitations", body), 201)
    await town.freeze(bo)
    await town.freeze(anna)

    address = f"/v1/invitations/{invited['invitation_id']}"
    refused(await bo.post(f"{address}/decline"), 403, "member_frozen")
    refused(await anna.post(f"{address}/withdraw"), 403, "member_frozen")
    done(await anna.get(f"/v1/families/{group}"))


async def test_strangers_learn_nothing_even_from_a_bad_body(town: Town) -> None:
    await town.rules("family", account())
    anna, eva = await town.member(), await town.member()
    group = await formed(town, anna)
    address = f"/v1/families/{group}"

    for word in ("invitations", "members", "contributions", "separate", "settle", "head"):
        refused(await eva.post(f"{address}/{word}", {"nonsense": 1}), 404, "unknown_group")
        refused(await anna.post(f"{address}/{word}", {"nonsense": 1}), 422, "invalid")
