"""Staff see families, decide of transfers that wait for them, and look for rings."""

from coalition.families.kin import guardians, relationships
from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from tests.families.doors.world import Town, done, refused, transfer
from tests.families.groups.world import account


async def test_staff_decide_of_what_waits_for_the_operator(town: Town) -> None:
    await town.plain(control={"approvals": [{"by": "staff", "above": 100}], "undo_hours": 24})
    anna, bo = await town.member(900), await town.member()
    desk = await town.desk("families:decide")
    waiting = [
        done(await anna.post("/v1/transfers", transfer(bo, 200)), 202)["transfer_id"]
        for _ in range(2)
    ]
    first, second = (f"/v1/admin/transfers/{one}" for one in waiting)

    assert done(await desk.post(f"{first}/approve"))["state"] == "completed"
    assert done(await desk.post(f"{second}/reject", {"reason": "odd"}))["state"] == "rejected"
    assert done(await desk.post(f"{first}/undo", {}))["state"] == "undone"

    seen = done(await desk.get(first))
    assert [step["by"] for step in seen["steps"]][1:] == [desk.actor, desk.actor]
    told = done(await anna.get(f"/v1/transfers/{waiting[0]}"))
    assert [step["by"] for step in told["steps"]] == [str(anna.member), "operator", "operator"]
    assert await town.balance(anna) == 900


async def test_whoever_only_reads_decides_nothing(town: Town) -> None:
    await town.plain(control={"approvals": [{"by": "staff"}]})
    anna, bo = await town.member(900), await town.member()
    reader, other = await town.desk("families:read"), await town.desk("rules:read")
    made = done(await anna.post("/v1/transfers", transfer(bo, 200)), 202)
    address = f"/v1/admin/transfers/{made['transfer_id']}"

    done(await reader.get(address))
    refused(await reader.post(f"{address}/approve"), 403, "forbidden")
    refused(await other.get(address), 403, "forbidden")
    refused(await anna.get(address), 403, "forbidden")
    refused(await anna.post(f"{address}/approve"), 403, "forbidden")
    nothing = f"/v1/admin/transfers/{random_id()}"
    refused(await reader.get(nothing), 404, "unknown_transfer")


async def test_staff_see_families_whole(town: Town) -> None:
    await town.rules("family", account())
    anna, bo = await town.member(100), await town.member(60)
    group = await town.family("family", anna, bo)
    desk = await town.desk("families:read")

    (row,) = done(await desk.get("/v1/admin/families"))["items"]
    seen = done(await desk.get(f"/v1/admin/families/{group}"))

    assert (row["group_id"], row["members"], row["kind"]) == (group, 2, "family")
    assert [place["points"] for place in seen["places"]] == [100, 60]
    assert done(await desk.get("/v1/admin/families", kind="other"))["items"] == []
    refused(await desk.get(f"/v1/admin/families/{random_id()}"), 404, "unknown_group")


async def test_a_ring_is_seen(town: Town) -> None:
    await town.plain()
    ring = [await town.member(100) for _ in range(3)]
    for sender, receiver in zip(ring, (*ring[1:], ring[0]), strict=True):
        done(await sender.post("/v1/transfers", transfer(receiver, 50)), 201)
    desk = await town.desk("families:read")

    told = done(await desk.get("/v1/admin/transfer-rings", days="1"))

    assert [set(one["members"]) for one in told["rings"]] == [{str(app.member) for app in ring}]
    assert told["rings"][0]["points"] == 50
    assert told["is_complete"]
    refused(await desk.get("/v1/admin/transfer-rings", days="0"), 422, "invalid")


async def test_evidence_is_asked_for_and_noted(town: Town) -> None:
    anna, bo = await town.member(), await town.member()
    await relationships.declare(anna.member, bo.member, "sibling", at=town.at)
    desk = await town.desk("families:decide")
    body = {"member_id": str(anna.member), "other_id": str(bo.member)}

    asked = done(await desk.post("/v1/admin/relationships/ask", body))
    proved = done(await desk.post("/v1/admin/relationships/prove", body))

    assert asked["evidence_asked_at"] is not None
    assert asked["proved_at"] is None
    assert (proved["relationship"], proved["proved_at"]) == ("sibling", "2026-11-21T12:00:00Z")
    strange = body | {"other_id": str(random_id())}
    refused(await desk.post("/v1/admin/relationships/prove", strange), 404, "unknown_relationship")


async def test_staff_say_who_guards_a_minor(town: Town) -> None:
    child, parent = await town.child(), await town.member()
    desk = await town.desk("families:decide")
    body = {"minor": str(child.member), "guardian": str(parent.member)}

    assert done(await desk.post("/v1/admin/guardians/appoint", body)) == body
    assert done(await desk.post("/v1/admin/guardians/appoint", body)) == body
    async with transaction() as connection:
        found = await guardians.guardians_of(connection, [child.member])
    assert found[child.member] == [parent.member]
    assert done(await desk.post("/v1/admin/guardians/dismiss", body)) == body
    refused(await desk.post("/v1/admin/guardians/dismiss", body), 404, "unknown_guardian")
    alone = body | {"guardian": body["minor"]}
    refused(await desk.post("/v1/admin/guardians/appoint", alone), 422, "invalid_relationship")
    strange = body | {"guardian": str(random_id())}
    refused(await desk.post("/v1/admin/guardians/appoint", strange), 404, "member_not_found")
