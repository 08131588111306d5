"""What costs money in a family waits until that is paid, and is done then."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from coalition.families.groups.groups import Groups
from coalition.families.kin.group_refusals import UnknownAct
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import FeeNotDue
from coalition.families.rule_sets.notation import Money
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.members import privacy
from server import people
from tests.families.doors.world import Town, done, refused, transfer
from tests.families.groups.world import account, view
from tests.support.http import ACTOR
from tests.support.members import App

RIGHT, SYSTEM = Money(amount_minor=500, currency="SEK"), By.staff("system:billing")


def fee(on: str, payer: str = "member") -> dict[str, Any]:
    """Return a fee of five kronor for an act."""
    money = {"amount_minor": 500, "currency": "SEK"}
    return {"kind": "flat", "on": on, "money": money, "payer": payer}


async def events(kind: str) -> list[dict[str, Any]]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT payload FROM outbox WHERE kind = $1 ORDER BY id", f"families.{kind}"
        )
    return [msgspec.json.decode(row[0]) for row in rows]


async def pay(town: Town, act: dict[str, Any], money: Money = RIGHT) -> dict[str, Any]:
    """Let billing say that an act was paid for; return how it stands."""
    act_id = UUID(act["act_id"])
    paid = await Groups(keys=town.keys).fee_paid(act_id, paid=money, by=SYSTEM, at=town.at)
    told: dict[str, Any] = msgspec.to_builtins(paid)
    return told


async def invited(town: Town, head: App, other: App) -> tuple[str, str]:
    """Return a family of its head, and the address by which another accepts."""
    group = await town.family("family", head)
    wish = {"member_id": str(other.member), "role": "friend"}
    made = done(await head.post(f"/v1/families/{group}/invitations", wish), 201)
    return group, f"/v1/invitations/{made['invitation_id']}"


async def size(app: App, group: str) -> int:
    return len(done(await app.get(f"/v1/families/{group}"))["places"])


async def test_a_joining_waits_for_its_fee_and_is_done_when_it_is_paid(town: Town) -> None:
    await town.rules("family", view(fees=[fee("join")]))
    anna, bo = await town.member(), await town.member()
    group, address = await invited(town, anna, bo)
    before = len(await events("fee_due"))

    act = done(await bo.post(f"{address}/accept", {}, key="one"), 202)
    again = await bo.post(f"{address}/accept", {}, key="one")
    anew = done(await bo.post(f"{address}/accept", {}), 202)

    assert (act["state"], act["act"], act["payer"]) == (
        "awaiting_payment",
        "accept",
        str(bo.member),
    )
    assert act["fee"] == {"amount_minor": 500, "currency": "SEK"}
    assert again.json() == anew == act
    assert [one["act_id"] for one in (await events("fee_due"))[before:]] == [act["act_id"]]
    assert await size(anna, group) == 1
    assert done(await bo.get("/v1/family-acts"))["items"] == [act]

    paid = await pay(town, act)
    assert paid["state"] == "done"
    assert await pay(town, act) == paid
    assert await size(bo, group) == 2
    assert done(await bo.post(f"{address}/accept", {}))["place"] is not None
    assert len(await events("fee_due")) == before + 1
    assert done(await bo.get(f"/v1/family-acts/{act['act_id']}"))["state"] == "done"


async def test_every_act_that_rules_may_charge_waits(town: Town) -> None:
    on = ("join", "leave", "change", "contribute")
    fees = [fee(one, "head" if one == "change" else "member") for one in on]
    group = {"nominees": {"max": 3}, "spend": {"adult": {"scope": "pool", "revocable": True}}}
    share = {"future_percent": [0, 50, 100], "manual": True}
    await town.rules("family", account(group=group, contribution=share, fees=fees))
    anna, bo = await town.member(100), await town.member(100)
    formed = done(await anna.post("/v1/families", {"kind": "family"}), 202)
    refused(await anna.get(f"/v1/families/{formed['group_id']}"), 404, "unknown_group")
    assert (await pay(town, formed))["state"] == "done"
    home = f"/v1/families/{formed['group_id']}"
    wish = {"member_id": str(bo.member), "role": "friend"}
    made = done(await anna.post(f"{home}/invitations", wish), 201)
    await pay(town, done(await bo.post(f"/v1/invitations/{made['invitation_id']}/accept", {}), 202))
    place = f"{home}/members/{bo.member}"

    for app, address, body, what in (
        (anna, f"{place}/role", {"role": "sibling"}, "role"),
        (bo, f"{place}/share", {"percent": 50}, "share"),
        (anna, f"{place}/right", {"may_spend": False}, "right"),
        (anna, f"{home}/nominees", {"name": "Karin Ek"}, "nominee"),
        (anna, f"{home}/nominees/3/strike", {}, "strike"),
        (bo, f"{home}/contributions", {"points": 40}, "contribute"),
        (anna, f"{home}/head", {"member_id": str(bo.member)}, "head"),
        (anna, f"{home}/leave", {}, "leave"),
    ):
        act = done(await app.post(address, body), 202)
        assert (act["act"], act["state"]) == (what, "awaiting_payment")
        assert (await pay(town, act))["state"] == "done", what
    (left,) = done(await bo.get(home))["places"]
    assert (left["member_id"], left["role"]) == (str(bo.member), "head")
    assert [one["state"] for one in done(await bo.get("/v1/family-acts"))["items"]] == ["done"] * 3


async def test_what_could_not_be_done_is_refused_before_anybody_pays(town: Town) -> None:
    rules = account(contribution={"manual": True}, fees=[fee("contribute"), fee("leave")])
    await town.rules("family", rules)
    anna, bo = await town.member(10), await town.member()
    group = await town.family("family", anna, bo)

    refused(
        await anna.post(f"/v1/families/{group}/contributions", {"points": 11}),
        409,
        "group_refused",
    )
    refused(await anna.post(f"/v1/families/{group}/leave", {}), 409, "head_must_hand_over")

    assert done(await anna.get("/v1/family-acts"))["items"] == []


async def test_what_is_paid_for_and_no_longer_allowed_is_to_be_given_back(town: Town) -> None:
    await town.rules("family", view(group={"members": {"max": 2}}, fees=[fee("join")]))
    anna, bo = await town.member(), await town.member()
    group, address = await invited(town, anna, bo)
    act = done(await bo.post(f"{address}/accept", {}), 202)
    done(await anna.post(f"{address}/withdraw"))

    over = await pay(town, act)

    assert (over["state"], over["refusal"]) == ("refused", "invitation_not_open")
    assert await pay(town, act) == over
    (told,) = await events("fee_to_return")
    assert (told["act_id"], told["amount_minor"]) == (act["act_id"], 500)
    assert await size(anna, group) == 1


async def test_who_does_not_pay_in_time_asks_again(town: Town) -> None:
    await town.rules("family", view(fees=[fee("join")], join={"invitation_days": 2}))
    anna, bo = await town.member(), await town.member()
    _, address = await invited(town, anna, bo)
    act = done(await bo.post(f"{address}/accept", {}), 202)
    groups = Groups(keys=town.keys)
    town.advance(days=2)

    assert await groups.expire_acts(town.at) == 1
    assert await groups.expire_acts(town.at) == 0
    with pytest.raises(FeeNotDue):
        await pay(town, act)
    bo = await town.app(bo.member)
    assert done(await bo.get(f"/v1/family-acts/{act['act_id']}"))["state"] == "expired"
    later = await bo.post(f"{address}/accept", {}, key="later")
    refused(later, 409, "invitation_not_open")


async def test_only_the_whole_fee_is_a_payment(town: Town) -> None:
    await town.rules("family", view(fees=[fee("join")]))
    anna, bo = await town.member(), await town.member()
    _, address = await invited(town, anna, bo)
    act = done(await bo.post(f"{address}/accept", {}), 202)

    for wrong in (Money(amount_minor=499, currency="SEK"), Money(amount_minor=500, currency="EUR")):
        with pytest.raises(FeeNotDue):
            await pay(town, act, wrong)
    with pytest.raises(UnknownAct):
        await pay(town, {"act_id": str(random_id())})
    assert done(await bo.get(f"/v1/family-acts/{act['act_id']}"))["state"] == "awaiting_payment"


async def test_an_act_is_seen_and_taken_back_by_whom_it_concerns(town: Town) -> None:
    await town.rules("family", view(fees=[fee("join", "head")]))
    anna, bo, eve = [await town.member() for _ in range(3)]
    _, address = await invited(town, anna, bo)
    act = done(await bo.post(f"{address}/accept", {}), 202)
    at = f"/v1/family-acts/{act['act_id']}"

    assert act["payer"] == str(anna.member)
    for app in (anna, bo):
        assert done(await app.get(at)) == act
    refused(await eve.get(at), 404, "unknown_act")
    refused(await eve.post(f"{at}/withdraw"), 404, "unknown_act")
    assert done(await anna.post(f"{at}/withdraw"))["state"] == "withdrawn"
    assert done(await bo.post(f"{at}/withdraw"))["state"] == "withdrawn"
    with pytest.raises(FeeNotDue):
        await pay(town, act)
    assert done(await bo.post(f"{address}/accept", {}), 202)["act_id"] != act["act_id"]


async def test_staff_note_that_fees_were_paid(town: Town) -> None:
    await town.rules("family", view(fees=[fee("join")]))
    await town.plain(fees=[{"kind": "flat", "money": {"amount_minor": 500, "currency": "SEK"}}])
    anna, bo = await town.member(100), await town.member()
    desk = await town.desk("families:decide")
    _, address = await invited(town, anna, bo)
    act = done(await bo.post(f"{address}/accept", {}), 202)
    sent = done(await anna.post("/v1/transfers", transfer(bo, 5)), 202)
    paid = {"amount": {"amount_minor": 500, "currency": "SEK"}}

    for where, what in (("family-acts", act["act_id"]), ("transfers", sent["transfer_id"])):
        at = f"/v1/admin/{where}/{what}/paid"
        refused(
            await desk.post(at, {"amount": {"amount_minor": 1, "currency": "SEK"}}),
            409,
            "fee_not_due",
        )
        first = done(await desk.post(at, paid))
        assert first["state"] in {"done", "completed"}
        assert done(await desk.post(at, paid)) == first
        for app in (anna, bo):
            answer = await app.post(at, paid)
            assert answer.status_code == 403, answer.text
    async with transaction() as connection:
        actions = await connection.fetch("SELECT action FROM audit_log ORDER BY no")
    assert "group.fee_paid" in [row[0] for row in actions]


async def test_words_about_a_person_wait_sealed_and_go_when_it_is_over(town: Town) -> None:
    group = {"nominees": {"max": 3}}
    await town.rules("family", account(group=group, fees=[fee("join", "head")]))
    anna = await town.member()
    home = f"/v1/families/{await town.family('family', anna)}"
    act = done(await anna.post(f"{home}/nominees", {"name": "Karin Ek"}), 202)

    async with transaction() as connection:
        (waiting,) = await connection.fetch("SELECT * FROM group_act")
        told = await connection.fetch("SELECT payload FROM outbox")
    assert "Karin" not in str(dict(waiting)) + str([row[0] for row in told])
    assert waiting["sealed"] is not None
    await pay(town, act)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT sealed FROM group_act") is None
    names = [place["nominee"] for place in done(await anna.get(home))["places"]]
    assert names == [None, "Karin Ek"]


async def test_what_waits_ends_with_its_member_and_is_in_the_copy(town: Town) -> None:
    await town.rules("family", view(fees=[fee("join")]))
    anna, bo = await town.member(), await town.member()
    _, address = await invited(town, anna, bo)
    act = done(await bo.post(f"{address}/accept", {}), 202)
    keepers = people.keepers(town.settings)
    copy = b"".join(
        [piece async for piece in privacy.export(MemberId(bo.member), keepers, at=town.at)]
    )
    assert msgspec.json.decode(copy)["group_acts"][0]["act_id"] == act["act_id"]

    await privacy.ask(MemberId(bo.member), reason="by letter", actor=ACTOR, at=town.at)
    await privacy.erase(MemberId(bo.member), keepers, at=town.at)

    with pytest.raises(FeeNotDue):
        await pay(town, act)


async def test_an_act_of_who_was_merged_is_the_survivors(town: Town) -> None:
    await town.rules("family", view(fees=[fee("join")]))
    anna, twin = await town.member(), await town.member()
    act = done(await anna.post("/v1/families", {"kind": "family"}), 202)

    await town.merge(anna, twin)

    assert [one["act_id"] for one in done(await twin.get("/v1/family-acts"))["items"]] == [
        act["act_id"]
    ]
    assert (await pay(town, act))["state"] == "done"
    assert done(await twin.get("/v1/families"))["items"][0]["head"] == str(twin.member)
