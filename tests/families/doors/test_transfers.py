"""Members send points through the door: tried, done, waiting, decided, undone, and refused."""

import asyncio

import pytest

from coalition.families import keeping
from coalition.kernel.ids import MemberId
from coalition.members import privacy
from tests.families.doors.world import Town, done, refused, transfer
from tests.families.groups.world import view
from tests.families.registered import written


async def test_points_go_from_one_member_to_another(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(500), await town.member()

    body = done(await anna.post("/v1/transfers", transfer(bo, 120)), 201)

    assert (body["state"], body["points"], body["balance"]) == ("completed", 120, 380)
    assert (await town.balance(anna), await town.balance(bo)) == (380, 120)
    assert done(await bo.get(f"/v1/transfers/{body['transfer_id']}"))["transfer"]["points"] == 120


async def test_a_key_sent_again_gets_the_first_answer(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(500), await town.member(500)
    first = await anna.post("/v1/transfers", transfer(bo, 120), key="one")

    again = await anna.post("/v1/transfers", transfer(bo, 120), key="one")

    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    refused(
        await anna.post("/v1/transfers", transfer(bo, 121), key="one"),
        422,
        "idempotency_key_reused",
    )
    done(await bo.post("/v1/transfers", transfer(anna, 1), key="one"), 201)
    assert await town.balance(anna) == 381


async def test_one_key_in_a_crowd_moves_points_once(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(500), await town.member()

    answers = await asyncio.gather(
        *(anna.post("/v1/transfers", transfer(bo, 100), key="one") for _ in range(20))
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await town.balance(bo) == 100


async def test_a_preview_says_what_the_act_would_in_the_readers_language(town: Town) -> None:
    await town.plain(transfer={"min": 100})
    anna, bo = await town.member(500), await town.member()

    texts = []
    for language in ("sv-SE,sv;q=0.9,en;q=0.8", "nb", "de, en"):
        answer = await anna.post(
            "/v1/transfers/preview", transfer(bo, 50), headers={"accept-language": language}
        )
        body = done(answer)
        assert not body["allowed"]
        (failure,) = body["failures"]
        assert (failure["rule"], failure["limit"], failure["used"]) == ("transfer.min", 100, 50)
        texts.append(failure["text"])
    problem = refused(await anna.post("/v1/transfers", transfer(bo, 50)), 409, "transfer_refused")

    assert len(set(texts)) == 3
    assert [failure["rule"] for failure in problem["failures"]] == ["transfer.min"]
    assert done(await anna.post("/v1/transfers/preview", transfer(bo, 100)))["allowed"]
    assert await town.balance(anna) == 500


async def test_without_rules_nothing_moves(town: Town) -> None:
    anna, bo = await town.member(500), await town.member()

    refused(await anna.post("/v1/transfers", transfer(bo, 5)), 409, "no_rules")
    refused(await anna.post("/v1/transfers/preview", transfer(bo, 5)), 409, "no_rules")


async def test_more_than_there_is_is_refused_with_the_balance(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(10), await town.member()

    problem = refused(await anna.post("/v1/transfers", transfer(bo, 11)), 409, "not_enough_points")

    assert problem["balance"] == 10


async def test_a_transfer_waits_for_its_receiver(town: Town) -> None:
    await town.plain(control={"approvals": [{"by": "receiver"}]})
    anna, bo, eva = await town.member(500), await town.member(), await town.member()
    made = await anna.post("/v1/transfers", transfer(bo, 120))
    waiting = done(made, 202)
    address = f"/v1/transfers/{waiting['transfer_id']}"

    assert waiting["waits_for"] == ["receiver"]
    for word in ("approve", "reject", "undo"):
        body: dict[str, object] | None = None if word == "approve" else {}
        refused(await eva.post(f"{address}/{word}", body), 404, "unknown_transfer")
    refused(await eva.get(address), 404, "unknown_transfer")
    refused(await anna.post(f"{address}/approve"), 403, "not_yours_to_decide")
    assert done(await bo.post(f"{address}/approve"))["state"] == "completed"

    view_ = done(await anna.get(address))
    assert [step["state"] for step in view_["steps"]] == ["requested", "completed"]
    assert [step["by"] for step in view_["steps"]] == [str(anna.member), str(bo.member)]
    assert view_["words"][0]["given_at"] is not None
    assert await town.balance(bo) == 120


async def test_what_is_turned_down_is_free_again(town: Town) -> None:
    await town.plain(control={"approvals": [{"by": "receiver"}]})
    anna, bo = await town.member(500), await town.member()
    made = done(await anna.post("/v1/transfers", transfer(bo, 120)), 202)
    assert await town.balance(anna) == 380

    body = done(
        await bo.post(f"/v1/transfers/{made['transfer_id']}/reject", {"reason": "keep them"})
    )

    assert body["state"] == "rejected"
    number = {"reason": "4111-1111-1111-1111"}
    address = f"/v1/transfers/{made['transfer_id']}/reject"
    refused(await anna.post(address, number), 422, "payment_card_refused")
    assert await town.balance(anna) == 500
    steps = done(await anna.get(f"/v1/transfers/{made['transfer_id']}"))["steps"]
    assert steps[-1]["reason"] == "keep them"


async def test_a_transfer_is_undone_by_its_sender_within_its_time(town: Town) -> None:
    await town.plain(control={"undo_hours": 24})
    anna, bo = await town.member(500), await town.member()
    made = done(await anna.post("/v1/transfers", transfer(bo, 120)), 201)
    address = f"/v1/transfers/{made['transfer_id']}/undo"

    refused(await bo.post(address, {}), 403, "not_yours_to_decide")
    key = anna.new_key()
    first = await anna.post(address, {}, key=key)
    again = await anna.post(address, {}, key=key)

    assert done(first)["state"] == "undone"
    assert again.content == first.content
    assert await town.balance(anna) == 500


async def test_the_own_page_has_both_directions_the_latest_first(town: Town) -> None:
    await town.plain()
    anna, bo, eva = await town.member(500), await town.member(500), await town.member()
    for sender, receiver, points in ((anna, bo, 1), (bo, anna, 2), (bo, eva, 3), (anna, eva, 4)):
        done(await sender.post("/v1/transfers", transfer(receiver, points)), 201)
        town.advance(seconds=1)

    first = done(await anna.get("/v1/transfers", limit=2))
    rest = done(await anna.get("/v1/transfers", limit=2, cursor=first["next_cursor"]))

    assert [item["points"] for item in first["items"]] == [4, 2]
    assert [item["points"] for item in rest["items"]] == [1]
    assert rest["next_cursor"] is None


async def test_a_password_just_given_is_a_step_up(town: Town) -> None:
    await town.plain(control={"step_up_above": 100})
    anna, bo = await town.member(500), await town.member()

    done(await anna.post("/v1/transfers", transfer(bo, 200)), 201)
    town.advance(minutes=5)

    problem = refused(await anna.post("/v1/transfers", transfer(bo, 200)), 409, "transfer_refused")
    assert [one["rule"] for one in problem["failures"]] == ["control.step_up_above"]
    done(await anna.post("/v1/transfers", transfer(bo, 100)), 201)


async def test_a_new_device_holds_what_it_sends_and_none_is_one_too(town: Town) -> None:
    await town.plain(control={"hold": {"new_device_hours": 24}})
    anna, bo = await town.member(500), await town.member()

    states = []
    for device in ("phone", "phone", "tablet", None, None):
        headers = {} if device is None else {"x-device": device}
        answer = await anna.post("/v1/transfers", transfer(bo, 10), headers=headers)
        states.append(answer.json()["state"])

    assert states == ["held", "completed", "held", "held", "completed"]


async def test_a_guardian_sends_for_its_ward_and_a_stranger_does_not(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(), await town.member()
    kid = await town.child(anna, points=50)
    wish = transfer(bo, 20, sender=str(kid.member))

    refused(await bo.post("/v1/transfers", wish), 403, "not_yourself")
    refused(await bo.post("/v1/transfers/preview", wish), 403, "not_yourself")
    body = done(await anna.post("/v1/transfers", wish), 201)

    assert body["sender"] == str(kid.member)
    address = f"/v1/transfers/{body['transfer_id']}"
    assert done(await kid.get(address))["steps"][0]["by"] == str(anna.member)
    assert len(done(await anna.get("/v1/transfers", member=str(kid.member)))["items"]) == 1
    refused(await bo.get("/v1/transfers", member=str(kid.member)), 403, "not_yourself")


async def test_a_frozen_guardian_sends_nothing_for_its_ward(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(), await town.member()
    kid = await town.child(anna, points=50)
    await town.freeze(anna)
    wish = transfer(bo, 20, sender=str(kid.member))

    refused(await anna.post("/v1/transfers", wish), 403, "member_frozen")
    assert await town.balance(kid) == 50


async def test_a_head_takes_points_only_where_the_group_lets_it(town: Town) -> None:
    await town.plain()
    head = {"head": {"scope": "pool"}}
    await town.rules("pull", written("head_pull", group={"members": {"max": 5}, "spend": head}))
    await town.rules("pool", view())
    anna, bo = await town.member(), await town.member(80)
    wish = transfer(anna, 30, sender=str(bo.member))
    refused(await anna.post("/v1/transfers", wish), 403, "not_yourself")

    await town.family("pool", anna, bo)
    refused(await anna.post("/v1/transfers", wish), 403, "not_yourself")
    await town.family("pull", anna, bo)

    assert done(await anna.post("/v1/transfers", wish), 201)["sender"] == str(bo.member)
    refused(
        await bo.post("/v1/transfers", transfer(bo, 1, sender=str(anna.member))),
        403,
        "not_yourself",
    )


async def test_a_frozen_member_looks_and_does_nothing(town: Town) -> None:
    await town.plain(control={"undo_hours": 24})
    anna, bo = await town.member(500), await town.member()
    made = done(await anna.post("/v1/transfers", transfer(bo, 10)), 201)
    await town.freeze(anna)

    done(await anna.get("/v1/transfers"))
    refused(await anna.post("/v1/transfers", transfer(bo, 10)), 409, "member_not_active")
    address = f"/v1/transfers/{made['transfer_id']}/undo"
    refused(await anna.post(address, {}), 403, "member_frozen")


async def test_who_has_left_for_good_is_refused_with_an_older_token(town: Town) -> None:
    await town.plain()
    anna = await town.member()
    await town.end(anna)

    refused(await anna.get("/v1/transfers"), 403, "membership_ended")


@pytest.mark.parametrize("side", ["partner", "staff"])
async def test_the_other_sides_stay_outside(town: Town, side: str) -> None:
    await town.plain()
    bo = await town.member()
    other = town.world.grocer if side == "partner" else town.world.finance

    refused(await other.post("/v1/transfers", transfer(bo, 1)), 403, "forbidden")
    refused(await other.get("/v1/transfers"), 403, "forbidden")
    refused(await bo.get("/v1/members", card="x"), 403, "forbidden")
    refused(await bo.get("/v1/admin/audit-log"), 403, "forbidden")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"points": 0}, 422),
        ({"points": -5}, 422),
        ({"points": "5"}, 422),
        ({"points": 5.0}, 422),
        ({"points": True}, 422),
        ({"points": 2**31}, 422),
        ({"points": None}, 422),
        ({"to": "nobody"}, 422),
        ({"to": 7}, 422),
        ({"to": "00000000-0000-4000-8000-000000000000"}, 404),
        ({"sender": "00000000-0000-4000-8000-000000000000"}, 403),
        ({"purpose": "a\x00b"}, 422),
        ({"purpose": "x" * 201}, 422),
        ({"purpose": "for 4111 1111 1111 1111"}, 422),
        ({"relationship": "\u202e"}, 422),
        ({"point_currency": "NOPE"}, 422),
        ({"receiver_first_name": ""}, 422),
        ({"stepped_up_at": "2026-11-21T12:00:00Z"}, 422),
        ({"requested_by": "staff:anna"}, 422),
    ],
    ids=str,
)
async def test_strange_wishes_have_their_answer(
    town: Town, change: dict[str, object], status: int
) -> None:
    await town.plain()
    anna, bo = await town.member(500), await town.member()

    answer = await anna.post("/v1/transfers", transfer(bo, 5) | change)

    assert answer.status_code == status, answer.text
    assert await town.balance(anna) == 500


async def test_what_was_said_of_a_transfer_is_forgotten_with_a_person(town: Town) -> None:
    await town.plain(control={"approvals": [{"by": "receiver"}]})
    anna, bo = await town.member(500), await town.member()
    wish = transfer(bo, 120) | {"purpose": "a present"}
    address = f"/v1/transfers/{done(await anna.post('/v1/transfers', wish), 202)['transfer_id']}"
    done(await anna.post(f"{address}/reject", {"reason": "keep them"}))
    keeper = keeping.keeper(town.keys)
    gone = MemberId(bo.member)
    await privacy.ask(gone, reason="asked by letter", actor="staff:eva", at=town.at)

    await privacy.erase(gone, [keeper], at=town.at)

    told = done(await anna.get(address))
    assert told["transfer"]["purpose"] == "a present"
    assert [step["reason"] for step in told["steps"]] == [None, None]


async def test_to_oneself_nothing_is_sent(town: Town) -> None:
    await town.plain()
    anna = await town.member(5)

    refused(await anna.post("/v1/transfers", transfer(anna, 5)), 422, "transfer_to_itself")


async def test_headers_are_bounded(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(500), await town.member()

    answer = await anna.post("/v1/transfers", transfer(bo, 5), headers={"x-device": "x" * 201})

    refused(answer, 400, "malformed")
