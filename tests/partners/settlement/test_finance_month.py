"""A month goes through finance's door: sealed, closed by two persons, read to the last receipt."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from partners.settlement.verifying import verify
from tests.partners.settlement.office import Office
from tests.support.http import Desk

ADMIN = "/v1/admin/settlement"
DECEMBER = datetime(2026, 12, 2, 9, tzinfo=UTC)


async def sold(office: Office) -> list[str]:
    """Let the grocer give 1000 and 500 points and the fuel station take 600; return receipts."""
    grocer, fuel = office.coalition.grocer, office.coalition.fuel
    member = await grocer.new_member()
    receipts = []
    for points in (1000, 500):
        body = grocer.payment(member, points)
        assert (await grocer.post("/v1/points/issue", body)).status_code == 201
        receipts.append(str(body["receipt"]))
    paid = await fuel.post("/v1/points/redeem", fuel.payment(member, 600))
    assert paid.status_code == 201, paid.text
    return receipts


async def done(answer: Any, status: int = 200) -> Any:  # Any: an answer, and its JSON
    answer = await answer
    assert answer.status_code == status, answer.text
    return answer.json()


async def seal(office: Office, period: str, **more: str) -> Any:
    return await done(office.preparer.post(f"{ADMIN}/seal", {"period": period} | more))


async def close(office: Office, period: str, **more: str) -> Any:
    """Close a period by two persons; return the decision."""
    waiting = await done(office.preparer.post(f"{ADMIN}/close", {"period": period} | more), 201)
    return await done(office.approver.post(f"/v1/admin/approvals/{waiting['approval_id']}/approve"))


async def closed_november(office: Office) -> list[str]:
    """Close November with sales in it, and all that came before; return the grocer's receipts."""
    receipts = await sold(office)
    await office.move_on(DECEMBER)
    await office.close_before("2026-11")
    await seal(office, "2026-11")
    await close(office, "2026-11")
    return receipts


async def statement_of(office: Office, partner: str, period: str = "2026-11") -> str:
    listed = await done(office.reader.get(f"{ADMIN}/statements", period=period))
    (one,) = (one for one in listed["items"] if one["partner"] == partner)
    return str(one["statement_id"])


async def test_a_month_is_sealed_and_closed_and_its_lines_open_to_the_receipts(
    office: Office,
) -> None:
    receipts = await closed_november(office)

    statement = await statement_of(office, "Handlarn")
    told = await done(office.reader.get(f"{ADMIN}/statements/{statement}"))

    assert (told["state"], told["prepared_by"], told["approved_by"]) == (
        "closed",
        office.preparer.actor,
        office.approver.actor,
    )
    assert len(told["digest"]) == 64
    (line,) = told["lines"]
    assert (line["kind"], line["points"], line["charges"]) == ("issuance", 1500, 2)
    assert line["amount"] == {"amount_minor": 1500, "currency": "SEK"}
    assert told["totals"][0]["net"] == {"amount_minor": 1500, "currency": "SEK"}
    behind = await done(office.reader.get(f"{ADMIN}/statements/{statement}/lines", line="1"))
    assert sorted(one["receipt"] for one in behind["items"]) == sorted(receipts)
    assert sum(Decimal(one["amount"]) for one in behind["items"]) == Decimal(line["exact"])
    assert behind["next_cursor"] is None


async def test_a_line_is_opened_page_by_page(office: Office) -> None:
    await closed_november(office)
    address = f"{ADMIN}/statements/{await statement_of(office, 'Handlarn')}/lines"

    whole = await done(office.reader.get(address, line="1"))
    first = await done(office.reader.get(address, line="1", limit="1"))
    second = await done(
        office.reader.get(address, line="1", limit="1", cursor=first["next_cursor"])
    )

    assert first["items"] + second["items"] == whole["items"]
    assert second["next_cursor"] is None
    other = await statement_of(office, "Macken")
    asked = {"line": "1", "cursor": first["next_cursor"]}
    answer = await office.reader.get(f"{ADMIN}/statements/{other}/lines", **asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_of_another_line")


async def test_what_is_not_closed_is_seen_live_and_as_it_stands(office: Office) -> None:
    await sold(office)
    fuel = str(office.coalition.fuel.partner.id)

    live = await done(office.reader.get(f"{ADMIN}/live", partner=fuel))
    assert live["unsettled_postings"] == 3
    assert live["net"] == [{"amount_minor": -600, "currency": "SEK"}]
    assert live["statements"][-1]["period"] == "2026-11"
    assert live["statements"][-1]["state"] == "open"
    await office.move_on(DECEMBER)
    await office.close_before("2026-11")
    await seal(office, "2026-11")
    provisional = await done(
        office.reader.get(f"{ADMIN}/statements/{await statement_of(office, 'Macken')}")
    )
    assert (provisional["state"], provisional["number"]) == ("provisional", None)
    assert provisional["totals"][0]["net"]["amount_minor"] == -600


async def test_finance_downloads_the_very_file_that_the_partner_gets(office: Office) -> None:
    await closed_november(office)
    for desk, partner in ((office.coalition.fuel, "Macken"), (office.coalition.grocer, "Handlarn")):
        statement = await statement_of(office, partner)
        own = await desk.get(f"/v1/statements/{statement}/download")
        found = await office.reader.get(f"{ADMIN}/statements/{statement}/download")
        assert found.headers["content-type"] == "application/x-ndjson"
        assert (found.status_code, found.content) == (200, own.content)
        assert verify(found.content.splitlines(keepends=True)).ok
    operators = await statement_of(office, "operator")
    found = await office.reader.get(f"{ADMIN}/statements/{operators}/download")
    assert verify(found.content.splitlines(keepends=True)).ok


async def test_what_is_not_closed_is_not_downloaded(office: Office) -> None:
    await sold(office)
    await office.move_on(DECEMBER)
    await office.close_before("2026-11")
    await seal(office, "2026-11")
    address = f"{ADMIN}/statements/{await statement_of(office, 'Macken')}/download"
    answer = await office.reader.get(address)
    assert (answer.status_code, answer.json()["code"]) == (409, "statement_not_closed")
    answer = await office.reader.get(f"{ADMIN}/statements/{random_id()}/download")
    assert (answer.status_code, answer.json()["code"]) == (404, "statement_not_found")


async def test_statements_are_listed_by_partner_state_and_page(office: Office) -> None:
    await closed_november(office)
    address = f"{ADMIN}/statements"

    closed = await done(office.reader.get(address, state="closed", limit="2"))
    assert [(one["partner"], one["period"]) for one in closed["items"]] == [
        ("Macken", "2026-11"),
        ("Handlarn", "2026-11"),
    ]
    assert closed["items"][0]["totals"][0]["net"]["amount_minor"] == -600
    following = await done(
        office.reader.get(address, state="closed", limit="2", cursor=closed["next_cursor"])
    )
    assert [(one["partner"], one["period"]) for one in following["items"]] == [
        ("operator", "2026-11"),
        ("Macken", "2026-10"),
    ]
    own = await done(office.reader.get(address, partner="operator", period="2026-11"))
    assert [one["partner_id"] for one in own["items"]] == [None]
    assert (await done(office.reader.get(address, state="provisional")))["items"] == []


async def test_sealing_and_preparing_are_answered_once_per_key(office: Office) -> None:
    await office.move_on(DECEMBER)
    for address, first, other in (
        (f"{ADMIN}/seal", {"period": "2025-07"}, {"period": "2025-08"}),
        (f"{ADMIN}/close", {"period": "2025-07"}, {"period": "2025-08"}),
    ):
        one = await office.preparer.post(address, first, key=address)
        again = await office.preparer.post(address, first, key=address)
        changed = await office.preparer.post(address, other, key=address)
        assert one.status_code in {200, 201}, one.text
        assert (again.status_code, again.content) == (one.status_code, one.content)
        assert again.headers["idempotent-replayed"] == "true"
        assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_key_reused")
    async with transaction() as connection:
        states = await connection.fetch("SELECT DISTINCT state FROM statement")
        waiting = await connection.fetchval("SELECT count(*) FROM approval")
    assert [row[0] for row in states] == ["provisional"]
    assert waiting == 1


async def test_an_approval_is_answered_once_per_key_too(office: Office) -> None:
    await office.move_on(DECEMBER)
    await seal(office, "2025-07")
    waiting = await done(office.preparer.post(f"{ADMIN}/close", {"period": "2025-07"}), 201)
    address = f"/v1/admin/approvals/{waiting['approval_id']}/approve"

    one = await office.approver.post(address, key="once")
    again = await office.approver.post(address, key="once")
    later = await office.approver.post(address)

    assert one.status_code == 200, one.text
    assert len(one.json()["statements"]) == 3
    assert (again.status_code, again.content) == (200, one.content)
    assert (later.status_code, later.json()["code"]) == (409, "approval_decided")


async def test_who_prepares_does_not_approve_whatever_scopes_it_holds(office: Office) -> None:
    await office.move_on(DECEMBER)
    await seal(office, "2025-07")
    both = await office.desk("settlement:prepare", "settlement:approve")
    waiting = await done(both.post(f"{ADMIN}/close", {"period": "2025-07"}), 201)
    address = f"/v1/admin/approvals/{waiting['approval_id']}/approve"

    answer = await both.post(address)

    assert (answer.status_code, answer.json()["code"]) == (403, "second_person_needed")
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM statement WHERE number > 0") == 0
    await done(office.approver.post(address))


async def test_what_waits_says_what_will_be_done_and_can_be_rejected(office: Office) -> None:
    grocer = str(office.coalition.grocer.partner.id)
    asked = {
        "partner": grocer,
        "amount": {"amount_minor": -2500, "currency": "SEK"},
        "reason": "a sign was wrong",
    }
    prepared = await done(office.preparer.post(f"{ADMIN}/adjustments", asked), 201)

    (listed,) = (await done(office.approver.get("/v1/admin/approvals")))["items"]
    assert listed == prepared
    assert listed["proposal"] == {
        "partner_id": grocer,
        "partner": "Handlarn",
        "amount_minor": -2500,
        "currency": "SEK",
        "reason": "a sign was wrong",
        "line": None,
    }
    assert listed["prepared_by"] == office.preparer.actor
    address = f"/v1/admin/approvals/{listed['approval_id']}/reject"
    rejected = await done(office.approver.post(address, {"reason": "it was right"}))
    assert (rejected["state"], rejected["decided_by"]) == ("rejected", office.approver.actor)
    assert (await done(office.reader.get("/v1/admin/approvals")))["items"] == []


async def test_an_adjustment_stands_on_the_statement_with_its_reason(office: Office) -> None:
    await closed_november(office)
    grocer, statement = office.coalition.grocer, await statement_of(office, "Handlarn")
    asked = {
        "partner": str(grocer.partner.id),
        "amount": {"amount_minor": -500, "currency": "SEK"},
        "reason": "as agreed",
        "statement_line": {"statement_id": statement, "line": 1},
    }
    waiting = await done(office.preparer.post(f"{ADMIN}/adjustments", asked), 201)
    await done(office.approver.post(f"/v1/admin/approvals/{waiting['approval_id']}/approve"))

    live = await done(office.reader.get(f"{ADMIN}/live", partner=str(grocer.partner.id)))

    (line,) = live["statements"][-1]["lines"]
    assert (line["kind"], line["origin_period"], line["prior_period"]) == (
        "adjustment",
        "2026-11",
        True,
    )
    assert line["amount"]["amount_minor"] == -500
    for wrong in (
        {"statement_id": statement, "line": 9},
        {"statement_id": str(random_id()), "line": 1},
    ):
        answer = await office.preparer.post(
            f"{ADMIN}/adjustments", asked | {"statement_line": wrong}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "statement_line_not_found")


async def test_the_audit_log_says_which_client_did_what(office: Office) -> None:
    await office.move_on(DECEMBER)
    await seal(office, "2025-07")
    await close(office, "2025-07")

    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT actor, action FROM audit_log WHERE action LIKE 'approval.%' ORDER BY no"
        )
    assert [tuple(row) for row in rows] == [
        (office.preparer.actor, "approval.prepared"),
        (office.approver.actor, "approval.applied"),
    ]


async def test_approvals_of_others_are_as_good_as_unknown_here(office: Office) -> None:
    desk: Desk = office.approver
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO approval (id, kind, subject, payload, state, prepared_by, prepared_at,"
            " expires_at) VALUES ($1, 'contract', 'x', '{}', 'prepared', 'staff:anna', $2, $3)",
            other := random_id(),
            office.at,
            DECEMBER,
        )

    assert (await done(office.reader.get("/v1/admin/approvals")))["items"] == []
    for approval in (other, random_id()):
        for act, body in (("approve", None), ("reject", {"reason": "no"})):
            answer = await desk.post(f"/v1/admin/approvals/{approval}/{act}", body)
            assert (answer.status_code, answer.json()["code"]) == (404, "approval_not_found")
