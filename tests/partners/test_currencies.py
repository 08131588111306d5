"""Point currencies at the till: issued, spent, asked for and exchanged."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from coalition.federation import contracts, currencies, rates
from coalition.kernel.database import transaction
from coalition.ledger import posting
from coalition.ledger.refusals import NotEnoughPoints
from coalition.points.commands import Asked, PostingAnswer, RedeemBody
from partners.batches.lines import LineDecoder, columns_of
from partners.batches.splitting import CSV
from tests.support.http import ACTOR, TERMS, Coalition, Shop


async def agree(coalition: Coalition, from_points: int, to_points: int) -> None:
    """Let points become miles at this rate from now on."""
    at = coalition.clock.now()
    approval = await rates.prepare(
        from_code="POINT",
        to_code="MILES",
        from_points=from_points,
        to_points=to_points,
        prepared_by=ACTOR,
        at=at,
    )
    await rates.approve(approval, approved_by="staff:other", at=at)


async def let_issue_miles(coalition: Coalition, shop: Shop) -> None:
    """Let the partner have a currency of its own and issue in it from today on."""
    at = coalition.clock.now()
    made = await currencies.create_currency(
        code="MILES", name="Miles", partner_no=shop.partner.no, actor=ACTOR, at=at
    )
    approval = await contracts.prepare(
        partner_no=shop.partner.no,
        terms=msgspec.structs.replace(TERMS, point_currency_no=made.no),
        valid_from=at.date(),
        prepared_by=ACTOR,
        at=at,
    )
    await contracts.sign(approval, approved_by="staff:other", at=at)


async def miles(shop: Shop, member: str) -> int:
    answer = await shop.get(f"/v1/members/{member}/balance?point_currency=MILES")
    assert answer.status_code == 200, answer.text
    assert answer.json()["point_currency"] == "MILES"
    return int(answer.json()["balance"])


async def test_points_of_its_own_are_spent_at_the_partner_alone(coalition: Coalition) -> None:
    fuel = coalition.fuel
    await let_issue_miles(coalition, fuel)
    member = await fuel.new_member()
    answer = await fuel.post("/v1/points/issue", fuel.payment(member, 100))
    assert (answer.json()["point_currency"], answer.json()["balance"]) == ("MILES", 100)
    assert await fuel.balance(member) == 0
    spent = await fuel.post("/v1/points/redeem", fuel.payment(member, 30, point_currency="MILES"))
    assert (spent.json()["point_currency"], spent.json()["balance"]) == ("MILES", 70)
    held = await fuel.post("/v1/points/holds", fuel.payment(member, 20, point_currency="MILES"))
    assert (held.json()["point_currency"], held.json()["balance"]) == ("MILES", 50)
    address = f"/v1/points/holds/{held.json()['hold_id']}/capture"
    captured = await fuel.post(address, {"points": 5})
    assert (captured.json()["point_currency"], captured.json()["balance"]) == ("MILES", 65)
    kept = await fuel.get(f"/v1/points/holds/{held.json()['hold_id']}")
    assert kept.json()["point_currency"] == "MILES"
    foreign = await coalition.grocer.post(
        "/v1/points/redeem", coalition.grocer.payment(member, 1, point_currency="MILES")
    )
    assert (foreign.status_code, foreign.json()["code"]) == (409, "foreign_point_currency")
    assert await miles(coalition.grocer, member) == 65


async def test_an_unknown_point_currency_is_refused(coalition: Coalition) -> None:
    grocer = coalition.grocer
    member = await grocer.new_member()
    body = grocer.payment(member, 1, point_currency="STARS")
    for answer in (
        await grocer.post("/v1/points/redeem", body),
        await grocer.get(f"/v1/members/{member}/balance?point_currency=STARS"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_point_currency")


async def test_answers_in_the_coalition_s_points_do_not_name_them(coalition: Coalition) -> None:
    grocer = coalition.grocer
    member = await grocer.new_member()
    answer = await grocer.post("/v1/points/issue", grocer.payment(member, 10))
    assert "point_currency" not in answer.json()
    asked = await grocer.get(f"/v1/members/{member}/balance")
    assert asked.json() == {"member_id": member, "balance": 10}


async def test_a_conversion_takes_points_and_gives_others(coalition: Coalition) -> None:
    fuel, grocer = coalition.fuel, coalition.grocer
    await let_issue_miles(coalition, fuel)
    await agree(coalition, 5, 2)
    member = await grocer.new_member("97520017")
    await grocer.issue(member, 103)
    body = fuel.payment(member, 58, **{"from": "POINT", "to": "MILES"})
    del body["member_id"]
    body["card"] = "97520017"
    key = fuel.new_key()
    answer = await fuel.post("/v1/points/convert", body, key=key)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["points"], told["converted"], told["remainder"]) == (55, 22, 3)
    assert (told["from"], told["to"], told["balance"]) == ("POINT", "MILES", 48)
    assert (await grocer.balance(member), await miles(fuel, member)) == (48, 22)
    again = await fuel.post("/v1/points/convert", body, key=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == answer.content
    twice = await fuel.post("/v1/points/convert", body)
    assert twice.json()["code"] == "duplicate_receipt"
    back = await fuel.post(f"/v1/postings/{told['posting_id']}/reverse", {})
    assert (back.status_code, back.json()["code"]) == (409, "not_reversible")
    shown = await fuel.get(f"/v1/postings/{told['posting_id']}")
    assert shown.json()["kind"] == "conversion"
    assert shown.json()["linked"] == told["into_posting_id"]
    assert "point_currency" not in shown.json()
    other = await fuel.get(f"/v1/postings/{told['into_posting_id']}")
    assert other.json()["point_currency"] == "MILES"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": "POINT"}, "same_currency"),
        ({"to": "STARS"}, "unknown_point_currency"),
        ({"from": "MILES", "to": "POINT"}, "no_exchange_rate"),
        ({"points": 4}, "nothing_to_convert"),
        ({"points": 1000}, "not_enough_points"),
        ({"card": "97520017"}, "one_member_needed"),
        ({"member_id": None, "card": "97520099"}, "card_not_found"),
    ],
)
async def test_conversions_that_cannot_be_are_refused(
    coalition: Coalition, changes: dict[str, object], code: str
) -> None:
    fuel = coalition.fuel
    await let_issue_miles(coalition, fuel)
    await agree(coalition, 5, 2)
    member = await fuel.new_member()
    await coalition.grocer.issue(member, 100)
    body = fuel.payment(member, 50) | {"from": "POINT", "to": "MILES"} | changes
    answer = await fuel.post("/v1/points/convert", body)
    assert answer.json()["code"] == code
    assert await coalition.grocer.balance(member) == 100


async def test_who_takes_no_points_converts_none(coalition: Coalition) -> None:
    fuel = coalition.fuel
    await let_issue_miles(coalition, fuel)
    await agree(coalition, 5, 2)
    member = await fuel.new_member()
    at = coalition.clock.now()
    approval = await contracts.prepare(
        partner_no=coalition.grocer.partner.no,
        terms=msgspec.structs.replace(TERMS, accepts=False),
        valid_from=at.date(),
        prepared_by=ACTOR,
        at=at,
    )
    await contracts.sign(approval, approved_by="staff:other", at=at)
    grocer = coalition.grocer
    body = grocer.payment(member, 50) | {"from": "POINT", "to": "MILES"}
    answer = await grocer.post("/v1/points/convert", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_in_contract")


async def test_lines_of_a_batch_name_their_point_currency(coalition: Coalition) -> None:
    fuel = coalition.fuel
    await let_issue_miles(coalition, fuel)
    member = await fuel.new_member()
    await fuel.issue(member, 100)
    tills = coalition.tills
    lines = [
        RedeemBody(
            receipt=f"line-{code}",
            occurred_at=coalition.clock.now(),
            points=10,
            member_id=UUID(member),
            point_currency=code,
        )
        for code in ("MILES", None)
    ]
    asked = [Asked(fuel.partner.no, 1, None, line) for line in lines]
    async with transaction(posting.PINNED_FOR_LINES, role=posting.POSTER_ROLE) as connection:
        first, second = await tills.post_lines(connection, asked, coalition.clock.now())
    assert isinstance(first, PostingAnswer)
    assert first.point_currency == "MILES"
    assert isinstance(second, NotEnoughPoints)


def test_a_row_of_a_batch_has_a_column_for_its_point_currency() -> None:
    columns = columns_of(b"kind,receipt,occurred_at,points,point_currency")
    decoder = LineDecoder(CSV, columns)
    named, unnamed = decoder.decode(
        [b"redeem,r1,2026-11-21T12:00:00Z,5,MILES", b"redeem,r2,2026-11-21T12:00:00Z,5,"]
    )
    assert isinstance(named, RedeemBody)
    assert isinstance(unnamed, RedeemBody)
    assert (named.point_currency, unnamed.point_currency) == ("MILES", None)


async def test_a_conversion_needs_the_scope_of_redemptions(coalition: Coalition) -> None:
    fuel = await coalition.till(coalition.fuel, scopes=["points:issue"])
    body = fuel.payment("0" * 8, 1)
    answer = await fuel.post("/v1/points/convert", body)
    assert answer.status_code == 403


async def test_a_rate_is_that_of_the_time_of_the_receipt(coalition: Coalition) -> None:
    fuel = coalition.fuel
    await let_issue_miles(coalition, fuel)
    await agree(coalition, 5, 2)
    member = await fuel.new_member()
    await coalition.grocer.issue(member, 100)
    early = (coalition.clock.now() - timedelta(seconds=1)).isoformat()
    body = fuel.payment(member, 50, occurred_at=early) | {"from": "POINT", "to": "MILES"}
    answer = await fuel.post("/v1/points/convert", body)
    assert answer.json()["code"] == "no_exchange_rate"
