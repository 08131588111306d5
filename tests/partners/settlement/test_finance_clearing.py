"""Finance nets closed statements, and bears a default, over HTTP by two persons."""

from coalition.federation import defaults
from coalition.federation.terms import OnDefault
from coalition.kernel.database import transaction
from tests.partners.settlement.office import Office
from tests.partners.settlement.test_finance_month import ADMIN, closed_november, done, statement_of


async def cleared(office: Office) -> str:
    """Clear November by two persons; return the cycle."""
    asked = {"periods": ["2026-11"], "currency": "SEK"}
    prepared = await done(office.preparer.post(f"{ADMIN}/clearing", asked), 201)
    (waiting,) = prepared["items"]
    assert waiting["kind"] == "settlement_clearing"
    assert {one["partner"]: one["amount_minor"] for one in waiting["proposal"]["legs"]} == {
        "Handlarn": 1500,
        "Macken": -600,
        "operator": -900,
    }
    address = f"/v1/admin/approvals/{waiting['approval_id']}/approve"
    return str((await done(office.approver.post(address)))["cycle_id"])


async def test_a_cycle_nets_closed_statements_and_approves_them(office: Office) -> None:
    await closed_november(office)
    cycle = await cleared(office)

    told = await done(office.reader.get(f"{ADMIN}/clearing/{cycle}"))

    assert (told["currency"], told["periods"]) == ("SEK", ["2026-11"])
    assert (told["prepared_by"], told["approved_by"]) == (
        office.preparer.actor,
        office.approver.actor,
    )
    legs = {one["partner"]: one["amount"] for one in told["legs"]}
    assert legs["Macken"] == {"amount_minor": -600, "currency": "SEK"}
    assert sum(one["amount_minor"] for one in legs.values()) == 0
    assert await statement_of(office, "Handlarn") in told["statements"]
    (listed,) = (await done(office.reader.get(f"{ADMIN}/clearing")))["items"]
    assert listed["cycle_id"] == cycle
    approved = await done(office.reader.get(f"{ADMIN}/statements", state="approved"))
    assert {one["partner"] for one in approved["items"]} >= {"Handlarn", "Macken"}
    again = await office.preparer.post(f"{ADMIN}/clearing", {"periods": ["2026-11"]})
    assert again.json()["code"] == "nothing_to_clear"


async def test_a_default_makes_a_further_version_and_leaves_claims(office: Office) -> None:
    await closed_november(office)
    cycle = await cleared(office)
    grocer = str(office.coalition.grocer.partner.id)
    asked = {"partner": grocer, "reserve_minor": 500, "guarantee_minor": 400}

    waiting = await done(office.preparer.post(f"{ADMIN}/clearing/{cycle}/default", asked), 201)
    assert waiting["proposal"]["defaulter"] == "Handlarn"
    decided = await done(
        office.approver.post(f"/v1/admin/approvals/{waiting['approval_id']}/approve")
    )
    told = await done(office.reader.get(f"{ADMIN}/clearing/{cycle}"))

    assert decided["cycle_id"] == cycle
    (default,) = told["defaults"]
    assert [default[part]["amount_minor"] for part in ("loss", "guarantee", "reserve")] == [
        *(1500, 400, 500),
    ]
    assert default["haircut"]["amount_minor"] == 600
    assert [one["version"] for one in told["versions"]] == [1, 2]
    assert sum(one["amount"]["amount_minor"] for one in told["claims"]) == 600
    assert sum(one["amount"]["amount_minor"] for one in told["legs"]) == 0
    again = await office.preparer.post(f"{ADMIN}/clearing/{cycle}/default", asked)
    assert (again.status_code, again.json()["code"]) == (409, "owes_nothing")


async def test_a_default_is_ended_by_two_persons_over_http(office: Office) -> None:
    async with transaction() as connection:
        await defaults.declare(
            connection,
            partner_no=1,
            on_default=OnDefault.HONOUR,
            prepared_by="staff:anna",
            approved_by="staff:bertil",
            at=office.at,
        )
    address, asked = f"{ADMIN}/defaults/end", {"partner": str(office.coalition.grocer.partner.id)}
    first = await done(office.preparer.post(address, asked, key="once"), 201)
    assert await done(office.preparer.post(address, asked, key="once"), 201) == first
    await done(office.preparer.post(address, asked), 201)
    waiting = (await done(office.reader.get("/v1/admin/approvals")))["items"]
    assert [(one["kind"], one["proposal"]["partner"]) for one in waiting] == [
        ("default_end", "Handlarn")
    ] * 2
    answers = [
        await office.approver.post(f"/v1/admin/approvals/{one['approval_id']}/approve")
        for one in waiting
    ]
    assert [one.status_code for one in answers] == [200, 409]
    assert answers[1].json()["code"] == "not_in_default"
    again = await office.preparer.post(address, asked)
    assert (again.status_code, again.json()["code"]) == (409, "not_in_default")


async def test_a_cycle_prepared_twice_is_cleared_once(office: Office) -> None:
    await closed_november(office)
    asked = {"periods": ["2026-11"]}
    waiting = [
        (await done(office.preparer.post(f"{ADMIN}/clearing", asked), 201))["items"][0]
        for _ in range(2)
    ]

    answers = [
        await office.approver.post(f"/v1/admin/approvals/{one['approval_id']}/approve")
        for one in waiting
    ]

    assert [one.status_code for one in answers] == [200, 409]
    assert answers[1].json()["code"] == "statement_cleared"
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM clearing_cycle") == 1
