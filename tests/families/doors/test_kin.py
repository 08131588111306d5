"""Two members say what they are to each other, without the staff; rules hear of it then."""

from coalition.kernel.ids import random_id
from tests.families.doors.world import Town, done, refused, transfer
from tests.families.groups.world import view
from tests.support.members import App

TO_KIN = {"eligibility": {"receiver": {"relationships": ["spouse", "child"]}}}


async def kin(app: App) -> list[tuple[str, bool]]:
    """Return what others are to a member, and whether that is confirmed."""
    found = done(await app.get("/v1/relationships"))["items"]
    return [(one["relationship"], one["confirmed_at"] is not None) for one in found]


def said(other: App, word: str = "spouse") -> dict[str, str]:
    return {"member_id": str(other.member), "relationship": word}


async def test_a_relationship_holds_when_both_have_said_so(town: Town) -> None:
    await town.plain(**TO_KIN)
    anna, bo = await town.member(500), await town.member(email="bo@exempel.example")
    wish = {"to": {"email": "bo@exempel.example"}, "points": 5}

    declared = done(
        await anna.post(
            "/v1/relationships", {"email": "bo@exempel.example", "relationship": "spouse"}
        ),
        201,
    )
    before = refused(await anna.post("/v1/transfers", wish), 409, "transfer_refused")
    address = f"/v1/relationships/{anna.member}/confirm"
    confirmed = done(await bo.post(address))

    assert (declared["declared_by"], declared["confirmed_at"]) == (str(anna.member), None)
    assert [one["rule"] for one in before["failures"]] == ["eligibility.receiver.relationships"]
    assert confirmed["declared_by"] == str(anna.member)
    assert done(await bo.post(address)) == confirmed
    done(await anna.post("/v1/transfers", wish), 201)
    assert await kin(anna) == await kin(bo) == [("spouse", True)]


async def test_each_sees_what_the_other_is_to_it(town: Town) -> None:
    anna, kid = await town.member(), await town.member()

    done(await anna.post("/v1/relationships", said(kid, "child")), 201)

    assert await kin(anna) == [("child", False)]
    assert await kin(kid) == [("parent", False)]
    refused(await anna.post(f"/v1/relationships/{kid.member}/confirm"), 409, "others_word_needed")
    answer = done(await kid.post("/v1/relationships", said(anna, "parent")), 201)
    assert answer["confirmed_at"] is not None
    assert await kin(anna) == [("child", True)]


async def test_either_ends_it_and_it_can_be_said_anew(town: Town) -> None:
    await town.plain(**TO_KIN)
    anna, bo = await town.member(500), await town.member()
    for ending, other in ((anna, bo), (bo, anna)):
        done(await anna.post("/v1/relationships", said(bo)), 201)
        done(await bo.post(f"/v1/relationships/{anna.member}/confirm"))
        done(await anna.post("/v1/transfers/preview", transfer(bo, 5)))

        ended = done(await ending.post(f"/v1/relationships/{other.member}/end"))

        assert ended["ended_at"] is not None
        assert done(await ending.post(f"/v1/relationships/{other.member}/end")) == ended
        assert await kin(anna) == await kin(bo) == []
        assert not done(await anna.post("/v1/transfers/preview", transfer(bo, 5)))["allowed"]
        refused(
            await bo.post(f"/v1/relationships/{anna.member}/confirm"), 404, "unknown_relationship"
        )


async def test_another_word_ends_what_held(town: Town) -> None:
    anna, bo = await town.member(), await town.member()
    done(await anna.post("/v1/relationships", said(bo)), 201)
    done(await bo.post("/v1/relationships", said(anna)), 201)

    again = done(await anna.post("/v1/relationships", said(bo)), 201)
    other = done(await bo.post("/v1/relationships", said(anna, "colleague")), 201)

    assert again["confirmed_at"] is not None
    assert other["confirmed_at"] is None
    assert await kin(anna) == [("relative", False)]
    done(await anna.post(f"/v1/relationships/{bo.member}/confirm"))
    done(await bo.post("/v1/relationships", said(anna, "neighbour")), 201)
    assert await kin(anna) == [("relative", False)]


async def test_evidence_that_was_asked_for_is_not_shaken_off_by_saying_it_anew(town: Town) -> None:
    rules = {"relationships": ["spouse"], "evidence": "on_request"}
    await town.plain(eligibility={"receiver": rules})
    anna, bo = await town.member(500), await town.member()
    desk = await town.desk("families:decide")
    pair = {"member_id": str(anna.member), "other_id": str(bo.member)}
    done(await anna.post("/v1/relationships", said(bo)), 201)
    done(await bo.post("/v1/relationships", said(anna)), 201)
    assert done(await anna.post("/v1/transfers/preview", transfer(bo, 5)))["allowed"]
    done(await desk.post("/v1/admin/relationships/ask", pair))

    done(await anna.post(f"/v1/relationships/{bo.member}/end"))
    wish = transfer(bo, 5, relationship="spouse")
    ended = done(await anna.post("/v1/transfers/preview", wish))
    done(await anna.post("/v1/relationships", said(bo)), 201)
    done(await bo.post("/v1/relationships", said(anna)), 201)
    anew = done(await anna.post("/v1/transfers/preview", wish))
    done(await desk.post("/v1/admin/relationships/prove", pair))

    for tried in (ended, anew):
        assert [one["rule"] for one in tried["failures"]] == ["eligibility.receiver.evidence"]
    assert done(await anna.post("/v1/transfers/preview", wish))["allowed"]
    assert done(await bo.get("/v1/relationships"))["items"][0]["proved_at"] is not None


async def test_a_family_that_takes_kin_takes_who_is_confirmed(town: Town) -> None:
    kin_alone = {"relationships": ["first_cousin"]}
    await town.rules("family", view(eligibility=kin_alone))
    anna, bo = await town.member(), await town.member()
    group = str(done(await anna.post("/v1/families", {"kind": "family"}), 201)["group_id"])
    wish = {"member_id": str(bo.member), "role": "relative"}
    invited = done(await anna.post(f"/v1/families/{group}/invitations", wish), 201)
    accept = f"/v1/invitations/{invited['invitation_id']}/accept"
    refused(await bo.post(accept, {}), 409, "group_refused")

    done(await bo.post("/v1/relationships", said(anna, "first_cousin")), 201)
    refused(await bo.post(accept, {}), 409, "group_refused")
    done(await anna.post(f"/v1/relationships/{bo.member}/confirm"))

    assert done(await bo.post(accept, {}))["place"] is not None


async def test_what_is_no_relationship_is_refused(town: Town) -> None:
    anna, bo, closed = [await town.member() for _ in range(3)]
    await town.end(closed)

    for body, status, code in (
        (said(anna), 422, "invalid_relationship"),
        (said(bo, "Spouse!"), 422, "invalid_relationship"),
        (said(bo, ""), 422, "invalid"),
        (said(bo, "s_"), 422, "invalid_relationship"),
        (said(closed), 409, "member_closed"),
        ({"member_id": str(random_id()), "relationship": "spouse"}, 404, "member_not_found"),
        ({"card": "97520000", "relationship": "spouse"}, 404, "member_not_found"),
        ({"relationship": "spouse"}, 422, "one_member_wanted"),
    ):
        refused(await anna.post("/v1/relationships", body), status, code)
    for word in ("confirm", "end"):
        refused(
            await anna.post(f"/v1/relationships/{bo.member}/{word}"), 404, "unknown_relationship"
        )
    assert await kin(anna) == []


async def test_a_merged_members_relationships_are_the_survivors(town: Town) -> None:
    anna, bo, twin = [await town.member() for _ in range(3)]
    done(await bo.post("/v1/relationships", said(anna)), 201)
    done(await anna.post(f"/v1/relationships/{bo.member}/confirm"))
    done(await anna.post("/v1/relationships", said(twin)), 201)

    await town.merge(bo, twin)

    shown = done(await anna.get("/v1/relationships"))["items"]
    assert [one["member_id"] for one in shown] == [str(twin.member)]
