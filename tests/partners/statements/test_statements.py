"""What a partner reads of its statements over HTTP: listed, live, frozen, opened, downloaded."""

import json
from dataclasses import replace
from typing import Any

import msgspec

from coalition.federation import service as federation
from coalition.federation.terms import CreditMode
from coalition.kernel.database import transaction
from partners.settlement import credit, draining, periods
from partners.settlement.verifying import verify
from tests.partners.statements import months
from tests.support.http import ACTOR, TERMS, Coalition, Shop, new_client, token_of

Json = dict[str, Any]


def money(amount_minor: int) -> Json:
    return {"amount_minor": amount_minor, "currency": "SEK"}


def total(amount_minor: int) -> Json:
    return {"amount": money(amount_minor), "vat": money(0), "net": money(amount_minor)}


async def json_of(shop: Shop, address: str) -> Json:
    answer = await shop.get(address)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def code_of(shop: Shop, address: str) -> tuple[int, str]:
    answer = await shop.get(address)
    return answer.status_code, answer.json()["code"]


async def test_the_live_statement_knows_a_posting_before_it_is_drained(
    coalition: Coalition,
) -> None:
    member = await coalition.grocer.new_member()
    await coalition.grocer.issue(member, 1234)
    waiting = await json_of(coalition.grocer, "/v1/statements/live")
    assert (waiting["unsettled_charges"], waiting["state"]) == (1, "open")
    await draining.drain_all(coalition.clock.now())
    drained = await json_of(coalition.grocer, "/v1/statements/live")
    assert drained == waiting | {"unsettled_charges": 0}
    assert drained["totals"] == [total(1234)]
    assert drained["period"]["name"] == "2026-11"
    (line,) = drained["lines"]
    assert line | {"exact": ""} == {
        "line": 1,
        "kind": "issuance",
        "contract_version": 1,
        "points": 1234,
        "amount": money(1234),
        "vat_code": "none",
        "vat_rate": "0",
        "vat": money(0),
        "exact": "",
        "prior_period": False,
        "origin_period": "2026-11",
        "charges": 1,
    }


async def test_what_came_after_the_close_is_in_the_prior_period_block(
    coalition: Coalition,
) -> None:
    await months.trade_in_october(coalition)
    await months.close(coalition.clock.now())
    member = await coalition.grocer.new_member("97520002")
    await coalition.grocer.issue(member, 300, occurred_at=months.OCTOBER)
    await coalition.grocer.issue(member, 200)
    live = await json_of(coalition.grocer, "/v1/statements/live")
    assert [(line["prior_period"], line["origin_period"]) for line in live["lines"]] == [
        (False, "2026-11"),
        (True, "2026-10"),
    ]
    assert live["totals"] == [total(500)]
    assert live["prior_period"] == [total(300)]


async def test_the_list_begins_with_the_open_period_and_pages_back(coalition: Coalition) -> None:
    await months.trade_in_october(coalition)
    await months.close(coalition.clock.now())
    first = await json_of(coalition.fuel, "/v1/statements?limit=2")
    assert [(item["period"]["name"], item["state"]) for item in first["items"]] == [
        ("2026-11", "open"),
        ("2026-10", "closed"),
    ]
    assert first["items"][0]["statement_id"] is None
    assert first["items"][1]["totals"] == [total(-400)]
    names, cursor = [], first["next_cursor"]
    while cursor:
        page = await json_of(coalition.fuel, f"/v1/statements?limit=5&cursor={cursor}")
        names += [item["period"]["name"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert names == sorted(names, reverse=True)
    assert (names[0], names[-1], len(names)) == ("2026-09", "2025-07", 15)


async def test_the_list_is_narrowed_by_state_and_period(coalition: Coalition) -> None:
    await months.seal(coalition.clock.now())
    provisional = await json_of(coalition.grocer, "/v1/statements?state=provisional&limit=100")
    assert len(provisional["items"]) == 16
    by_name = await json_of(coalition.grocer, "/v1/statements?period=2026-10")
    assert [item["state"] for item in by_name["items"]] == ["provisional"]
    assert (await json_of(coalition.grocer, "/v1/statements?state=paid"))["items"] == []


async def test_a_closed_statement_is_the_same_for_ever(coalition: Coalition) -> None:
    issued, _ = await months.trade_in_october(coalition)
    at = coalition.clock.now()
    await months.close(at)
    address = f"/v1/statements/{await months.statement_of(coalition, 'grocer')}"
    before = await json_of(coalition.grocer, address)
    assert (before["state"], before["totals"]) == ("closed", [total(1000)])
    assert before["control"] == [{"currency": "SEK", "points_funded": 1000, "points_redeemed": 0}]
    assert before["charges"] == 1
    assert len(before["digest"]) == 64
    await coalition.grocer.post(f"/v1/postings/{issued}/reverse", {"points": 100})
    await draining.drain_all(at)
    assert await json_of(coalition.grocer, address) == before
    live = await json_of(coalition.grocer, "/v1/statements/live")
    assert live["prior_period"] == [total(-100)]


async def test_a_provisional_statement_has_an_id_and_no_number(coalition: Coalition) -> None:
    await months.trade_in_october(coalition)
    await months.seal(coalition.clock.now())
    statement = await months.statement_of(coalition, "fuel")
    shown = await json_of(coalition.fuel, f"/v1/statements/{statement}")
    assert (shown["state"], shown["number"], shown["digest"]) == ("provisional", None, None)
    assert shown["totals"] == [total(-400)]
    named = await json_of(coalition.fuel, "/v1/statements/live?period=2026-10")
    assert named["lines"] == shown["lines"]
    download = f"/v1/statements/{statement}/download"
    assert await code_of(coalition.fuel, download) == (409, "statement_not_closed")


async def test_a_line_opens_down_to_the_receipt(coalition: Coalition) -> None:
    issued, redeemed = await months.trade_in_october(coalition)
    await months.close(coalition.clock.now())
    statement = await months.statement_of(coalition, "grocer")
    opened = await json_of(coalition.grocer, f"/v1/statements/{statement}/lines?line=1")
    (charge,) = opened["items"]
    posting = await json_of(coalition.grocer, f"/v1/postings/{issued}")
    assert charge["posting_id"] == issued
    assert (charge["receipt"], charge["occurred_at"]) == (posting["receipt"], months.OCTOBER)
    assert (charge["points"], charge["unit_price"], charge["amount"]) == (
        1000,
        "0.010000000000",
        "10.000000000000",
    )
    assert opened["next_cursor"] is None
    other = await months.statement_of(coalition, "fuel")
    theirs = await json_of(coalition.fuel, f"/v1/statements/{other}/lines?line=1")
    assert [one["posting_id"] for one in theirs["items"]] == [redeemed]


async def test_the_lines_of_an_open_period_open_page_by_page(coalition: Coalition) -> None:
    at = coalition.clock.now()
    issued = []
    for points in range(1, 6):
        member = await coalition.grocer.new_member(f"9752000{points}")
        issued.append(await coalition.grocer.issue(member, points))
    await draining.drain_all(at)
    address, found, cursor = "/v1/statements/live/lines?line=1&limit=2", [], ""
    while True:
        page = await json_of(coalition.grocer, address + cursor)
        found += [one["posting_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(found) == sorted(issued)


async def test_what_a_line_needs_is_said(coalition: Coalition) -> None:
    await months.trade_in_october(coalition)
    await months.close(coalition.clock.now())
    lines = f"/v1/statements/{await months.statement_of(coalition, 'grocer')}/lines"
    assert await code_of(coalition.grocer, f"{lines}?line=2") == (404, "statement_line_not_found")
    assert await code_of(coalition.grocer, lines) == (422, "invalid")
    cursor = f"{'0' * 32}.0.{'0' * 32}.0"
    refused = await code_of(coalition.grocer, f"{lines}?line=1&cursor={cursor}")
    assert refused == (422, "cursor_of_another_line")
    closed = "/v1/statements/live?period=2026-10"
    assert await code_of(coalition.grocer, closed) == (404, "period_not_found")


async def test_a_download_proves_itself_by_the_digest_of_the_statement(
    coalition: Coalition,
) -> None:
    _, redeemed = await months.trade_in_october(coalition)
    await months.close(coalition.clock.now())
    address = f"/v1/statements/{await months.statement_of(coalition, 'fuel')}"
    shown = await json_of(coalition.fuel, address)
    answer = await coalition.fuel.get(f"{address}/download")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = answer.content.splitlines(keepends=True)
    verdict = verify(lines, expected_digest=shown["digest"])
    assert verdict.differences == []
    assert verdict.ok
    assert verdict.charges == 1
    assert json.loads(lines[1])["charges"] == [[redeemed, 400]]
    assert "staff:" not in answer.text


async def test_money_by_hand_is_on_its_line_and_in_the_file(coalition: Coalition) -> None:
    at = coalition.clock.now()
    await months.trade_in_october(coalition)
    await periods.ensure(at)
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO settlement_adjustment SELECT gen_random_uuid(), partner_no, no, no, 1,"
            " 'SEK', 'S', 0.25, -333, 'a lost parcel', NULL, $1, 'staff:a', 'staff:b'"
            " FROM settlement_period WHERE partner_no = 1 AND name = '2026-10'",
            at,
        )
    await months.close(at)
    address = f"/v1/statements/{await months.statement_of(coalition, 'grocer')}"
    opened = await json_of(coalition.grocer, f"{address}/lines?line=2")
    assert opened["items"] == []
    (by_hand,) = opened["adjustments"]
    assert (by_hand["amount"], by_hand["reason"]) == (money(-333), "a lost parcel")
    file = await coalition.grocer.get(f"{address}/download")
    verdict = verify(file.content.splitlines(keepends=True))
    assert verdict.differences == []
    assert [found.net_minor for found in verdict.totals] == [1000 - 333 - 83]


async def test_a_passport_leads_from_a_posting_to_its_line(coalition: Coalition) -> None:
    issued, redeemed = await months.trade_in_october(coalition)
    waiting = await json_of(coalition.fuel, f"/v1/postings/{redeemed}/charges")
    assert (waiting["drain_id"], waiting["charges"][0]["amount"]) == (None, "-4.000000000000")
    await months.close(coalition.clock.now())
    passport = await json_of(coalition.fuel, f"/v1/postings/{redeemed}/charges")
    assert passport["drain_id"] is not None
    (charge,) = passport["charges"]
    statement = await months.statement_of(coalition, "fuel")
    assert charge["statement_id"] == str(statement)
    assert (charge["period"], charge["state"], charge["line"]) == ("2026-10", "closed", 1)
    (leg,) = passport["legs"]
    assert leg["points"] == 400
    assert leg["issuer_id"] == str(coalition.grocer.partner.id)
    assert leg["issue_price"] is None
    own = await json_of(coalition.grocer, f"/v1/postings/{issued}/charges")
    assert [one["points"] for one in own["charges"]] == [1000]
    assert own["legs"][0]["issue_price"] == "0.010000000000"


async def test_a_partner_that_nothing_limits_is_told_of_no_credit(coalition: Coalition) -> None:
    live = await json_of(coalition.grocer, "/v1/statements/live")
    assert live["credit"] is None


async def test_the_live_statement_shows_what_is_left_of_the_credit(coalition: Coalition) -> None:
    at = coalition.clock.now()
    limited = msgspec.structs.replace(
        TERMS, credit_mode=CreditMode.WARN, credit_limit_minor=5_000, low_water_minor=100
    )
    made = await federation.create_partner(
        name="Bageriet", terms=limited, actor=ACTOR, at=at, valid_from=at.date().replace(month=1)
    )
    client = await new_client(made.partner, at)
    token = await token_of(client, at)
    bakery = replace(coalition.fuel, partner=made.partner, client=client, token=token)
    await bakery.issue(await bakery.new_member(), 1_200)
    await draining.drain_all(at)
    await credit.judge(at)
    live = await json_of(bakery, "/v1/statements/live")
    assert live["credit"] == {
        "mode": "warn",
        "limit": money(5_000),
        "used": money(1_200),
        "headroom": money(3_800),
        "blocked": False,
        "judged_at": "2026-11-21T12:00:00Z",
    }
