"""A member sees itself through the door, and nobody else."""

from tests.families.doors.world import Town, done, refused, transfer
from tests.families.groups.world import view


async def test_a_member_sees_who_it_is(town: Town) -> None:
    anna = await town.member(email="Anna@exempel.example", first_name="Anna")

    me = done(await anna.get("/v1/me"))

    assert (me["member_id"], me["state"]) == (str(anna.member), "active")
    assert me["personal"]["email"] == "Anna@exempel.example"
    assert me["personal"]["born"] == "1984-05-01"
    assert me["signed_in_at"] == "2026-11-21T12:00:00Z"


async def test_a_balance_tells_apart_what_is_its_own(town: Town) -> None:
    await town.rules("family", view())
    anna, bo = await town.member(100), await town.member(50)
    assert done(await anna.get("/v1/me/balance")) == {"member_id": str(anna.member), "balance": 100}
    await town.family("family", anna, bo)

    together = done(await anna.get("/v1/me/balance"))

    assert together["balance"] == 150
    assert (together["own_balance"], together["pool_balance"]) == (100, 50)
    refused(await anna.get("/v1/me/balance", point_currency="NOPE"), 422, "unknown_point_currency")


async def test_postings_come_latest_first_page_by_page(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(100), await town.member(30)
    for points in (5, 6):
        town.advance(seconds=1)
        done(await anna.post("/v1/transfers", transfer(bo, points)), 201)

    first = done(await anna.get("/v1/me/postings", limit=2))
    rest = done(await anna.get("/v1/me/postings", limit=2, cursor=first["next_cursor"]))

    shown = [
        (
            one["partner"],
            one["posting"]["kind"],
            one["posting"]["points"],
            one["posting"]["direction"],
        )
        for one in (*first["items"], *rest["items"])
    ]
    assert shown == [
        (None, "transfer", 6, "debit"),
        (None, "transfer", 5, "debit"),
        ("Handlarn", "issue", 100, "credit"),
    ]
    assert rest["next_cursor"] is None


async def test_a_partner_has_no_me(town: Town) -> None:
    for address in ("/v1/me", "/v1/me/balance", "/v1/me/postings"):
        refused(await town.world.grocer.get(address), 403, "forbidden")
        refused(await town.world.finance.get(address), 403, "forbidden")
        refused(await town.http.get(address), 401, "unauthenticated")


async def test_who_is_frozen_sees_itself_and_who_has_ended_does_not(town: Town) -> None:
    anna, bo = await town.member(), await town.member()
    await town.freeze(anna)
    await town.end(bo)

    assert done(await anna.get("/v1/me"))["state"] == "frozen"
    for address in ("/v1/me", "/v1/me/balance", "/v1/me/postings"):
        refused(await bo.get(address), 403, "membership_ended")
