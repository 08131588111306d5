"""Who was merged is nobody to others at members' doors: they are not told who the survivor is."""

from coalition.kernel.ids import random_id
from tests.families.doors.world import Town, done, refused, transfer
from tests.families.groups.world import view


async def test_a_merged_id_is_answered_as_one_of_nobody(town: Town) -> None:
    await town.plain()
    await town.rules("family", view())
    anna, bo, twin = await town.member(500), await town.member(50), await town.member()
    group = await town.family("family", anna)
    await town.merge(bo, twin)

    for address, body in (
        ("/v1/transfers", {"to": str(bo.member), "points": 5}),
        ("/v1/transfers/preview", {"to": str(bo.member), "points": 5}),
        (f"/v1/families/{group}/invitations", {"member_id": str(bo.member), "role": "friend"}),
        ("/v1/relationships", {"member_id": str(bo.member), "relationship": "spouse"}),
    ):
        merged = refused(await anna.post(address, body), 404, "member_not_found")
        nobodys = body | {next(iter(body)): str(random_id())}
        unknown = refused(await anna.post(address, nobodys), 404, "member_not_found")
        assert merged | {"request_id": ""} == unknown | {"request_id": ""}
    done(await anna.post("/v1/transfers", transfer(twin, 5)), 201)


async def test_who_was_merged_itself_is_told_to_come_in_again(town: Town) -> None:
    await town.plain()
    anna, bo, twin = await town.member(500), await town.member(50), await town.member()
    await town.merge(bo, twin)

    for answer in (
        await bo.post("/v1/transfers", transfer(anna, 5)),
        await bo.post("/v1/transfers/preview", transfer(anna, 5)),
        await bo.post("/v1/families", {"kind": "family"}),
        await bo.get("/v1/families"),
    ):
        assert refused(answer, 409, "member_merged")["merged_into"] == str(twin.member)


async def test_staff_are_told_who_the_survivor_is(town: Town) -> None:
    bo, twin, kid = await town.member(), await town.member(), await town.child()
    desk = await town.desk("families:decide")
    await town.merge(bo, twin)

    pair = {"minor": str(kid.member), "guardian": str(bo.member)}
    answer = await desk.post("/v1/admin/guardians/appoint", pair)

    assert refused(answer, 409, "member_merged")["merged_into"] == str(twin.member)
