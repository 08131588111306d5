"""A receiver is named by what one knows of it: its card, its address, its number."""

import asyncio

import pytest

from coalition.kernel.ids import MemberId
from coalition.members import consents
from coalition.members.consents import Given
from tests.families.doors.world import Town, done, refused
from tests.families.groups.world import view
from tests.support.http import ACTOR
from tests.support.members import App

KNOWN = {"card": "97528888", "email": "bo@exempel.example", "phone": "+46701234567"}


async def _bo(town: Town) -> App:
    return await town.member(0, first_name="Bo", last_name="Ek", **KNOWN)


@pytest.mark.parametrize("by", KNOWN)
async def test_points_are_sent_to_whom_one_can_name(town: Town, by: str) -> None:
    await town.plain()
    anna, bo = await town.member(500), await _bo(town)
    wish = {"to": {by: KNOWN[by]}, "points": 120}

    tried = done(await anna.post("/v1/transfers/preview", wish))
    sent = done(await anna.post("/v1/transfers", wish, key="one"), 201)
    again = await anna.post("/v1/transfers", wish, key="one")

    assert tried["allowed"]
    assert "receiver_name" not in tried
    assert sent["receiver"] == str(bo.member)
    assert again.headers["idempotent-replayed"] == "true"
    assert await town.balance(bo) == 120


async def test_exactly_one_is_named_and_well_written(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(500), await _bo(town)

    for address in ("/v1/transfers", "/v1/transfers/preview"):
        for to, code in (
            ({}, "one_member_wanted"),
            ({"card": KNOWN["card"], "member_id": str(bo.member)}, "one_member_wanted"),
            ({"email": "no address"}, "invalid_email"),
            ({"phone": "12"}, "invalid_phone"),
            ({"name": "Bo"}, "invalid"),
            ([str(bo.member)], "invalid"),
            (None, "invalid"),
        ):
            refused(await anna.post(address, {"to": to, "points": 1}), 422, code)
    assert done(
        await anna.post("/v1/transfers/preview", {"to": {"member_id": str(bo.member)}, "points": 1})
    )["allowed"]


async def test_many_guesses_at_once_are_many_guesses(town: Town) -> None:
    await town.plain()
    anna, _ = await town.member(500), await _bo(town)
    right = {"to": {"email": KNOWN["email"]}, "points": 1}
    for _ in range(10):
        done(await anna.post("/v1/transfers/preview", right))

    answers = await asyncio.gather(
        *(
            anna.post("/v1/transfers/preview", {"to": {"email": f"g{no}@x.example"}, "points": 1})
            for no in range(20)
        )
    )

    codes = [answer.status_code for answer in answers]
    assert sorted(codes) == [404] * 5 + [429] * 15
    refused(await anna.post("/v1/transfers", right), 429, "too_many_attempts")
    town.advance(seconds=30)
    done(await anna.post("/v1/transfers", right), 201)
    refused(
        await anna.post("/v1/transfers", {"to": {"card": "97520009"}, "points": 1}),
        404,
        "member_not_found",
    )
    refused(await anna.post("/v1/transfers", right), 429, "too_many_attempts")


async def test_who_may_do_nothing_learns_of_nobody(town: Town) -> None:
    await town.plain()
    anna, _ = await town.member(500), await _bo(town)
    await town.freeze(anna)

    for email in (KNOWN["email"], "nobody@exempel.example"):
        wish = {"to": {"email": email}, "points": 1}
        refused(await anna.post("/v1/transfers/preview", wish), 403, "member_frozen")


async def test_a_preview_says_how_the_name_of_family_begins(town: Town) -> None:
    await town.plain()
    await town.rules("family", view())
    anna, bo = await town.member(500), await _bo(town)
    wish = {"to": {"card": KNOWN["card"]}, "points": 1}
    await town.family("family", anna, bo)

    assert done(await anna.post("/v1/transfers/preview", wish))["receiver_name"] == "B…"


async def test_a_preview_says_how_a_name_begins_where_that_was_agreed_to(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(500), await _bo(town)
    wish = {"to": {"card": KNOWN["card"]}, "points": 1}

    names = []
    for granted in (True, False):
        given = Given(purpose="name_to_senders", granted=granted, text_version="1")
        await consents.give_by_staff(MemberId(bo.member), given, actor=ACTOR, at=town.at)
        town.advance(seconds=1)
        tried = done(await anna.post("/v1/transfers/preview", wish))
        names.append(tried.get("receiver_name"))

    assert names == ["B…", None]
