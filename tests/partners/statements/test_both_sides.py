"""One posting, two partners: each reads what it pays or receives, and no more of the other."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from coalition.federation import service as federation
from coalition.federation.terms import Mode
from partners.settlement import draining
from tests.support.http import ACTOR, TERMS, Coalition, Shop, new_client, token_of

Json = dict[str, Any]


@dataclass
class Sides:
    """Points that their issuer pays for when they are spent, and 30 of them spent elsewhere."""

    issuer: Shop
    accepter: Shop
    stranger: Shop
    posting: str


async def spent_elsewhere(coalition: Coalition) -> Sides:
    """Let a third partner issue, the grocer take; the fuel station has no part in it."""
    at = coalition.clock.now()
    made = await federation.create_partner(
        name="Bageriet",
        terms=msgspec.structs.replace(TERMS, mode=Mode.ISSUER_ON_REDEMPTION),
        actor=ACTOR,
        at=at,
        valid_from=at.date().replace(month=1),
    )
    client = await new_client(made.partner, at)
    issuer = replace(
        coalition.fuel, partner=made.partner, client=client, token=await token_of(client, at)
    )
    member = await issuer.new_member()
    await issuer.issue(member, 100)
    paid = await coalition.grocer.post(
        "/v1/points/redeem", coalition.grocer.payment(member, 30, receipt="secret-7")
    )
    assert paid.status_code == 201, paid.text
    return Sides(issuer, coalition.grocer, coalition.fuel, paid.json()["posting_id"])


async def charges_of(shop: Shop, posting: str) -> Json:
    answer = await shop.get(f"/v1/postings/{posting}/charges")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


@pytest.mark.parametrize("is_drained", [False, True])
async def test_each_side_sees_its_own_charge_and_the_accepter_alone_its_receipt(
    coalition: Coalition, *, is_drained: bool
) -> None:
    sides = await spent_elsewhere(coalition)
    if is_drained:
        await draining.drain_all(coalition.clock.now())
    accepter = await charges_of(sides.accepter, sides.posting)
    issuer = await charges_of(sides.issuer, sides.posting)
    assert [(one["kind"], one["amount"]) for one in accepter["charges"]] == [
        ("redemption", "-0.300000000000")
    ]
    assert [(one["kind"], one["amount"]) for one in issuer["charges"]] == [
        ("issuance", "0.300000000000")
    ]
    assert (accepter["receipt"], issuer["receipt"]) == ("secret-7", None)
    assert [leg["issue_price"] for leg in accepter["legs"]] == [None]
    assert [leg["issue_price"] for leg in issuer["legs"]] == ["0.010000000000"]


async def test_who_has_no_part_in_a_posting_is_told_that_there_is_none(
    coalition: Coalition,
) -> None:
    sides = await spent_elsewhere(coalition)
    for _ in range(2):
        answer = await sides.stranger.get(f"/v1/postings/{sides.posting}/charges")
        assert (answer.status_code, answer.json()["code"]) == (404, "posting_not_found")
        await draining.drain_all(coalition.clock.now())


async def test_a_line_tells_who_pays_when_and_not_on_which_receipt(coalition: Coalition) -> None:
    sides = await spent_elsewhere(coalition)
    await draining.drain_all(coalition.clock.now())
    opened = await sides.issuer.get("/v1/statements/live/lines?line=1")
    (charge,) = opened.json()["items"]
    assert charge["posting_id"] == sides.posting
    assert (charge["receipt"], charge["store"]) == (None, None)
    assert charge["occurred_at"] == "2026-11-21T12:00:00Z"
    own = await sides.accepter.get("/v1/statements/live/lines?line=1")
    assert own.json()["items"][0]["receipt"] == "secret-7"


async def test_a_token_without_the_scope_reads_no_statement(coalition: Coalition) -> None:
    till = await coalition.till(coalition.grocer, scopes=["points:issue", "points:redeem"])
    for address in ("/v1/statements", "/v1/statements/live", "/v1/statements/live/lines?line=1"):
        answer = await till.get(address)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
