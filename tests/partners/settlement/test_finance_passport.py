"""Finance opens any posting down to whose points moved and what it costs and earns everyone."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger import compensations
from coalition.ledger.compensations import Compensation
from partners.settlement import draining
from tests.partners.settlement.office import Office


async def paid_with_both(office: Office) -> str:
    """Let both partners give points and the fuel station take some of each; return its posting."""
    grocer, fuel = office.coalition.grocer, office.coalition.fuel
    member = await grocer.new_member()
    await grocer.issue(member, 20)
    await fuel.issue(member, 50)
    paid = await fuel.post("/v1/points/redeem", fuel.payment(member, 60))
    assert paid.status_code == 201, paid.text
    return str(paid.json()["posting_id"])


async def passport(office: Office, posting: str) -> Any:  # Any: JSON
    answer = await office.reader.get(f"/v1/admin/postings/{posting}/passport")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_passport_tells_every_leg_and_charge_before_and_after_the_drain(
    office: Office,
) -> None:
    posting = await paid_with_both(office)

    waiting = await passport(office, posting)
    assert waiting["drain_id"] is None
    await draining.drain_all(office.at)
    settled = await passport(office, posting)

    assert settled["drain_id"] is not None
    assert settled["charges"] == waiting["charges"]
    assert (settled["kind"], settled["partner"], settled["points"]) == ("redeem", "Macken", 60)
    assert {leg["issuer"] for leg in settled["legs"]} == {"Handlarn", "Macken"}
    assert sum(leg["points"] for leg in settled["legs"]) == 60
    for leg in settled["legs"]:
        assert sum(Decimal(side["amount"]) for side in leg["money"]) == 0
    assert {(one["partner"], one["kind"], one["period"]) for one in settled["charges"]} == {
        ("Macken", "redemption", "2026-11")
    }
    assert sum(Decimal(one["amount"]) for one in settled["charges"]) == Decimal("-0.6")


async def let_have(office: Office, at: datetime) -> tuple[str, str]:
    """Let Handlarn give a member 49 kronor for its plan that Macken pays; return it, taken back."""
    grocer, fuel = office.coalition.grocer, office.coalition.fuel
    member = MemberId(UUID(await grocer.new_member()))
    owed = Compensation(
        holder=member,
        partner_no=grocer.partner.no,
        funder_no=fuel.partner.no,
        amount_minor=4_900,
        receipt="R-7",
        store_no=None,
        reason="shipping",
        occurred_at=at,
    )
    async with transaction() as connection:
        made = await compensations.book(connection, [owed], at=at)
        back = await compensations.take_back(
            connection, {made[0]: owed.amount_minor}, occurred_at=at, at=at
        )
    return str(made[0]), str(back[0])


async def test_a_compensation_has_a_passport_by_its_own_id(office: Office) -> None:
    owed, back = await let_have(office, office.at)
    waiting = await passport(office, owed)
    await draining.drain_all(office.at)
    settled = await passport(office, owed)
    assert settled["drain_id"] is not None
    assert settled["charges"] == waiting["charges"]
    assert (settled["kind"], settled["partner"], settled["receipt"], settled["benefit"]) == (
        "compensation",
        "Handlarn",
        "R-7",
        "shipping",
    )
    assert (settled["points"], settled["reverses"]) == (0, None)
    assert settled["amount"] == {"amount_minor": 4_900, "currency": "SEK"}
    [leg] = settled["legs"]
    assert {(one["partner"], Decimal(one["amount"])) for one in leg["money"]} == {
        ("Handlarn", Decimal(-49)),
        ("Macken", Decimal(49)),
    }
    # Macken pays what Handlarn receives, each on its own statement.
    assert {(one["partner"], one["kind"], one["amount"]) for one in settled["charges"]} == {
        ("Handlarn", "promotion", "-49.000000000000"),
        ("Macken", "promotion", "49.000000000000"),
    }
    gone = await passport(office, back)
    assert (gone["reverses"], gone["amount"]["amount_minor"]) == (owed, -4_900)
    assert sum(Decimal(one["amount"]) for one in gone["charges"]) == 0


async def test_a_partner_finds_what_it_is_paid_for_a_benefit_and_no_other_does(
    office: Office,
) -> None:
    owed, _ = await let_have(office, office.at)
    own = await office.coalition.grocer.get(f"/v1/postings/{owed}/charges")
    assert own.status_code == 200, own.text
    assert [one["amount"] for one in own.json()["charges"]] == ["-49.000000000000"]
    assert own.json()["receipt"] == "R-7"
    payers = await office.coalition.fuel.get(f"/v1/postings/{owed}/charges")
    assert payers.json()["receipt"] is None
    assert [one["amount"] for one in payers.json()["charges"]] == ["49.000000000000"]


async def test_what_is_no_posting_is_not_found(office: Office) -> None:
    for posting in (str(random_id()), str(office.coalition.grocer.partner.id)):
        answer = await office.reader.get(f"/v1/admin/postings/{posting}/passport")
        assert (answer.status_code, answer.json()["code"]) == (404, "posting_not_found")


@pytest.mark.parametrize("text", ["1", "x", "..", "%00", "9" * 400, "' OR '1'='1"])
async def test_what_is_no_id_is_not_found(office: Office, text: str) -> None:
    answer = await office.reader.get(f"/v1/admin/postings/{text}/passport")
    assert answer.status_code == 404
